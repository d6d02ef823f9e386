//! Finds and runs the programs of PostgreSQL.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use super::account::under_account;

/// Returns the path of a program of the newest release on this machine.
pub(super) fn program(name: &str) -> PathBuf {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let releases = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let number = |path: &Path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.and_then(|name| name.parse::<u32>().ok()).unwrap_or_default()
        };
        let folders = releases.map(|entry| entry.path());
        let folders = folders.filter(|folder| folder.join("bin/postgres").exists());
        let newest = folders.max_by_key(|folder| number(folder));
        newest.expect("PostgreSQL is missing: scripts/install-tools").join("bin")
    });
    FOLDER.join(name)
}

/// Runs a program under the servers' account, in `/`, and returns its output.
#[track_caller]
pub(super) fn run(name: &str, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> String {
    let words = std::iter::once(program(name).into()).chain(arguments.into_iter().map(Into::into));
    let words = under_account(words);
    let output = Command::new(&words[0]).args(&words[1..]).current_dir("/").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {errors}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
