//! The account that servers run under.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// Returns the account for servers if this process is root, which PostgreSQL and pgbouncer refuse to be.
fn account() -> Option<&'static str> {
    let is_root = numbers("/proc/self/status").is_some_and(|effective| effective == 0);
    let exists = |name: &str| {
        Command::new("id").arg(name).output().is_ok_and(|output| output.status.success())
    };
    is_root.then(|| if exists("postgres") { "postgres" } else { "nobody" })
}

fn numbers(status: &str) -> Option<u32> {
    let status = std::fs::read_to_string(status).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Returns the words that run a program under the account. The kernel forgets the signal for the death of
/// the parent when the user changes, so it is set again after that.
pub(super) fn under_account(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let Some(account) = account() else { return words.into_iter().collect() };
    let group = match account {
        "nobody" => "--regid=65534".to_owned(),
        name => format!("--regid={name}"),
    };
    let user = format!("--reuid={account}");
    let begin = ["setpriv", &user, &group, "--clear-groups", "--"];
    let again = ["setpriv", "--pdeathsig", "QUIT", "--"];
    begin.iter().chain(&again).map(OsString::from).chain(words).collect()
}

/// Gives a file or a folder to the account.
pub(super) fn give(path: &Path) {
    let Some(account) = account() else { return };
    let status = Command::new("chown").args(["-R", account]).arg(path).status();
    assert!(status.unwrap().success());
}
