//! Stale file handles. On NFS they appear when a file is replaced between two steps of a reader, which no
//! test can time. Here `strace` makes the system calls return the errors.

use std::path::Path;
use std::process::Command;

use cloakroom::ManualClock;
use cloakroom::store::{FileStore, SessionStore};
use rustix::fs::FlockOperation;

use crate::child::{play, program};
use crate::folder::{Folder, START, created, entry, key};

/// The child: loads a session, touches it, and checks whether the lock was released.
pub(crate) async fn load_and_touch(root: &Path) {
    let clock = ManualClock::at(START);
    let store = FileStore::builder(root).sweep_every(None).clock(clock).open().await.unwrap();
    let version = created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    match store.load(&key(1)).await {
        Ok(found) => assert_eq!(found.unwrap().bytes, "a coat"),
        Err(error) => println!("load: {:?}", error.kind()),
    }
    let later = entry(0, 90, b"").deadline;
    println!("touch: {:?}", store.touch(&key(1), &version, later).await.map_err(|e| e.kind()));
    let lock = std::fs::File::open(root.join("locks/01")).unwrap();
    // `strace` counts the calls of each thread, so it may inject its error into this call too. Such an
    // answer does not say that the lock is held.
    let tried = rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive);
    if tried == Err(rustix::io::Errno::WOULDBLOCK) {
        println!("lock: held");
    }
}

/// Returns what the child prints when this system call on this file fails.
fn with(
    call: &str,
    error: &str,
    when: &str,
    file: impl Fn(&Folder) -> std::path::PathBuf,
) -> String {
    let folder = Folder::new();
    let mut command = Command::new("strace");
    command.args(["--follow-forks", "-qq", "-o", "/dev/null", "-e"]).arg(format!("trace={call}"));
    command.arg("-e").arg(format!("inject={call}:error={error}:when={when}"));
    command.arg("-P").arg(file(&folder)).arg(program());
    play(&mut command, "stale", folder.path());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    let lines = said.lines().filter_map(|line| {
        let at = ["load: ", "touch: ", "lock: "].iter().find_map(|what| line.find(what));
        at.map(|at| line[at..].to_owned())
    });
    lines.collect::<Vec<_>>().join(", ")
}

#[test]
#[ignore = "needs strace"]
fn a_session_whose_handle_is_stale_is_opened_again() {
    let session = |folder: &Folder| folder.session(&key(1));
    for (call, error) in
        [("openat", "ESTALE"), ("statx", "ESTALE"), ("read", "ESTALE"), ("read", "EBADF")]
    {
        // The read without the lock, and two of the three attempts with it.
        for when in ["1", "1..3"] {
            assert_eq!(
                with(call, error, when, session),
                "touch: Ok(Done)",
                "{call} {error} {when}"
            );
        }
    }
    // If the handle stays stale it is an outage, and nothing is changed.
    let said = with("read", "ESTALE", "1+", session);
    assert_eq!(said, "load: Unavailable, touch: Err(Unavailable)");
}

#[test]
#[ignore = "needs strace"]
fn a_lock_file_whose_handle_is_stale_is_opened_again_once() {
    let lock = |folder: &Folder| folder.path().join("locks/01");
    for error in ["ESTALE", "EIO", "EBADF"] {
        assert_eq!(with("flock", error, "1", lock), "touch: Ok(Done)", "{error}");
    }
    assert_eq!(with("flock", "ESTALE", "1..2", lock), "touch: Err(Unavailable)");
}

/// The process takes the lock and cannot find out whether the lock file still has its name. It gives up and
/// must release the lock.
#[test]
#[ignore = "needs strace"]
fn a_lock_whose_file_cannot_be_checked_is_released() {
    let lock = |folder: &Folder| folder.path().join("locks/01");
    // Each attempt calls `statx` twice: on the file that it has opened, and on the name.
    assert_eq!(with("statx", "EIO", "2..4+2", lock), "touch: Err(Unavailable)");
}
