//! Versions and tags: touches change one and not the other, and equal contents have equal tags.

use cloakroom::Timestamp;
use cloakroom::store::{BucketStore, CommitId, NewEntry, Replaced, SessionStore, Touched, Version};
use cloakroom_testing::MINUTE;
use cloakroom_testing::buckets::Emulator;

use super::buckets::{Bucket, created, entry, in_memory, key};

const DONE: &str = "the touch is done";

fn later(minutes: u32) -> Timestamp {
    entry(1).deadline.saturating_add(minutes * MINUTE)
}

async fn replaced(store: &BucketStore, version: &Version, new: &NewEntry) -> Version {
    match store.replace(&key(1), version, new).await.unwrap() {
        Replaced::Done(version) => version,
        other => panic!("{other:?}"),
    }
}

/// The server that touched is not the one that replaces, so that nobody remembers the tag.
async fn a_replace_after_touches_elsewhere(here: BucketStore, elsewhere: BucketStore) {
    let first = created(&here, &key(1), &entry(1)).await;
    assert_eq!(elsewhere.touch(&key(1), &first, later(1)).await.unwrap(), Touched::Done, "{DONE}");
    assert_eq!(elsewhere.touch(&key(1), &first, later(2)).await.unwrap(), Touched::Done, "{DONE}");
    let second = replaced(&here, &first, &entry(2)).await;
    assert_ne!(first, second);
    let stale = elsewhere.replace(&key(1), &first, &entry(3)).await.unwrap();
    let Replaced::Conflict(there) = stale else { panic!("{stale:?}") };
    assert_eq!((there.version, there.bytes), (second, entry(2).bytes));
    assert_eq!(here.touch(&key(1), &first, later(3)).await.unwrap(), Touched::Skipped);
}

#[tokio::test]
async fn a_touch_keeps_the_version_for_servers_that_do_not_know_of_it() {
    let (here, bucket, clock) = in_memory().await;
    let elsewhere = super::buckets::builder(bucket).clock(clock).open().await.unwrap();
    a_replace_after_touches_elsewhere(here, elsewhere).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs azurite, ministack and moto"]
async fn a_touch_keeps_the_version_on_every_emulator() {
    for emulator in Emulator::installed() {
        let bucket = Bucket::on(emulator).await;
        a_replace_after_touches_elsewhere(bucket.store().await, bucket.store().await).await;
    }
}

/// The ETags of these emulators are hashes of the content. A session that has the same bytes again has another version.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack and moto"]
async fn a_writer_that_knows_equal_bytes_from_before_is_refused() {
    for emulator in [Emulator::Ministack, Emulator::Moto] {
        let store = Bucket::on(emulator).await.store().await;
        let until = entry(1).deadline;
        let same = |commit| NewEntry::new(CommitId::from_bytes([commit; 8]), until, "the same");
        let first = created(&store, &key(1), &same(1)).await;
        let second = replaced(&store, &first, &same(2)).await;
        let third = replaced(&store, &second, &same(3)).await;
        for stale in [first, second] {
            let answer = store.replace(&key(1), &stale, &same(4)).await.unwrap();
            assert!(matches!(answer, Replaced::Conflict(there) if there.version == third));
        }
    }
}
