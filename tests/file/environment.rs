//! Folders with the wrong contents, without space or without permissions: a clear error when the store is
//! opened, and later an outage that loses nothing.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use cloakroom::ManualClock;
use cloakroom::store::{FileStore, Replaced, SessionStore, StoreError, StoreErrorKind, Touched};

use crate::folder::{Folder, START, created, entry, key, live, names};

async fn refused(path: &Path) -> StoreError {
    FileStore::open(path).await.unwrap_err()
}

/// Checks the kind, and that the text names a folder and contains `says`.
fn is(error: &StoreError, kind: StoreErrorKind, says: &str) {
    let text = std::error::Error::source(error).unwrap().to_string();
    let named = text.starts_with("session folder /");
    assert!(error.kind() == kind && named && text.contains(says), "{:?}: {text}", error.kind());
}

#[tokio::test]
async fn a_folder_is_laid_out_once_and_readable_by_its_owner_only() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let first = folder.open(&clock).await;
    created(&first, &key(1), &entry(1, 60, b"a coat")).await;
    let second = folder.open(&clock).await;
    assert_eq!(live(&second, &key(1)).await.bytes, "a coat");
    assert_eq!(names(folder.path()), ["cloakroom-store", "damaged", "locks", "sessions"]);
    assert_eq!(names(&folder.path().join("sessions")).len(), 256);
    for below in ["sessions", "sessions/00", "sessions/ff", "locks", "damaged"] {
        let mode = fs::metadata(folder.path().join(below)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700, "{below}");
    }
    assert_eq!(fs::metadata(folder.session(&key(1))).unwrap().mode() & 0o777, 0o600);
    assert_eq!(folder.beside(&key(1)).len(), 1, "no other file is left in the shard");
}

#[tokio::test]
async fn many_servers_can_lay_out_a_folder_at_once() {
    let folder = Folder::new();
    let opening: Vec<_> = (0..16).map(|_| tokio::spawn(folder.options().open())).collect();
    for opened in opening {
        opened.await.unwrap().unwrap();
    }
    assert_eq!(names(folder.path()), ["cloakroom-store", "damaged", "locks", "sessions"]);
    assert_eq!(names(&folder.path().join("sessions/00")), [""; 0], "the probe's files are removed");
}

#[tokio::test]
async fn a_missing_folder_is_refused_and_not_created() {
    let folder = Folder::new();
    let missing = folder.path().join("efs");
    is(&refused(&missing).await, StoreErrorKind::Misconfigured, "Is the file system mounted?");
    assert!(!missing.exists());
}

#[tokio::test]
async fn a_file_in_place_of_the_folder_is_refused() {
    let folder = Folder::new();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    is(&refused(&file).await, StoreErrorKind::Misconfigured, "is not a folder");
    is(&refused(&file.join("below")).await, StoreErrorKind::Misconfigured, "find the store's");
}

#[tokio::test]
async fn a_folder_with_other_files_is_refused_and_left_alone() {
    let folder = Folder::new();
    fs::write(folder.path().join("thesis.tex"), "").unwrap();
    is(&refused(folder.path()).await, StoreErrorKind::Misconfigured, "holds other files");
    assert_eq!(names(folder.path()), ["thesis.tex"]);
}

#[tokio::test]
async fn a_fresh_file_system_is_accepted_as_an_empty_folder() {
    let folder = Folder::new();
    fs::create_dir(folder.path().join("lost+found")).unwrap();
    fs::write(folder.path().join(".nfs0000000000a4f300000001"), "").unwrap();
    FileStore::open(folder.path()).await.unwrap();
}

#[tokio::test]
async fn an_unknown_layout_is_refused() {
    let folder = Folder::new();
    FileStore::open(folder.path()).await.unwrap();
    let marker = folder.path().join("cloakroom-store");
    fs::write(&marker, "cloakroom layout 2\n").unwrap();
    is(&refused(folder.path()).await, StoreErrorKind::Misconfigured, "newer");
    fs::write(&marker, "my keys").unwrap();
    is(&refused(folder.path()).await, StoreErrorKind::Misconfigured, "not a session store");
}

#[tokio::test]
async fn a_layout_that_was_interrupted_is_completed() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    fs::create_dir_all(folder.path().join("sessions/00")).unwrap();
    fs::write(folder.path().join(".cloakroom-store.0011223344556677"), "cloak").unwrap();
    let store = folder.open(&clock).await;
    created(&store, &key(0xff), &entry(1, 60, b"")).await;
}

/// A missing folder must not be taken for a missing session.
#[tokio::test]
async fn a_removed_folder_is_an_outage_until_it_is_back() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = folder.open(&clock).await;
    let version = created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    let (sessions, away) = (folder.path().join("sessions"), folder.path().join("away"));
    fs::rename(&sessions, &away).unwrap();

    let kinds = [
        store.load(&key(1)).await.map(drop).unwrap_err(),
        store.create(&key(2), &entry(2, 60, b"")).await.map(drop).unwrap_err(),
        store.replace(&key(1), &version, &entry(3, 60, b"")).await.map(drop).unwrap_err(),
        store.touch(&key(1), &version, START).await.map(drop).unwrap_err(),
        store.delete(&key(1)).await.unwrap_err(),
    ]
    .map(|error| error.kind());
    assert_eq!(kinds, [StoreErrorKind::Unavailable; 5]);

    fs::rename(&away, &sessions).unwrap();
    assert_eq!(live(&store, &key(1)).await.version, version);
    let replaced = store.replace(&key(1), &version, &entry(4, 60, b"changed")).await.unwrap();
    assert!(matches!(replaced, Replaced::Done(_)));
}

/// The folder of the lock files is removed and comes back empty.
#[tokio::test]
async fn removed_lock_files_are_created_again() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = folder.open(&clock).await;
    created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    fs::remove_dir_all(folder.path().join("locks")).unwrap();
    assert_eq!(store.delete(&key(1)).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    assert_eq!(live(&store, &key(1)).await.bytes, "a coat");
    fs::create_dir(folder.path().join("locks")).unwrap();
    store.delete(&key(1)).await.unwrap();
}

/// Lock files are old and empty, and clean-up jobs remove such files. A process that has one open must not
/// go on using it, because the next process creates another.
#[tokio::test]
async fn a_lock_file_that_lost_its_name_while_open_is_not_used() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let options = folder.options().clock(clock).command_timeout(Duration::from_millis(200));
    let store = options.open().await.unwrap();
    let version = created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    assert_eq!(store.touch(&key(1), &version, START).await.unwrap(), Touched::Skipped);

    fs::remove_file(folder.path().join("locks/01")).unwrap();
    let others = folder.lock(&key(1));
    assert_eq!(store.delete(&key(1)).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    drop(others);
    // Now another file takes its name.
    fs::write(folder.path().join("locks/copy"), "").unwrap();
    fs::rename(folder.path().join("locks/copy"), folder.path().join("locks/01")).unwrap();
    let others = folder.lock(&key(1));
    assert_eq!(store.delete(&key(1)).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    drop(others);
    store.delete(&key(1)).await.unwrap();
}

/// Otherwise a file outside of the folder would be created and locked.
#[tokio::test]
async fn a_symbolic_link_in_place_of_a_lock_file_is_not_followed() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = folder.open(&clock).await;
    let elsewhere = folder.path().join("elsewhere");
    symlink(&elsewhere, folder.path().join("locks/01")).unwrap();
    assert_eq!(store.delete(&key(1)).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    assert!(!elsewhere.exists());
}

/// No link is followed out of the folder, and opening a pipe does not block.
#[tokio::test]
async fn a_folder_a_link_or_a_pipe_is_never_taken_for_a_session() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = folder.open(&clock).await;
    fs::create_dir(folder.session(&key(1))).unwrap();
    assert_eq!(store.load(&key(1)).await.unwrap_err().kind(), StoreErrorKind::Corrupt);

    created(&store, &key(2), &entry(1, 60, b"a coat")).await;
    fs::rename(folder.session(&key(2)), folder.path().join("elsewhere")).unwrap();
    symlink(folder.path().join("elsewhere"), folder.session(&key(2))).unwrap();
    assert_eq!(store.load(&key(2)).await.unwrap_err().kind(), StoreErrorKind::Corrupt);
    store.delete(&key(2)).await.unwrap();
    assert!(folder.path().join("elsewhere").exists(), "the link was removed and not its target");

    let status = std::process::Command::new("mkfifo").arg(folder.session(&key(4))).status();
    assert!(status.unwrap().success());
    assert_eq!(store.load(&key(4)).await.unwrap_err().kind(), StoreErrorKind::Corrupt);
}

/// Runs as another user than root, for whom permissions count.
#[tokio::test]
#[ignore = "needs a user other than root, or setpriv"]
async fn a_missing_permission_is_denied_at_open_and_an_outage_later() {
    crate::child::unprivileged("permissions");
}

pub(crate) async fn permissions(root: &Path) {
    let clock = ManualClock::at(START);
    let options = || FileStore::builder(root).sweep_every(None).clock(clock.clone());
    let allow = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    allow(root, 0o500);
    is(&options().open().await.unwrap_err(), StoreErrorKind::Denied, "make a file");
    allow(root, 0o700);
    let store = options().open().await.unwrap();
    let version = created(&store, &key(1), &entry(1, 60, b"a coat")).await;

    let shard = crate::folder::session(root, &key(1)).parent().unwrap().to_owned();
    allow(&shard, 0o500);
    let error = store.replace(&key(1), &version, &entry(2, 60, b"new")).await.unwrap_err();
    is(&error, StoreErrorKind::Unavailable, "stage a session");
    assert_eq!(live(&store, &key(1)).await.bytes, "a coat");
    allow(&shard, 0);
    is(&store.load(&key(1)).await.unwrap_err(), StoreErrorKind::Unavailable, "read a session");
    allow(&shard, 0o700);
    assert_eq!(live(&store, &key(1)).await.bytes, "a coat");
}

#[test]
#[ignore = "needs the right to mount a file system (root, or user namespaces)"]
fn a_read_only_mount_is_refused_at_open_and_an_outage_later() {
    crate::child::on_a_file_system_of_its_own("read_only", "size=4m,mode=700");
}

pub(crate) async fn read_only(root: &Path) {
    let clock = ManualClock::at(START);
    let options = || FileStore::builder(root).sweep_every(None).clock(clock.clone());
    let store = options().open().await.unwrap();
    let version = created(&store, &key(1), &entry(1, 60, b"a coat")).await;

    remount(root, "ro");
    let errors = [
        store.create(&key(2), &entry(2, 60, b"")).await.map(drop).unwrap_err(),
        store.replace(&key(1), &version, &entry(3, 60, b"new")).await.map(drop).unwrap_err(),
    ];
    assert_eq!(errors.map(|error| error.kind()), [StoreErrorKind::Unavailable; 2]);
    assert_eq!(live(&store, &key(1)).await.bytes, "a coat");
    is(&options().open().await.unwrap_err(), StoreErrorKind::Misconfigured, "make a file");

    remount(root, "rw");
    let replaced = store.replace(&key(1), &version, &entry(4, 60, b"new")).await.unwrap();
    assert!(matches!(replaced, Replaced::Done(_)));
}

fn remount(root: &Path, how: &str) {
    let mut mount = std::process::Command::new("mount");
    let status = mount.args(["-o", &format!("remount,{how}")]).arg(root).status().unwrap();
    assert!(status.success(), "remount {how}");
}

#[test]
#[ignore = "needs the right to mount a file system (root, or user namespaces)"]
fn a_full_disk_refuses_writes_and_loses_nothing() {
    crate::child::on_a_file_system_of_its_own("full", "size=1m,mode=700");
}

pub(crate) async fn full(root: &Path) {
    let clock = ManualClock::at(START);
    let options = || FileStore::builder(root).sweep_every(None).clock(clock.clone());
    let store = options().open().await.unwrap();
    let version = created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    let filler = root.join("sessions/00/filler");
    let mut bytes = 1 << 20;
    while bytes > 0 {
        bytes = if fs::write(&filler, vec![0; bytes]).is_ok() { 0 } else { bytes / 2 };
    }
    fs::write(root.join("locks/filler"), vec![0; 1 << 20]).unwrap_err();

    for number in 2..10 {
        let error = store.create(&key(number), &entry(9, 60, &[0; 9_000])).await.unwrap_err();
        is(&error, StoreErrorKind::Unavailable, "write a session");
    }
    let large = entry(10, 60, &[0; 9_000]);
    let error = store.replace(&key(1), &version, &large).await.unwrap_err();
    is(&error, StoreErrorKind::Unavailable, "write a session");
    assert_eq!(live(&store, &key(1)).await.bytes, "a coat");
    assert!(options().open().await.is_err_and(|error| error.kind() == StoreErrorKind::Unavailable));

    fs::remove_file(&filler).unwrap();
    fs::remove_file(root.join("locks/filler")).unwrap();
    let replaced = store.replace(&key(1), &version, &large).await.unwrap();
    assert!(matches!(replaced, Replaced::Done(_)));
    let shard = crate::folder::session(root, &key(2)).parent().unwrap().to_owned();
    assert_eq!(names(&shard), [""; 0], "the part that was written is removed");
}
