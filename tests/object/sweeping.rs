//! Sweeps: what they remove and leave, two at once, beside creates, and when they are due.

use std::sync::Arc;
use std::time::Duration;

use cloakroom::store::{
    BucketStore, Created, NewEntry, Replaced, SessionStore, StoreErrorKind, StoreKey,
};
use cloakroom::{ManualClock, Timestamp};
use cloakroom_testing::buckets::Emulator;
use cloakroom_testing::{HOUR, MINUTE};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use tokio::sync::Notify;

use super::buckets::{Bucket, builder, created, entry, in_memory, key, names, path};
use super::wire::Fate;

fn until(deadline: Timestamp, number: u8) -> NewEntry {
    NewEntry::new(entry(number).commit, deadline, "bytes")
}

/// A fence of this moment.
fn fence(at: Timestamp) -> Vec<u8> {
    [&b"\xc1\x04"[..], &at.as_millis().to_be_bytes()].concat()
}

async fn put(bucket: &InMemory, key: &StoreKey, bytes: Vec<u8>) {
    bucket.put(&path(key), bytes.into()).await.unwrap();
}

#[tokio::test]
async fn a_sweep_removes_what_has_expired_more_than_a_minute_ago() {
    let (store, bucket, clock) = in_memory().await;
    let now = clock.now();
    for number in [1, 2, 3] {
        let deadline = now.saturating_add(MINUTE * u32::from(number));
        created(&store, &key(number), &until(deadline, number)).await;
    }
    store.delete(&key(3)).await.unwrap();
    assert_eq!(names(&*bucket).await.len(), 3, "a delete leaves an object");
    let swept = store.sweep().await.unwrap();
    assert_eq!((swept.listed, swept.inspected, swept.removed, swept.failed), (3, 3, 1, 0));
    clock.set(now.saturating_add(2 * MINUTE - Duration::from_millis(1)));
    assert_eq!(store.sweep().await.unwrap().removed, 0);
    clock.set(now.saturating_add(2 * MINUTE));
    assert_eq!(store.sweep().await.unwrap().removed, 1);
    clock.set(now.saturating_add(3 * MINUTE));
    assert_eq!(store.sweep().await.unwrap().removed, 1);
    assert!(names(&*bucket).await.is_empty());
}

/// An expired entry may be created anew while it is being removed: the list of a user's sessions is.
async fn no_create_is_lost(stores: [BucketStore; 2], clock: ManualClock) {
    let [one, other] = stores;
    for number in 1..=100_u8 {
        created(&one, &key(number), &until(clock.now().saturating_add(MINUTE), number)).await;
    }
    clock.advance(10 * MINUTE);
    let creates = async {
        for number in 1..=100_u8 {
            let new = until(clock.now().saturating_add(HOUR), 100 + number);
            let done = one.create(&key(number), &new).await.unwrap();
            assert!(matches!(done, Created::Done(_)), "{number}");
        }
    };
    let sweeps = async {
        for _ in 0..5 {
            let (here, there) = tokio::join!(other.sweep(), one.sweep());
            assert_eq!((here.unwrap().failed, there.unwrap().failed), (0, 0));
        }
    };
    tokio::join!(creates, sweeps);
    for number in 1..=100_u8 {
        let there = one.load(&key(number)).await.unwrap();
        assert!(there.is_some(), "{number} was created and is gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sweeps_beside_creates_remove_nothing_live() {
    let (one, bucket, clock) = in_memory().await;
    let other = builder(bucket).clock(clock.clone()).open().await.unwrap();
    no_create_is_lost([one, other], clock).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn sweeps_beside_creates_remove_nothing_live_in_ministack() {
    let bucket = Bucket::on(Emulator::Ministack).await;
    let (_, _, clock) = in_memory().await;
    let open = async || bucket.builder().clock(clock.clone()).open().await.unwrap();
    no_create_is_lost([open().await, open().await], clock.clone()).await;
}

/// A client of Azure deletes by a `POST` with a list. The late server's clock is behind, so it does not read first.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs azurite, ministack and moto"]
async fn what_a_sweep_has_removed_is_gone_on_every_emulator() {
    for emulator in Emulator::installed() {
        let bucket = Bucket::on(emulator).await;
        let (_, _, clock) = in_memory().await;
        let behind = ManualClock::at(clock.now());
        let store = bucket.builder().clock(clock.clone()).open().await.unwrap();
        let late = bucket.builder().clock(behind).open().await.unwrap();
        let version = created(&store, &key(1), &until(clock.now().saturating_add(MINUTE), 1)).await;
        created(&store, &key(2), &until(clock.now().saturating_add(HOUR), 2)).await;
        clock.advance(10 * MINUTE);
        let swept = store.sweep().await.unwrap();
        assert_eq!((swept.inspected, swept.removed, swept.failed), (2, 1, 0), "{emulator:?}");
        assert_eq!(names(&*bucket.client()).await, [path(&key(2)).to_string()]);
        bucket.wire.take();
        let replaced = late.replace(&key(1), &version, &entry(3)).await.unwrap();
        assert!(matches!(replaced, Replaced::Gone), "{emulator:?}: {replaced:?}");
        assert_eq!(bucket.wire.take(), ["PUT", "GET"]);
    }
}

/// A create that finds the announcement of a delete waits until the object is gone.
#[tokio::test]
async fn a_create_waits_for_a_delete_that_is_announced() {
    let (store, bucket, clock) = in_memory().await;
    put(&bucket, &key(1), fence(clock.now())).await;
    let (key, new) = (key(1), entry(1));
    let delete = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        bucket.delete(&path(&key)).await.unwrap();
    };
    let (done, ()) = tokio::join!(store.create(&key, &new), delete);
    assert!(matches!(done.unwrap(), Created::Done(_)));
    assert!(store.load(&key).await.unwrap().is_some());
}

/// The sweeper died before its delete, or the delete is under way for long.
#[tokio::test]
async fn nothing_is_written_over_a_fence_until_no_delete_can_follow() {
    let (_, bucket, clock) = in_memory().await;
    let brief = builder(bucket.clone()).clock(clock.clone());
    let store = brief.command_timeout(Duration::from_millis(100)).open().await.unwrap();
    let announced = clock.now();
    put(&bucket, &key(1), fence(announced)).await;
    for minutes in [0, 59] {
        clock.set(announced.saturating_add(minutes * MINUTE));
        let error = store.create(&key(1), &entry(1)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert_eq!(store.load(&key(1)).await.unwrap(), None);
        assert_eq!(store.sweep().await.unwrap().removed, 0);
        store.delete(&key(1)).await.unwrap();
    }
    clock.set(announced.saturating_add(60 * MINUTE));
    put(&bucket, &key(2), fence(announced)).await;
    let new = until(clock.now().saturating_add(HOUR), 1);
    created(&store, &key(1), &new).await;
    assert_eq!(store.sweep().await.unwrap().removed, 1, "the other one");
    assert!(store.load(&key(1)).await.unwrap().is_some());
}

/// Between the look of a sweep and its fence somebody else has written.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn a_sweep_that_is_overtaken_removes_nothing() {
    let bucket = Bucket::on(Emulator::Ministack).await;
    let (_, _, clock) = in_memory().await;
    let store = bucket.builder().clock(clock.clone()).open().await.unwrap();
    let mut slow = bucket.clone();
    slow.wire = super::wire::Wire::new();
    let sweeper = slow.builder().clock(clock.clone()).open().await.unwrap();
    created(&store, &key(1), &until(clock.now().saturating_add(MINUTE), 1)).await;
    clock.advance(10 * MINUTE);
    slow.wire.take();
    let go_on = Arc::new(Notify::new());
    slow.wire.once("PUT", Fate::Held(go_on.clone()));
    let sweep = tokio::spawn(async move { sweeper.sweep().await });
    while !slow.wire.take().contains(&"PUT".to_owned()) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    created(&store, &key(1), &until(clock.now().saturating_add(HOUR), 2)).await;
    go_on.notify_one();
    let swept = sweep.await.unwrap().unwrap();
    assert_eq!((swept.inspected, swept.removed, swept.failed), (1, 0, 0));
    assert!(store.load(&key(1)).await.unwrap().is_some());
}

async fn waits_for(condition: impl AsyncFn() -> bool) {
    for _ in 0..6_000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within a minute");
}

/// The sweep in the background, of two servers: one of them does it.
#[tokio::test(flavor = "multi_thread")]
async fn the_servers_of_a_bucket_share_their_sweeps() {
    let (store, bucket, clock) = in_memory().await;
    created(&store, &key(1), &until(clock.now().saturating_add(MINUTE), 1)).await;
    created(&store, &key(2), &until(clock.now().saturating_add(24 * HOUR), 2)).await;
    clock.advance(2 * HOUR);
    let open = async || {
        let builder = builder(bucket.clone()).clock(clock.clone());
        builder.sweep_every(Duration::from_millis(200)).open().await.unwrap()
    };
    let servers = [open().await, open().await];
    waits_for(async || !names(&*bucket).await.contains(&path(&key(1)).to_string())).await;
    assert!(store.load(&key(2)).await.unwrap().is_some());
    waits_for(async || names(&*bucket).await.contains(&"sweep".to_owned())).await;
    // The clock stands still, so no second sweep is due.
    drop(servers);
    let marker = bucket.get(&"sweep".into()).await.unwrap().bytes().await.unwrap();
    assert!(marker.starts_with(b"cloakroom sweep 1 "), "{marker:?}");
}

/// An object `sweep` that somebody else has put there is not written over.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_marker_stays() {
    let (store, bucket, clock) = in_memory().await;
    bucket.put(&"sweep".into(), "chimney".into()).await.unwrap();
    created(&store, &key(1), &until(clock.now().saturating_add(MINUTE), 1)).await;
    clock.advance(2 * HOUR);
    let builder = builder(bucket.clone()).clock(clock.clone());
    let sweeping = builder.sweep_every(Duration::from_millis(20)).open().await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(sweeping);
    assert_eq!(bucket.get(&"sweep".into()).await.unwrap().bytes().await.unwrap(), "chimney");
    assert_eq!(names(&*bucket).await.len(), 2);
}

/// Objects of a check at open whose process was killed.
#[tokio::test]
async fn what_a_check_has_left_is_removed_after_an_hour() {
    let (store, bucket, clock) = in_memory().await;
    bucket.put(&"probe/0102".into(), "cloakroom checks this bucket: 1".into()).await.unwrap();
    store.sweep().await.unwrap();
    assert_eq!(names(&*bucket).await, ["probe/0102"]);
    clock.advance(2 * HOUR);
    store.sweep().await.unwrap();
    assert!(names(&*bucket).await.is_empty());
}

#[tokio::test]
async fn a_sweep_touches_nothing_outside_of_its_prefix_and_names() {
    let (_, bucket, clock) = in_memory().await;
    let shop = builder(bucket.clone()).clock(clock.clone()).prefix("shop").open().await.unwrap();
    let blog = builder(bucket.clone()).clock(clock.clone()).prefix("blog").open().await.unwrap();
    for store in [&shop, &blog] {
        created(store, &key(1), &until(clock.now().saturating_add(MINUTE), 1)).await;
    }
    for foreign in ["shop/01/readme", "shop/readme", "01/readme"] {
        bucket.put(&foreign.into(), "read me".into()).await.unwrap();
    }
    clock.advance(HOUR);
    let swept = shop.sweep().await.unwrap();
    assert_eq!((swept.listed, swept.removed), (1, 1));
    assert_eq!(names(&*bucket).await.len(), 4);
    assert_eq!(blog.sweep().await.unwrap().removed, 1);
}
