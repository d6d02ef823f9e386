//! Servers that refuse to run as root.

use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;

use super::attached;

/// The user and the group `nobody`.
const NOBODY: u32 = 65_534;

/// Returns a command that runs a program which ends with this one, as `nobody` if this is root.
pub(crate) fn without_root(program: &Path) -> io::Result<Command> {
    let mut command = if geteuid().is_root() {
        let mut command = attached("setpriv")?;
        let [user, group] = ["reuid", "regid"].map(|which| format!("--{which}={NOBODY}"));
        command.args([&user, &group, "--clear-groups"]);
        // The kernel forgets the signal for the death of the parent when the user changes.
        command.args(["setpriv", "--pdeathsig", "QUIT"]).arg(program);
        command
    } else {
        attached(program)?
    };
    // This program's own folder may be closed to that user.
    command.current_dir("/");
    Ok(command)
}

/// Makes a folder for such a program.
pub(crate) fn folder_without_root(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    if geteuid().is_root() {
        chown(path, Some(NOBODY), Some(NOBODY))?;
    }
    Ok(())
}
