//! Runs this test program as a child process: another process on the same database, one that is killed or
//! traced, one of another user, one with a file system of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use cloakroom_testing::processes::Folder;

const PART: &str = "CLOAKROOM_TEST_PART";
const ROOT: &str = "CLOAKROOM_TEST_ROOT";

/// Runs the part that the environment names. Without such a variable this is not a child, and the test
/// passes at once.
#[test]
fn part() {
    let Ok(part) = std::env::var(PART) else { return };
    let root = PathBuf::from(std::env::var(ROOT).unwrap());
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        match part.as_str() {
            "count" => crate::several::count(&root).await,
            "update" => crate::several::update_all(&root).await,
            "destroy" => crate::several::destroy_all(&root).await,
            "busy" => crate::several::write_without_pause(&root).await,
            "hold" => crate::waiting::hold_the_lock(&root),
            "write" => crate::killed::write_until_killed(&root).await,
            "permissions" => crate::refusals::permissions(&root).await,
            "read_only" => crate::refusals::read_only(&root).await,
            "full" => crate::full::full(&root).await,
            "create" => crate::injected::create_each(&root).await,
            "trace" => crate::syscalls::each_command(&root).await,
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

/// A child whose lines are read. It is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn start(part: &str, root: &Path) -> Self {
        let mut command = Command::new(program());
        play(&mut command, part, root);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Returns the text after `word` in the next line that has it, or `None` at the end of the output.
    pub(crate) fn next(&mut self, word: &str) -> Option<String> {
        loop {
            let mut line = String::new();
            // A last line that was cut by a kill does not count.
            if self.lines.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
                return None;
            }
            if let Some((_, rest)) = line.split_once(word) {
                return Some(rest.trim().to_owned());
            }
        }
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end of the child, which must have passed.
    pub(crate) fn passes(mut self) {
        while self.next("\n").is_some() {}
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Plays a part as a user other than root, for whom permissions count.
pub(crate) fn unprivileged(part: &str) {
    let folder = Folder::new();
    let root = folder.join("root");
    std::fs::create_dir(&root).unwrap();
    let is_root = std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| status.lines().any(|line| line.starts_with("Uid:\t0\t")));
    let mut command = if is_root {
        std::os::unix::fs::chown(&root, Some(65_534), Some(65_534)).unwrap();
        // The build folder may be closed to that user.
        let copy = folder.join("program");
        std::fs::copy(program(), &copy).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(copy);
        command
    } else {
        Command::new(program())
    };
    play(&mut command, part, &root);
    succeeds(&mut command);
}

/// Plays a part in a mount namespace with a small file system of its own.
pub(crate) fn on_a_file_system_of_its_own(part: &str, options: &str) {
    let folder = Folder::new();
    let root = folder.join("root");
    std::fs::create_dir(&root).unwrap();
    let mount = r#"mount -t tmpfs -o "$0" tmpfs "$1" && shift && exec "$@""#;
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", mount, options]);
    command.arg(&root).arg(program());
    play(&mut command, part, &root);
    succeeds(&mut command);
}

pub(crate) fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let passed = text.contains("1 passed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && passed, "{text}\n{errors}");
}
