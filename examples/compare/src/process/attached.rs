//! A child that ends with its parent.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{self, Command};

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::Problem;
use crate::cli::Attached;

/// Returns a command that runs a program which ends with this one.
pub(crate) fn attached(program: impl AsRef<OsStr>) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("attached").arg(process::id().to_string()).arg(program);
    // Ctrl-C in a terminal goes to the whole process group, but this program ends its children in
    // order.
    command.process_group(0);
    Ok(command)
}

/// Returns a command that runs this program in another role.
pub(crate) fn this_program(role: &str) -> io::Result<Command> {
    let mut command = attached(env::current_exe()?)?;
    command.arg(role);
    Ok(command)
}

/// Runs in the child: asks the kernel for the signal and becomes the program. Returns only if that
/// fails.
pub(crate) fn attach(attached: &Attached) -> Problem {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return Box::new(io::Error::from(error));
    }
    // The parent may have died before the child asked the kernel.
    let parent = getppid().map(|parent| parent.as_raw_nonzero().get().unsigned_abs());
    if parent != Some(attached.parent) {
        return "the parent is gone".into();
    }
    let Some((program, words)) = attached.words.split_first() else {
        return "there is no program".into();
    };
    format!("{}: {}", program.display(), Command::new(program).args(words).exec()).into()
}
