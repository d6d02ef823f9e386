//! Lock holders that are late: because they waited too long, or because their host was cut off.

use std::time::Instant;

use super::super::lock_queue::LockAttempt;
use super::super::store::FileStore;
use super::*;
use crate::error::StoreErrorKind;
use crate::hex::Hex;
use crate::id::CommitId;
use crate::store::SessionStore;

const KEY: StoreKey = StoreKey::from_bytes([7; 32]);

fn entry(number: u8) -> NewEntry {
    let (commit, bytes) = (CommitId::from_bytes([number; 8]), vec![number; 9]);
    NewEntry::new(commit, Timestamp::MAX, bytes)
}

async fn store_with_a_session(name: &str) -> FileStore {
    let root = std::env::temp_dir().join(format!("cloakroom-{name}-{}", std::process::id()));
    fs::create_dir(&root).unwrap();
    let store = FileStore::builder(root).sweep_every(None).open().await.unwrap();
    store.create(&KEY, &entry(1)).await.unwrap();
    store
}

async fn lock(store: &FileStore, key: &StoreKey) -> LockGuard {
    let folder = store.folder();
    let (layout, owner) = (&folder.layout, folder.file_system.owner);
    match folder.locks.queues.wait(layout, owner, key).await.try_lock() {
        Ok(LockAttempt::Acquired(lock)) => lock,
        _ => unreachable!("nobody else uses this folder"),
    }
}

/// Checks that nothing lies beside the session, returns its bytes and removes the folder.
async fn finish(store: FileStore) -> Vec<u8> {
    let layout = &store.folder().layout;
    assert_eq!(names(&store), [&*Hex(KEY.as_bytes()).to_string()], "nothing is left beside it");
    let bytes = store.load(&KEY).await.unwrap().unwrap().bytes;
    fs::remove_dir_all(layout.root()).unwrap();
    bytes.to_vec()
}

/// Lists the session's shard.
fn names(store: &FileStore) -> Vec<std::ffi::OsString> {
    let shard = fs::read_dir(store.folder().layout.shard_path_for(&KEY)).unwrap();
    shard.map(|entry| entry.unwrap().file_name()).collect()
}

/// The first rename of a write, as the server carries it out when the host has lost its lock.
fn rename_late(store: &FileStore) -> io::Result<()> {
    let layout = &store.folder().layout;
    fs::rename(layout.staged_path(&KEY), layout.successor_path(&KEY))
}

fn encoded(bytes: &[u8]) -> Vec<u8> {
    format::encode(&KEY, &[9; 8], Timestamp::MAX, bytes)
}

/// A change waits for readers first, and checks the lock's age last.
#[tokio::test]
async fn a_holder_that_waited_too_long_for_readers_changes_nothing() {
    type Change = fn(&LockedSession<'_>) -> Result<(), CommandError>;
    let replace: Change = |session| {
        let found = session.entry()?.unwrap();
        session.replace(&found, &[2; 8], Timestamp::MAX, b"late")
    };
    let store = store_with_a_session("readers").await;
    let folder = &**store.folder();
    let set_aside: Change = |session| session.set_aside().map_err(FileError::not_applied);
    for change in [replace, |session| session.remove(), set_aside] {
        let mut lock = lock(&store, &KEY).await;
        lock.trust_for(Duration::from_millis(200));
        let reading = folder.lock_against_rename(&KEY);
        let late = std::thread::scope(|scope| {
            let changing = scope.spawn(|| change(&LockedSession::new(folder, KEY, &lock)));
            let began = Instant::now();
            while lock.held_too_long().is_none() && began.elapsed() < Duration::from_secs(60) {
                std::thread::sleep(Duration::from_millis(10));
            }
            drop(reading);
            changing.join().unwrap().unwrap_err()
        });
        assert_eq!(late.kind, StoreErrorKind::Unavailable);
    }
    assert_eq!(finish(store).await, [1; 9]);
}

/// A host was cut off when it had staged its file and sent the first rename. Whatever another host does
/// to the session since, the rename finds nothing.
#[tokio::test]
async fn a_late_first_rename_finds_nothing_after_another_change() {
    type Change = fn(&LockedSession<'_>) -> Result<(), CommandError>;
    let replace: Change = |session| {
        let found = session.entry()?.unwrap();
        session.replace(&found, &[2; 8], Timestamp::MAX, b"mine")
    };
    let touch: Change = |session| {
        let (entry, links) = session.entry()?.unwrap();
        session.replace(&(entry, links), &[1; 8], Timestamp::MAX, b"mine")
    };
    let set_aside: Change = |session| session.set_aside().map_err(FileError::not_applied);
    let changes = [replace, touch, |session| session.remove(), set_aside];
    for (number, change) in changes.into_iter().enumerate() {
        let store = store_with_a_session(&format!("late-{number}")).await;
        let lock = lock(&store, &KEY).await;
        let session = LockedSession::new(store.folder(), KEY, &lock);
        session.stage(&encoded(b"late")).unwrap();

        change(&session).unwrap();
        assert!(is_absent(&rename_late(&store).unwrap_err()), "{number}");
        drop(lock);
        match store.load(&KEY).await.unwrap() {
            Some(entry) => assert_eq!((number < 2, &entry.bytes[..]), (true, &b"mine"[..])),
            None => assert_eq!((number >= 2, names(&store).len()), (true, 0), "it came back"),
        }
        fs::remove_dir_all(store.folder().layout.root()).unwrap();
    }
}

#[tokio::test]
async fn a_late_first_rename_finds_nothing_between_the_last_steps_of_another_write() {
    let store = store_with_a_session("between").await;
    let held = lock(&store, &KEY).await;
    let session = LockedSession::new(store.folder(), KEY, &held);
    session.stage(&encoded(b"late")).unwrap();
    session.stage(&encoded(b"mine")).unwrap();
    session.make_successor(None).unwrap();
    assert!(is_absent(&rename_late(&store).unwrap_err()));
    session.publish().unwrap();
    drop(held);
    assert_eq!(finish(store).await, b"mine");
}

/// It makes the other's file the successor, which is never published: the session is there.
#[tokio::test]
async fn a_write_whose_staged_file_a_late_rename_takes_changes_nothing() {
    let store = store_with_a_session("taken").await;
    let held = lock(&store, &KEY).await;
    let session = LockedSession::new(store.folder(), KEY, &held);
    session.stage(&encoded(b"mine")).unwrap();
    rename_late(&store).unwrap();
    session.make_successor(None).unwrap_err();
    drop(held);
    assert_eq!(finish(store).await, [1; 9]);
}

/// The host goes on after its lock was given away. It neither writes nor removes what may be another's.
#[tokio::test]
async fn a_host_that_has_lost_its_lock_leaves_the_staged_file_alone() {
    let store = store_with_a_session("lost").await;
    let mut held = lock(&store, &KEY).await;
    LockedSession::new(store.folder(), KEY, &held).stage(&encoded(b"mine")).unwrap();
    held.trust_for(Duration::ZERO);
    let late = LockedSession::new(store.folder(), KEY, &held);
    let staged = store.folder().layout.staged_path(&KEY);

    assert!(matches!(late.stage(b"late"), Err(FileError::LockHeldTooLong(_))));
    assert!(matches!(late.make_successor(None), Err(FileError::LockHeldTooLong(_))));
    assert_eq!(fs::read(&staged).unwrap(), encoded(b"mine"));
    // If the CREATE itself comes late, it makes an empty file.
    fs::remove_file(&staged).unwrap();
    assert!(matches!(late.stage(b"late"), Err(FileError::LockHeldTooLong(_))));
    assert_eq!(fs::read(&staged).unwrap(), b"");

    held.trust_for(Duration::from_secs(60));
    let session = LockedSession::new(store.folder(), KEY, &held);
    let found = session.entry().unwrap().unwrap();
    session.replace(&found, &[2; 8], Timestamp::MAX, b"next").unwrap();
    drop(held);
    assert_eq!(finish(store).await, b"next");
}

/// Otherwise the next command would take the leftover for an interrupted write and bring it back.
#[tokio::test]
async fn a_session_that_is_set_aside_leaves_no_successor() {
    let store = store_with_a_session("aside").await;
    let held = lock(&store, &KEY).await;
    fs::write(store.folder().layout.successor_path(&KEY), encoded(b"old")).unwrap();
    LockedSession::new(store.folder(), KEY, &held).set_aside().unwrap();
    drop(held);
    assert_eq!(store.load(&KEY).await.unwrap(), None);
    fs::remove_dir_all(store.folder().layout.root()).unwrap();
}

/// Any one request of a host that was cut off, carried out at any time during another host's write and
/// after its delete: what was acknowledged stays, and what was deleted stays away.
#[tokio::test]
async fn no_late_request_undoes_what_was_acknowledged_since() {
    type Late = fn(&FileStore);
    let late: [Late; 5] = [
        |store| drop(create_new(&store.folder().layout.staged_path(&KEY))),
        |store| drop(fs::remove_file(store.folder().layout.staged_path(&KEY))),
        |store| drop(rename_late(store)),
        |store| {
            let layout = &store.folder().layout;
            drop(fs::rename(layout.successor_path(&KEY), layout.session_path(&KEY)));
        },
        |store| drop(fs::remove_file(store.folder().layout.successor_path(&KEY))),
    ];
    let store = store_with_a_session("requests").await;
    for (number, late) in late.into_iter().enumerate() {
        for gap in 0..4 {
            // The host had come as far as to have both files.
            let layout = &store.folder().layout;
            for path in [layout.staged_path(&KEY), layout.successor_path(&KEY)] {
                fs::write(path, encoded(b"late")).unwrap();
            }
            let acknowledged = write_with(&store, |now| {
                if now == gap {
                    late(&store)
                }
            })
            .await;
            let found = store.load(&KEY).await.unwrap().expect("the session is there").bytes;
            match acknowledged {
                true => assert_eq!(found, "mine", "request {number} in gap {gap}"),
                false => assert!(found == vec![1; 9] || found == "mine", "{number} {gap}"),
            }
            store.delete(&KEY).await.unwrap();
            late(&store);
            assert_eq!(store.load(&KEY).await.unwrap(), None, "request {number} after a delete");
            store.create(&KEY, &entry(1)).await.unwrap();
        }
    }
    fs::remove_dir_all(store.folder().layout.root()).unwrap();
}

/// Replaces the session step by step, and returns whether that is acknowledged.
async fn write_with(store: &FileStore, before_step: impl Fn(u8)) -> bool {
    let held = lock(store, &KEY).await;
    let session = LockedSession::new(store.folder(), KEY, &held);
    before_step(0);
    let staged = session.stage(&encoded(b"mine"));
    before_step(1);
    let ready = staged.and_then(|()| session.make_successor(None));
    before_step(2);
    let published = ready.and_then(|()| session.publish());
    before_step(3);
    published.is_ok()
}
