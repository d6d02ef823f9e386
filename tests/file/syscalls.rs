//! The system calls of each command, as `strace` reports them. On NFS most of them are a request to the
//! server.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use cloakroom::ManualClock;
use cloakroom::store::{FileStore, SessionStore};

use crate::child::{play, program, succeeds};
use crate::folder::{Folder, START, created, entry, key};

/// The child. Before each command it looks for a file whose name tells which command follows.
pub(crate) async fn each_command_once(root: &Path) {
    let clock = ManualClock::at(START);
    let store = FileStore::builder(root).sweep_every(None).clock(clock).open().await.unwrap();
    // Opens the lock file, which then stays open.
    store.delete(&key(1)).await.unwrap();
    let say = |command: &str| drop(std::fs::metadata(format!("/next/{command}")));
    say("create");
    let version = created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    say("load");
    store.load(&key(1)).await.unwrap().unwrap();
    say("replace");
    let new = entry(2, 60, b"a hat");
    store.replace(&key(1), &version, &new).await.unwrap();
    say("conflict");
    store.replace(&key(1), &version, &new).await.unwrap();
    say("touch");
    store.touch(&key(1), &new.commit.into(), entry(0, 90, b"").deadline).await.unwrap();
    say("delete");
    store.delete(&key(1)).await.unwrap();
    say("miss");
    assert!(store.load(&key(1)).await.unwrap().is_none());
    say("end");
}

/// Returns the calls on files, by command. Leaves out `futex` and other calls of the runtime.
fn traced() -> BTreeMap<String, Vec<String>> {
    let folder = Folder::new();
    let log = folder.path().join("strace");
    let root = folder.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let mut command = Command::new("strace");
    command.args(["--follow-forks", "--seccomp-bpf", "-qq", "-e", "signal=none", "-e"]);
    command.arg("trace=%file,%desc").arg("-o").arg(&log).arg(program());
    play(&mut command, "trace", &root);
    succeeds(&mut command);
    let log = std::fs::read_to_string(log).unwrap();
    let mut commands = BTreeMap::<_, Vec<String>>::new();
    let mut current = None;
    for line in log.lines() {
        let call = line.split_once(' ').map_or("", |(_, call)| call.trim_start());
        if let Some((_, name)) = line.split_once("/next/") {
            current = Some(name.split('"').next().unwrap().to_owned());
        } else if let Some(current) = &current
            && !call.starts_with('<')
        {
            let name = call.split('(').next().unwrap();
            // An unoptimised build checks a descriptor with `fcntl` before it closes it.
            let runtime = ["epoll", "eventfd", "fcntl", "mmap", "munmap", "mprotect"];
            let wakes = call.contains(r#""\1\0\0\0\0\0\0\0""#);
            if !wakes && !runtime.iter().any(|known| name.starts_with(known)) {
                commands.entry(current.clone()).or_default().push(name.to_owned());
            }
        }
    }
    commands
}

#[test]
#[ignore = "needs strace"]
fn each_command_makes_the_documented_system_calls() {
    let commands = traced();
    let check = |command: &str, calls: &str| {
        let calls: Vec<_> = calls.split_whitespace().collect();
        assert_eq!(commands[command], calls, "{command}");
    };
    // On NFS the answer to the open has brought the attributes that statx returns.
    let read = "openat statx read close";
    // The second checks whether the lock file still has its name.
    let lock = "flock statx";
    let refresh = "openat close";
    // The file and, on a local disk, its folder are synchronised.
    let durable = "openat fsync close";
    let publish = format!("openat write fsync close rename rename {durable}");
    check("load", read);
    check("create", &format!("openat write fsync close linkat unlink {durable}"));
    check("replace", &format!("{lock} {refresh} {read} {publish} flock"));
    check("conflict", &format!("{lock} {refresh} {read} flock"));
    check("touch", &format!("{lock} {refresh} {read} {publish} flock"));
    // The staged file and the successor are removed before the session.
    check("delete", &format!("{lock} {refresh} {read} unlink unlink unlink {durable} flock"));
    // The second open looks for the session, the third for a successor.
    check("miss", &format!("openat {lock} {refresh} openat openat flock"));
}
