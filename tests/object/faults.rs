//! Failures: which of them prove that nothing was applied, and which prove nothing.

use std::time::{Duration, Instant};

use cloakroom::Timestamp;
use cloakroom::store::{
    BucketStore, CommitId, Created, NewEntry, Replaced, SessionStore, StoreError, StoreErrorKind,
    Touched, Version,
};
use cloakroom_testing::MINUTE;
use cloakroom_testing::buckets::{Emulator, Moto};
use cloakroom_testing::processes::{free_port, wait_until};
use cloakroom_testing::proxy::{Cut, Fault, Proxy};

use super::buckets::{Bucket, created, entry, key};
use super::wire::Fate;

use StoreErrorKind::{Denied, Indeterminate, Misconfigured, Unavailable};

fn later() -> Timestamp {
    entry(1).deadline.saturating_add(MINUTE)
}

/// Returns the kinds of a failed load, create and replace. The other two commands begin with a read.
async fn kinds(store: &BucketStore, version: &Version) -> [StoreErrorKind; 3] {
    let kind = |error: StoreError| error.kind();
    [
        store.load(&key(1)).await.map_err(kind).expect_err("load"),
        store.create(&key(2), &entry(2)).await.map_err(kind).expect_err("create"),
        store.replace(&key(1), version, &entry(2)).await.map_err(kind).expect_err("replace"),
    ]
}

/// Opens a store with this timeout. The session is created with a longer one.
async fn with_a_session(bucket: &Bucket, timeout: Duration) -> (BucketStore, Version) {
    let version = created(&bucket.store().await, &key(1), &entry(1)).await;
    let store = bucket.builder().command_timeout(timeout).open().await.unwrap();
    bucket.wire.take();
    (store, version)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn a_refusal_proves_that_nothing_was_applied() {
    let bucket = Bucket::on(Emulator::Ministack).await;
    let (store, version) = with_a_session(&bucket, MINUTE / 2).await;
    for (status, code, kind) in [
        (403, "AccessDenied", Denied),
        (403, "RequestTimeTooSkewed", Denied),
        (401, "Unauthorized", Denied),
        (400, "ExpiredToken", Denied),
        (400, "InvalidRequest", Misconfigured),
        (404, "NoSuchBucket", Misconfigured),
        (429, "TooManyRequests", Unavailable),
    ] {
        bucket.wire.all(Fate::Refused(status, code));
        assert_eq!(kinds(&store, &version).await, [kind; 3], "{code}");
    }
}

/// A write is one request, whatever its failure; a read may be repeated.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn a_write_without_an_answer_is_indeterminate_and_was_sent_once() {
    let bucket = Bucket::on(Emulator::Ministack).await;
    let (store, version) = with_a_session(&bucket, MINUTE / 2).await;
    for fate in [
        Fate::Refused(500, "InternalError"),
        Fate::Refused(503, "SlowDown"),
        Fate::Lost,
        // This one is applied.
        Fate::Answered(502),
    ] {
        bucket.wire.all(fate.clone());
        assert_eq!(kinds(&store, &version).await, [Unavailable, Indeterminate, Indeterminate]);
        let sent = bucket.wire.take();
        assert_eq!(sent, ["GET", "GET", "GET", "PUT", "PUT"], "{fate:?}");
        bucket.wire.all(Fate::Arrives);
        let is_unchanged = store.load(&key(1)).await.unwrap().unwrap().version == version;
        assert_eq!(is_unchanged, !matches!(fate, Fate::Answered(502)));
        bucket.wire.take();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn a_read_is_repeated() {
    let bucket = Bucket::on(Emulator::Ministack).await;
    let (store, version) = with_a_session(&bucket, MINUTE / 2).await;
    for fate in [Fate::Refused(503, "SlowDown"), Fate::Lost, Fate::ReplyLost] {
        bucket.wire.once("GET", fate);
        assert_eq!(store.load(&key(1)).await.unwrap().unwrap().version, version);
        assert_eq!(bucket.wire.take(), ["GET", "GET"]);
    }
}

/// The answer is lost, and the library reads what became of the write by the id of its commit.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn a_write_whose_answer_is_lost_is_found() {
    let bucket = Bucket::on(Emulator::Ministack).await;
    let (store, version) = with_a_session(&bucket, MINUTE / 2).await;
    for (commit, fate) in [(2, Fate::ReplyLost), (3, Fate::Untagged), (4, Fate::Answered(500))] {
        let there = store.load(&key(1)).await.unwrap().unwrap().version;
        bucket.wire.once("PUT", fate.clone());
        let error = store.replace(&key(1), &there, &entry(commit)).await.unwrap_err();
        assert_eq!(error.kind(), Indeterminate, "{fate:?}");
        let found = store.load(&key(1)).await.unwrap().unwrap();
        assert_eq!(found.version.as_bytes()[..8], [commit; 8], "the commit is in the version");
        let again = store.replace(&key(1), &there, &entry(commit)).await.unwrap();
        assert!(matches!(again, Replaced::Conflict(entry) if entry == found));
    }
    let stale = store.replace(&key(1), &version, &entry(9)).await.unwrap();
    assert!(matches!(stale, Replaced::Conflict(_)));
}

/// S3 answers 409 when another conditional write was under way, which is neither success nor a lost comparison.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn a_conflict_with_a_write_under_way_is_looked_into() {
    let bucket = Bucket::on(Emulator::Ministack).await;
    let (store, version) = with_a_session(&bucket, MINUTE / 2).await;
    let conflict = || Fate::Refused(409, "ConditionalRequestConflict");
    bucket.wire.once("PUT", conflict());
    assert!(matches!(store.create(&key(2), &entry(2)).await.unwrap(), Created::Done(_)));
    assert_eq!(bucket.wire.take(), ["PUT", "GET", "PUT"]);
    bucket.wire.once("PUT", conflict());
    assert_eq!(store.create(&key(1), &entry(2)).await.unwrap(), Created::Exists);
    bucket.wire.once("PUT", conflict());
    let done = store.replace(&key(1), &version, &entry(3)).await.unwrap();
    let Replaced::Done(version) = done else { panic!("{done:?}") };
    bucket.wire.take();
    bucket.wire.once("PUT", conflict());
    assert_eq!(store.touch(&key(1), &version, later()).await.unwrap(), Touched::Done);
    assert_eq!(bucket.wire.take(), ["GET", "PUT", "GET", "PUT"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn silence_ends_with_the_timeout() {
    let bucket = Bucket::on(Emulator::Ministack).await;
    let timeout = Duration::from_millis(600);
    let (store, version) = with_a_session(&bucket, timeout).await;
    bucket.wire.all(Fate::Hangs);
    let begun = Instant::now();
    assert_eq!(kinds(&store, &version).await, [Unavailable, Indeterminate, Indeterminate]);
    assert!(begun.elapsed() >= 2 * timeout, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn too_large_is_refused_before_anything_is_sent() {
    let bucket = Bucket::on(Emulator::Ministack).await;
    let (store, version) = with_a_session(&bucket, MINUTE / 2).await;
    let new = NewEntry::new(CommitId::from_bytes([2; 8]), later(), vec![0; (1 << 20) + 1]);
    for error in [
        store.create(&key(2), &new).await.unwrap_err(),
        store.replace(&key(1), &version, &new).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    }
    assert!(bucket.wire.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn no_error_shows_a_secret_or_the_name_of_an_object() {
    let bucket = Bucket::on(Emulator::Ministack).await;
    let (store, version) = with_a_session(&bucket, Duration::from_millis(300)).await;
    for fate in [
        Fate::Refused(403, "AccessDenied"),
        Fate::Refused(503, "SlowDown"),
        Fate::Answered(502),
        Fate::Lost,
        Fate::Untagged,
        Fate::Hangs,
    ] {
        bucket.wire.all(fate.clone());
        let errors = [
            store.load(&key(1)).await.err(),
            store.create(&key(2), &entry(2)).await.err(),
            store.replace(&key(1), &version, &entry(2)).await.err(),
        ];
        let shown = format!("{errors:?}");
        assert!(shown.contains(&format!("the bucket AmazonS3({})", bucket.name)), "{shown}");
        for secret in ["open-sesame", "0101", "0202", "bytes of"] {
            assert!(!shown.contains(secret), "{fate:?}: {shown}");
        }
    }
}

/// Uses real connections, so that the errors are those of the operating system.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto"]
async fn a_broken_connection_is_indeterminate_and_a_refused_one_is_not() {
    let mut bucket = Bucket::on(Emulator::Moto).await;
    let proxy = Proxy::on(free_port(), bucket.port).await;
    bucket.port = proxy.port;
    let (store, version) = with_a_session(&bucket, Duration::from_secs(5)).await;
    for cut in [Cut::Fin, Cut::Reset] {
        proxy.set(Fault::CutReply(0, cut));
        let found = kinds(&store, &version).await;
        assert_eq!(found, [Unavailable, Indeterminate, Indeterminate], "{cut:?}");
    }
    proxy.set(Fault::SwallowReplies);
    assert_eq!(kinds(&store, &version).await, [Unavailable, Indeterminate, Indeterminate]);
    proxy.set(Fault::Refuse);
    // Open connections are reset; later ones are refused.
    let _ = store.load(&key(1)).await;
    assert_eq!(kinds(&store, &version).await, [Unavailable; 3]);
    proxy.set(Fault::None);
    wait_for_an_answer(&store).await;
}

/// A server that stands still, and one that is killed and comes back without its objects.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs moto"]
async fn a_frozen_server_is_waited_for_and_a_killed_one_is_unavailable() {
    let moto = tokio::task::spawn_blocking(Moto::start).await.unwrap();
    let bucket = Bucket::at(Emulator::Moto, moto.port).await;
    let (store, version) = with_a_session(&bucket, Duration::from_secs(5)).await;
    moto.process.freeze();
    assert_eq!(kinds(&store, &version).await, [Unavailable, Indeterminate, Indeterminate]);
    moto.process.thaw();
    wait_for_an_answer(&store).await;

    moto.process.kill();
    // Open connections have to find out first.
    within_a_minute(async || kinds(&store, &version).await == [Unavailable; 3]).await;
    let moto = tokio::task::spawn_blocking(move || {
        moto.process.start_again();
        wait_until("moto listens", || cloakroom_testing::processes::answers(moto.port));
        moto
    });
    let moto = moto.await.unwrap();
    // Its bucket is gone, which is not the end of all sessions. Its first answer takes it some time.
    let load = async || store.load(&key(1)).await.expect_err("no bucket").kind();
    within_a_minute(async || load().await != Unavailable).await;
    assert_eq!(load().await, Misconfigured);
    drop(moto);
}

async fn wait_for_an_answer(store: &BucketStore) {
    within_a_minute(async || store.load(&key(1)).await.is_ok()).await;
}

async fn within_a_minute(condition: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < MINUTE, "not within a minute");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
