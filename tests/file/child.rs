//! Runs this test program as a child process that can be killed, traced or run as another user.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::folder::Folder;

const PART: &str = "CLOAKROOM_TEST_PART";
const ROOT: &str = "CLOAKROOM_TEST_ROOT";

/// Runs the part that the environment names. Without such a variable this is not a child, and the test
/// passes at once.
#[test]
fn part() {
    let Ok(part) = std::env::var(PART) else { return };
    let root = PathBuf::from(std::env::var(ROOT).unwrap());
    // `strace` counts the calls of each thread separately.
    let threads = if part == "stale" { 1 } else { 512 };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.enable_all().max_blocking_threads(threads).build().unwrap().block_on(async {
        match part.as_str() {
            "permissions" => crate::environment::permissions(&root).await,
            "read_only" => crate::environment::read_only(&root).await,
            "full" => crate::environment::full(&root).await,
            "write" => crate::killed::write_until_killed(&root).await,
            "busy" => crate::turns::keep_a_session_busy(&root).await,
            "hold" => crate::killed::hold_a_lock(&root).await,
            "stale" => crate::stale::load_and_touch(&root).await,
            "trace" => crate::syscalls::each_command_once(&root).await,
            other => panic!("no part {other}"),
        }
    });
}

/// Adds the arguments that make this program run a part. The command must end with this program.
pub(crate) fn play(command: &mut Command, part: &str, root: &Path) {
    command.args(["child::part", "--exact", "--nocapture", "--test-threads=1"]);
    command.env(PART, part).env(ROOT, root).stdin(Stdio::null());
}

pub(crate) fn program() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// Plays a part as a user other than root, for whom permissions count.
pub(crate) fn unprivileged(part: &str) {
    let folder = Folder::new();
    let is_root = std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| status.lines().any(|line| line.starts_with("Uid:\t0\t")));
    let program = if is_root { given_to_nobody(&folder) } else { program() };
    let mut command = if is_root { setpriv(&program) } else { Command::new(program) };
    play(&mut command, part, &folder.path().join("root"));
    std::fs::create_dir_all(folder.path().join("root")).unwrap();
    if is_root {
        std::os::unix::fs::chown(folder.path().join("root"), Some(65_534), Some(65_534)).unwrap();
    }
    succeeds(&mut command);
}

/// Copies this program to a place where the user `nobody` can run it. The build folder may be closed to
/// that user.
fn given_to_nobody(folder: &Folder) -> PathBuf {
    let copy = folder.path().join("program");
    std::fs::copy(program(), &copy).unwrap();
    copy
}

fn setpriv(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
    command
}

/// Plays a part in a mount namespace with a small file system of its own.
pub(crate) fn on_a_file_system_of_its_own(part: &str, options: &str) {
    let folder = Folder::new();
    let mount = r#"mount -t tmpfs -o "$0" tmpfs "$1" && shift && exec "$@""#;
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", mount, options]);
    command.arg(folder.path()).arg(program());
    play(&mut command, part, folder.path());
    succeeds(&mut command);
}

pub(crate) fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let passed = text.contains("1 passed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && passed, "{text}\n{errors}");
}
