//! Other users of the machine: what they have put into the folder, could have changed or have linked is never
//! a session.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use cloakroom::ManualClock;
use cloakroom::store::{FileStore, SessionStore, StoreErrorKind};

use crate::folder::{Folder, START, created, entry, key, live};

const NOBODY: u32 = 65_534;

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Opens the store again, which is refused as a misconfiguration whose text contains all of `says`.
async fn is_refused(folder: &Folder, says: &[&str]) {
    let error = folder.options().open().await.unwrap_err();
    let text = std::error::Error::source(&error).unwrap().to_string();
    let said = says.iter().all(|says| text.contains(says));
    assert!(error.kind() == StoreErrorKind::Misconfigured && said, "{:?}: {text}", error.kind());
}

/// Checks that every command on `key(1)` but a logout's delete answers `Corrupt`.
async fn is_corrupt(store: &FileStore) {
    let version = entry(1, 60, b"").commit.into();
    let new = entry(2, 60, b"");
    let kinds = [
        store.load(&key(1)).await.map(drop).unwrap_err().kind(),
        store.create(&key(1), &new).await.map(drop).unwrap_err().kind(),
        store.replace(&key(1), &version, &new).await.map(drop).unwrap_err().kind(),
        store.touch(&key(1), &version, new.deadline).await.map(drop).unwrap_err().kind(),
    ];
    assert_eq!(kinds, [StoreErrorKind::Corrupt; 4]);
}

async fn with_a_session(folder: &Folder, clock: &ManualClock) -> FileStore {
    let store = folder.open(clock).await;
    created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    store
}

#[tokio::test]
async fn a_session_that_others_may_write_is_corrupt_and_set_aside() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = with_a_session(&folder, &clock).await;
    for mode in [0o620, 0o602, 0o666] {
        allow(&folder.session(&key(1)), mode);
        is_corrupt(&store).await;
    }
    assert_eq!(store.sweep().await.unwrap().set_aside, 1);
    assert_eq!(store.load(&key(1)).await.unwrap(), None);
}

#[tokio::test]
#[ignore = "needs root"]
async fn a_session_of_another_user_is_corrupt_until_a_logout_removes_it() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = with_a_session(&folder, &clock).await;
    chown(folder.session(&key(1)), Some(NOBODY), None).unwrap();
    is_corrupt(&store).await;
    store.delete(&key(1)).await.unwrap();
    assert_eq!(store.load(&key(1)).await.unwrap(), None);
}

/// It may be a session that was replaced, kept by a second name.
#[tokio::test]
async fn a_session_with_a_foreign_hard_link_is_corrupt_as_long_as_it_has_it() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = with_a_session(&folder, &clock).await;
    let link = folder.path().join("locks/link");
    fs::hard_link(folder.session(&key(1)), &link).unwrap();
    is_corrupt(&store).await;
    assert_eq!(store.sweep().await.unwrap().set_aside, 0, "a backup may have made the link");
    fs::remove_file(&link).unwrap();
    assert_eq!(live(&store, &key(1)).await.bytes, "a coat");
}

/// A `create` that was killed leaves a second name too, which is the store's own.
#[tokio::test]
async fn a_session_that_a_killed_create_has_left_with_two_names_is_served() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = with_a_session(&folder, &clock).await;
    let hex = crate::folder::hex(key(1).as_bytes());
    let staged = folder.shard(&key(1)).join(format!(".{hex}.0000000000000001.new"));
    fs::hard_link(folder.session(&key(1)), &staged).unwrap();
    let found = live(&store, &key(1)).await;
    store.replace(&key(1), &found.version, &entry(2, 60, b"a hat")).await.unwrap();
    assert_eq!(live(&store, &key(1)).await.bytes, "a hat");
    assert!(!staged.exists());
}

#[tokio::test]
async fn a_folder_that_others_may_write_is_refused() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    allow(folder.path(), 0o770);
    is_refused(&folder, &["the folder cannot be trusted", "chmod -R go-w"]).await;
    assert_eq!(crate::folder::names(folder.path()), [""; 0], "nothing was laid out");
    allow(folder.path(), 0o755);
    let store = with_a_session(&folder, &clock).await;
    for below in ["sessions", "sessions/00", "sessions/ff", "locks", "damaged", "cloakroom-store"] {
        let path = folder.path().join(below);
        let before = fs::metadata(&path).unwrap().permissions();
        allow(&path, 0o722);
        is_refused(&folder, &[&format!("`{below}` in it cannot be trusted")]).await;
        fs::set_permissions(&path, before).unwrap();
    }
    drop(store);
    folder.open(&clock).await;
}

#[tokio::test]
#[ignore = "needs root"]
async fn a_folder_of_another_user_is_refused() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    chown(folder.path(), Some(NOBODY), None).unwrap();
    is_refused(&folder, &["the folder cannot be trusted", "another user owns it"]).await;
    chown(folder.path(), Some(0), None).unwrap();
    folder.open(&clock).await;
    for below in ["sessions", "sessions/7f", "locks", "damaged", "cloakroom-store"] {
        chown(folder.path().join(below), Some(NOBODY), None).unwrap();
        is_refused(&folder, &[&format!("`{below}` in it"), "another user owns it"]).await;
        chown(folder.path().join(below), Some(0), None).unwrap();
    }
}

#[tokio::test]
async fn a_link_in_place_of_a_folder_of_the_store_is_refused() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let elsewhere = Folder::new();
    symlink(elsewhere.path(), folder.path().join("sessions")).unwrap();
    is_refused(&folder, &["`sessions` in it", "link"]).await;
    assert_eq!(crate::folder::names(elsewhere.path()), [""; 0], "nothing was made behind the link");
    fs::remove_file(folder.path().join("sessions")).unwrap();
    folder.open(&clock).await;

    let shard = folder.path().join("sessions/01");
    fs::remove_dir(&shard).unwrap();
    symlink(elsewhere.path(), &shard).unwrap();
    is_refused(&folder, &["`sessions/01` in it", "link"]).await;
}

/// Whoever owns it could hold its lock for ever.
#[tokio::test]
async fn a_lock_file_that_others_may_write_is_an_outage() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = with_a_session(&folder, &clock).await;
    fs::write(folder.path().join("locks/01"), "").unwrap();
    allow(&folder.path().join("locks/01"), 0o666);
    assert_eq!(store.delete(&key(1)).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    allow(&folder.path().join("locks/01"), 0o600);
    store.delete(&key(1)).await.unwrap();
}
