//! Lock holders that are late: because they waited too long, or because their host was cut off.

use std::sync::Arc;
use std::time::Instant;

use super::super::lock_queue::LockAttempt;
use super::super::store::FileStore;
use super::*;
use crate::error::StoreErrorKind;
use crate::hex::Hex;
use crate::id::CommitId;
use crate::store::SessionStore;

const KEY: StoreKey = StoreKey::from_bytes([7; 32]);
/// A key of another lock.
const OTHER_KEY: StoreKey = StoreKey::from_bytes([8; 32]);

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
    match folder.locks.queues.wait(&folder.layout, key).await.try_lock() {
        Ok(LockAttempt::Acquired(lock)) => lock,
        _ => unreachable!("nobody else uses this folder"),
    }
}

/// Checks that nothing lies beside the session, returns its bytes and removes the folder.
async fn finish(store: FileStore) -> Vec<u8> {
    let layout = &store.folder().layout;
    let shard = fs::read_dir(layout.shard_path_for(&KEY)).unwrap();
    let names: Vec<_> = shard.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [&*Hex(KEY.as_bytes()).to_string()], "nothing is left beside it");
    let bytes = store.load(&KEY).await.unwrap().unwrap().bytes;
    fs::remove_dir_all(layout.root()).unwrap();
    bytes.to_vec()
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

/// A host was cut off, and another host holds its lock since. Each publishes what it has written
/// itself.
#[tokio::test]
async fn a_late_holder_does_not_publish_what_the_next_one_has_staged() {
    let store = store_with_a_session("late").await;
    let folder = &**store.folder();
    // As another process has it: with rename locks of its own.
    let foreign = Folder::new(store.options(), Arc::default(), false);
    let (now, late) = (lock(&store, &KEY).await, lock(&store, &OTHER_KEY).await);
    let now = LockedSession::new(folder, KEY, &now);
    let late = LockedSession::new(&foreign, KEY, &late);
    let found = now.entry().unwrap().unwrap();
    let reading = folder.lock_against_rename(&KEY);
    std::thread::scope(|scope| {
        let replacing = scope.spawn(|| now.replace(&found, &[2; 8], Timestamp::MAX, b"mine"));
        let shard = folder.layout.shard_path_for(&KEY);
        while fs::read_dir(&shard).unwrap().count() < 2 && !replacing.is_finished() {
            std::thread::sleep(Duration::from_millis(1));
        }
        late.replace(&found, &[3; 8], Timestamp::MAX, b"late").unwrap();
        assert_eq!(late.entry().unwrap().unwrap().0.bytes, "late");
        drop(reading);
        replacing.join().unwrap().unwrap();
    });
    assert_eq!(finish(store).await, b"mine");
}
