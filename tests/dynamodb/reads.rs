//! Consistency, and items that DynamoDB has not removed yet.

use std::time::Duration;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use cloakroom::store::{
    CommitId, Created, DynamoDbStore, Entry, LoadedNear, NewEntry, Replaced, SessionStore,
    StoreErrorKind, StoreKey, Touched,
};
use cloakroom::{Clock, Key, ManualClock, SessionLayer, Timestamp};
use cloakroom_testing::{Visitor, patient};

use crate::emulator::Table;
use crate::wire::Fate;

const KEY: StoreKey = StoreKey::from_bytes([1; 32]);

fn entry(commit: u8, deadline: Timestamp) -> NewEntry {
    NewEntry::new(CommitId::from_bytes([commit; 8]), deadline, Bytes::from("coat"))
}

/// The emulators never give outdated answers, but the test can see which consistency is asked for.
#[tokio::test]
async fn reads_are_consistent_unless_asked_otherwise_and_a_miss_is_confirmed() {
    let table = Table::in_process().await;
    let clock = ManualClock::at(Clock::system().now());
    let strong = table.store().clock(clock.clone()).build().unwrap();
    let eventual = table.store().clock(clock.clone()).eventually_consistent_reads();
    let eventual = eventual.build().unwrap();
    let soon = clock.now().saturating_add(Duration::from_secs(10));

    assert_eq!(strong.load(&KEY).await.unwrap(), None);
    assert_eq!(table.wire.consistent(), [true]);
    assert!(strong.load_near(&KEY).is_none());
    assert_eq!(look(&eventual).await, LoadedNear::Fresh(None));
    assert_eq!(table.wire.consistent(), [false, true]);
    assert_eq!(eventual.load(&KEY).await.unwrap(), None);
    assert_eq!(table.wire.consistent(), [true]);

    strong.create(&KEY, &entry(1, soon)).await.unwrap();
    let LoadedNear::Lagging { as_of, .. } = look(&eventual).await else { panic!("it is there") };
    assert_eq!(as_of, clock.now().saturating_sub(Duration::from_secs(10)));
    assert_eq!(table.wire.consistent(), [false]);

    clock.advance(Duration::from_secs(10));
    assert_eq!(look(&eventual).await, LoadedNear::Fresh(None));
    assert_eq!(table.wire.consistent(), [false, true]);
}

async fn look(store: &DynamoDbStore) -> LoadedNear {
    store.load_near(&KEY).expect("it reads with eventual consistency").await.unwrap()
}

async fn look_at_entry(store: &DynamoDbStore) -> Entry {
    look(store).await.into_entry().expect("it is there")
}

/// "It is there already, so there is nothing to write" would be believing an old read: the change that was
/// acknowledged before would win over this later one.
#[tokio::test]
async fn a_value_that_an_outdated_read_shows_is_written() {
    let table = Table::in_process().await;
    let store = table.store().eventually_consistent_reads().build().unwrap();
    let layer = SessionLayer::new(store, Key::from_bytes(&[7; 32]).unwrap());
    let visitor = Visitor::new(patient(layer));
    let set = async |value: u32| {
        visitor.visit(async |session| session.insert("k", &value)).await.is_ok();
    };
    let get =
        async || visitor.visit(async |session| session.get::<u32>("k")).await.is_ok().body.clone();
    set(1).await;
    assert_eq!(get().await, "Some(1)");
    let stale = table.wire.answer();
    set(2).await;

    table.wire.once("GetItem", Fate::Replayed(stale));
    set(1).await;
    assert_eq!(get().await, "Some(1)");
}

/// A replica lags behind: the first read finds the item as it was before the login, the touch or the
/// logout.
#[tokio::test]
async fn a_write_after_an_outdated_read_is_never_applied() {
    let table = Table::in_process().await;
    let store = table.store().eventually_consistent_reads().build().unwrap();
    let later = Clock::system().now().saturating_add(Duration::from_secs(600));
    store.create(&KEY, &entry(1, later)).await.unwrap();
    let before = look_at_entry(&store).await;
    let stale = table.wire.answer();
    let newer = store.replace(&KEY, &before.version, &entry(2, later)).await.unwrap();
    let Replaced::Done(newer) = newer else { panic!("{newer:?}") };

    table.wire.once("GetItem", Fate::Replayed(stale.clone()));
    let seen = look_at_entry(&store).await;
    assert_eq!(seen.version, before.version, "the read was stale");
    match store.replace(&KEY, &seen.version, &entry(3, later)).await.unwrap() {
        Replaced::Conflict(current) => assert_eq!(current.version, newer),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        store
            .touch(&KEY, &seen.version, later.saturating_add(Duration::from_secs(9)))
            .await
            .unwrap(),
        Touched::Skipped
    );

    store.delete(&KEY).await.unwrap();
    table.wire.once("GetItem", Fate::Replayed(stale));
    assert_eq!(look_at_entry(&store).await, seen, "stale: the session is over");
    assert_eq!(store.replace(&KEY, &seen.version, &entry(3, later)).await.unwrap(), Replaced::Gone);
}

#[tokio::test]
async fn an_expired_item_that_is_not_removed_yet_is_gone() {
    let table = Table::in_process().await;
    let clock = ManualClock::at(Clock::system().now());
    let store = table.store().clock(clock.clone()).build().unwrap();
    let in_ten = |clock: &ManualClock| clock.now().saturating_add(Duration::from_secs(10));
    let Created::Done(version) = store.create(&KEY, &entry(1, in_ten(&clock))).await.unwrap()
    else {
        panic!("there was nothing")
    };
    clock.advance(Duration::from_secs(10));
    assert_eq!(store.load(&KEY).await.unwrap(), None);
    assert_eq!(
        store.replace(&KEY, &version, &entry(2, in_ten(&clock))).await.unwrap(),
        Replaced::Gone
    );
    assert_eq!(store.touch(&KEY, &version, in_ten(&clock)).await.unwrap(), Touched::Gone);
    assert!(item(&table).await.is_some(), "the bytes are still there");
    let created = store.create(&KEY, &entry(3, in_ten(&clock))).await.unwrap();
    assert!(matches!(created, Created::Done(_)));
}

/// Each attribute that a condition or a read needs is missing once, and once of another type.
#[tokio::test]
async fn a_damaged_item_is_corrupt_and_stays() {
    let table = Table::in_process().await;
    let store = table.store().build().unwrap();
    let later = Clock::system().now().saturating_add(Duration::from_secs(600));
    for damage in
        ["REMOVE d", "SET d = :text", "REMOVE v", "SET v = :text", "REMOVE e", "SET e = :text"]
    {
        let Created::Done(version) = store.create(&KEY, &entry(1, later)).await.unwrap() else {
            panic!("{damage}")
        };
        let client = table.client();
        let request = client.update_item().table_name(&table.name).key("id", id());
        let request = request.update_expression(damage);
        let text = AttributeValue::S("text".to_owned());
        let request = if damage.ends_with(":text") {
            request.expression_attribute_values(":text", text)
        } else {
            request
        };
        request.send().await.unwrap();
        let kinds = [
            store.load(&KEY).await.map(drop),
            store.create(&KEY, &entry(2, later)).await.map(drop),
            store.replace(&KEY, &version, &entry(2, later)).await.map(drop),
            store
                .touch(&KEY, &version, later.saturating_add(Duration::from_secs(9)))
                .await
                .map(drop),
        ];
        for answer in kinds {
            assert_eq!(answer.unwrap_err().kind(), StoreErrorKind::Corrupt, "{damage}");
        }
        store.delete(&KEY).await.unwrap();
    }
}

/// If the item were removed early, its session would end early.
#[tokio::test]
async fn the_ttl_is_the_deadline_in_seconds_rounded_up_and_follows_it() {
    let table = Table::in_process().await;
    let store = table.store().build().unwrap();
    let start = Clock::system().now().as_millis() / 1000 * 1000 + 600_000;
    let at = |millis| Timestamp::from_millis(start + millis);
    let Created::Done(version) = store.create(&KEY, &entry(1, at(1))).await.unwrap() else {
        panic!("there was nothing")
    };
    let number = |item: &std::collections::HashMap<String, AttributeValue>, name: &str| {
        item[name].as_n().unwrap().parse::<u64>().unwrap()
    };
    let kept = item(&table).await.unwrap();
    assert_eq!((number(&kept, "e"), number(&kept, "ttl")), (start + 1, start / 1000 + 1));
    store.touch(&KEY, &version, at(5_000)).await.unwrap();
    let kept = item(&table).await.unwrap();
    assert_eq!((number(&kept, "e"), number(&kept, "ttl")), (start + 5_000, start / 1000 + 5));
}

fn id() -> AttributeValue {
    AttributeValue::B(Blob::new(KEY.as_bytes()))
}

async fn item(table: &Table) -> Option<std::collections::HashMap<String, AttributeValue>> {
    let request = table.client().get_item().table_name(&table.name).key("id", id());
    request.send().await.unwrap().item
}
