//! The requests of each kind of request, and the bytes of a session.

use cloakroom::store::{BucketStore, Replaced, SessionStore};
use cloakroom::{Clock, Key, ManualClock, SessionLayer};
use cloakroom_testing::buckets::Emulator;
use cloakroom_testing::{COOKIE, MINUTE, Visitor, patient, respond};
use object_store::ObjectStore;

use super::buckets::{Bucket, created, entry, in_memory, key};

/// The requests of each kind of request, by its name in the guide.
pub(crate) const REQUESTS: [(&str, &[&str]); 7] = [
    ("new session", &["PUT"]),
    ("untouched, or a forged cookie", &[]),
    ("read", &["GET"]),
    ("read that moves the idle timeout", &["GET", "GET", "PUT"]),
    ("write", &["GET", "PUT"]),
    ("login (renewal)", &["GET", "PUT", "PUT"]),
    ("logout", &["GET", "PUT"]),
];

struct House {
    bucket: Bucket,
    store: BucketStore,
    clock: ManualClock,
    layer: SessionLayer,
}

impl House {
    async fn open() -> Self {
        Self::on(Emulator::Ministack).await
    }

    async fn on(emulator: Emulator) -> Self {
        let bucket = Bucket::on(emulator).await;
        let clock = ManualClock::at(Clock::system().now());
        let store = bucket.builder().clock(clock.clone()).open().await.unwrap();
        bucket.wire.take();
        let layer = SessionLayer::new(store.clone(), Key::from_bytes(&[7; 32]).unwrap());
        Self { bucket, store, layer: patient(layer.clock(clock.clone())), clock }
    }

    #[track_caller]
    fn sent(&self, expected: &[&str]) {
        assert_eq!(self.bucket.wire.take(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn each_kind_of_request_has_its_requests() {
    each_kind_has_its_requests(&House::open().await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs azurite"]
async fn each_kind_of_request_has_its_requests_on_azurite_too() {
    each_kind_has_its_requests(&House::on(Emulator::Azurite).await).await;
}

async fn each_kind_has_its_requests(house: &House) {
    let (mut kinds, take) = (Vec::new(), || house.bucket.wire.take());
    let guest = Visitor::new(house.layer.clone());
    guest.visit(async |session| session.insert("k", &1)).await.is_ok();
    kinds.push(take());
    guest.ask(async |_| respond(Ok(()))).await.is_ok();
    kinds.push(take());
    guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
    kinds.push(take());
    house.clock.advance(4 * MINUTE);
    guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
    kinds.push(take());
    guest.visit(async |session| session.insert("k", &7)).await.is_ok();
    kinds.push(take());
    guest.visit(async |session| session.renew()).await.is_ok();
    kinds.push(take());
    guest.visit(async |session| session.destroy().await).await.is_ok();
    kinds.push(take());
    for ((name, expected), sent) in REQUESTS.iter().zip(kinds) {
        assert_eq!(sent, *expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn a_forged_cookie_sends_nothing() {
    let house = House::open().await;
    let guest = Visitor::new(house.layer.clone());
    guest.visit(async |session| session.insert("k", &1)).await.is_ok();
    house.sent(&["PUT"]);
    let mut forged = guest.ticket();
    forged.replace_range(10..11, if &forged[10..11] == "A" { "B" } else { "A" });
    guest.set_cookie(COOKIE, &forged);
    guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
    house.sent(&[]);
}

/// The loser reads what has won, and sends its change on that.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn a_conflict_costs_a_read_and_a_write() {
    let house = House::open().await;
    let guest = Visitor::new(house.layer.clone());
    guest.visit(async |session| session.insert("k", &1)).await.is_ok();
    house.bucket.wire.take();
    let other = guest.copy();
    let slow = guest.visit(async |session| {
        other.visit(async |session| session.insert("other", &1)).await.is_ok();
        session.insert("k", &2)
    });
    slow.await.is_ok();
    house.sent(&["GET", "GET", "PUT", "PUT", "GET", "PUT"]);
}

/// The server that has loaded a touched session knows its tag, so a write needs no further read.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn a_touched_session_costs_no_read_more() {
    let house = House::open().await;
    let version = created(&house.store, &key(1), &entry(1)).await;
    let later = entry(1).deadline.saturating_add(MINUTE);
    house.store.touch(&key(1), &version, later).await.unwrap();
    house.sent(&["PUT", "GET", "PUT"]);
    let done = house.store.replace(&key(1), &version, &entry(2)).await.unwrap();
    assert!(matches!(done, Replaced::Done(_)));
    house.sent(&["PUT"]);
    house.store.delete(&key(1)).await.unwrap();
    house.sent(&["GET", "PUT"]);
    house.store.delete(&key(1)).await.unwrap();
    house.sent(&["GET"]);
}

#[tokio::test]
async fn a_session_has_18_bytes_more_than_its_record_and_43_after_a_touch_at_most() {
    let (store, bucket, _) = in_memory().await;
    let size = async || {
        let folder = bucket.list_with_delimiter(Some(&"01".into())).await.unwrap();
        usize::try_from(folder.objects[0].size).unwrap() - entry(1).bytes.len()
    };
    let version = created(&store, &key(1), &entry(1)).await;
    assert_eq!(size().await, 18);
    let later = entry(1).deadline.saturating_add(MINUTE);
    store.touch(&key(1), &version, later).await.unwrap();
    assert!((11 + 8..=11 + 32).contains(&size().await), "{}", size().await);
}
