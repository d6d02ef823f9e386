//! Holders that come late: of their own accord, or cut off.

use std::sync::Arc;
use std::time::Instant;

use super::super::FileStore;
use super::super::lock::Tried;
use super::*;
use crate::error::StoreErrorKind;
use crate::hex::Hex;
use crate::id::CommitId;
use crate::store::SessionStore;

const KEY: StoreKey = StoreKey::from_bytes([7; 32]);
const ELSEWHERE: StoreKey = StoreKey::from_bytes([8; 32]);

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

async fn held(store: &FileStore, key: &StoreKey) -> Held {
    let files = &store.shared.files;
    match files.siblings.lines.turn(&files.layout, key).await.try_hold() {
        Ok(Tried::Held(held)) => held,
        _ => unreachable!("nobody else is here"),
    }
}

/// The session's bytes; then the folder goes.
async fn left(store: FileStore) -> Vec<u8> {
    let layout = &store.shared.files.layout;
    let beside = fs::read_dir(layout.shard_of(&KEY)).unwrap();
    let names: Vec<_> = beside.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [&*Hex(KEY.as_bytes()).to_string()], "nothing is left beside it");
    let bytes = store.load(&KEY).await.unwrap().unwrap().bytes;
    fs::remove_dir_all(layout.root()).unwrap();
    bytes.to_vec()
}

/// The wait for readers comes before the last look at the lock.
#[tokio::test]
async fn who_waited_too_long_for_readers_changes_nothing() {
    type Change = fn(&Locked<'_>) -> Result<(), StoreError>;
    let replace: Change = |session| {
        let found = session.entry()?.unwrap();
        session.replace(&found, &[2; 8], Timestamp::MAX, b"late")
    };
    let store = store_with_a_session("readers").await;
    let files = &*store.shared.files;
    let set_aside: Change = |session| session.set_aside().map_err(FileError::unavailable);
    for change in [replace, |session| session.remove(), set_aside] {
        let mut held = held(&store, &KEY).await;
        held.trust_for(Duration::from_millis(200));
        let reading = files.reading(&KEY);
        let late = std::thread::scope(|scope| {
            let changing = scope.spawn(|| change(&Locked::new(files, KEY, &held)));
            let began = Instant::now();
            while held.overdue().is_none() && began.elapsed() < Duration::from_secs(60) {
                std::thread::sleep(Duration::from_millis(10));
            }
            drop(reading);
            changing.join().unwrap().unwrap_err()
        });
        assert_eq!(late.kind(), StoreErrorKind::Unavailable);
    }
    assert_eq!(left(store).await, [1; 9]);
}

/// A host that was cut off, and whose lock another has since: each publishes what it has written
/// itself.
#[tokio::test]
async fn a_late_holder_does_not_take_what_the_next_one_has_staged() {
    let store = store_with_a_session("late").await;
    let files = &*store.shared.files;
    // Of another process: with gates of its own.
    let others = Files::new(&store.shared.options, Arc::default(), false);
    let (now, late) = (held(&store, &KEY).await, held(&store, &ELSEWHERE).await);
    let (now, late) = (Locked::new(files, KEY, &now), Locked::new(&others, KEY, &late));
    let found = now.entry().unwrap().unwrap();
    let reading = files.reading(&KEY);
    std::thread::scope(|scope| {
        let replacing = scope.spawn(|| now.replace(&found, &[2; 8], Timestamp::MAX, b"mine"));
        let shard = files.layout.shard_of(&KEY);
        while fs::read_dir(&shard).unwrap().count() < 2 && !replacing.is_finished() {
            std::thread::sleep(Duration::from_millis(1));
        }
        late.replace(&found, &[3; 8], Timestamp::MAX, b"late").unwrap();
        assert_eq!(late.entry().unwrap().unwrap().0.bytes, "late");
        drop(reading);
        replacing.join().unwrap().unwrap();
    });
    assert_eq!(left(store).await, b"mine");
}
