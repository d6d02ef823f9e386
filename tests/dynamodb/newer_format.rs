//! Items of a newer format stay as they are, and say what they are (P12).

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use cloakroom::store::{
    CommitId, Created, DynamoDbStore, NewEntry, SessionStore, StoreError, StoreErrorKind, StoreKey,
};
use cloakroom::{Clock, Key, SessionLayer};

use crate::emulator::Table;
use cloakroom_testing::{MINUTE, Visitor, patient, respond};

const KEY: StoreKey = StoreKey::from_bytes([0x5a; 32]);

type Item = std::collections::HashMap<String, AttributeValue>;

fn entry() -> NewEntry {
    let deadline = Clock::system().now().saturating_add(MINUTE);
    NewEntry::new(CommitId::from_bytes([1; 8]), deadline, "bytes")
}

async fn only_item(table: &Table) -> Item {
    let found = table.client().scan().table_name(&table.name).send().await.unwrap();
    found.items.unwrap().remove(0)
}

/// Turns the only item into one of a newer format, which keeps all that a condition could compare.
async fn make_newer(table: &Table) -> Item {
    let id = only_item(table).await.remove("id").unwrap();
    let request = table.client().update_item().table_name(&table.name).key("id", id);
    let request = request.update_expression("SET #f = :f").expression_attribute_names("#f", "f");
    let format = AttributeValue::N("2".to_owned());
    request.expression_attribute_values(":f", format).send().await.unwrap();
    only_item(table).await
}

async fn every_command_refuses(table: Table) {
    let store: DynamoDbStore = table.store().build().unwrap();
    let new = entry();
    let Created::Done(version) = store.create(&KEY, &new).await.unwrap() else { panic!() };
    let newer = make_newer(&table).await;
    assert_eq!(newer["id"], AttributeValue::B(Blob::new([0x5a; 32])));
    let later = new.deadline.saturating_add(MINUTE);
    let kind = |error: StoreError| error.kind();
    let kinds = [
        store.load(&KEY).await.err().map(kind),
        store.create(&KEY, &new).await.err().map(kind),
        store.replace(&KEY, &version, &new).await.err().map(kind),
        store.touch(&KEY, &version, later).await.err().map(kind),
        store.delete(&KEY).await.err().map(kind),
    ];
    assert_eq!(kinds, [Some(StoreErrorKind::NewerFormat); 5]);
    assert_eq!(only_item(&table).await, newer);
    let shown = format!("{:?}", store.delete(&KEY).await.unwrap_err());
    assert!(shown.contains("newer format") && shown.contains(&table.name), "{shown}");
}

#[tokio::test]
async fn no_command_replaces_or_deletes_an_item_of_a_newer_format() {
    every_command_refuses(Table::in_process().await).await;
}

#[tokio::test]
#[ignore = "needs ministack"]
async fn nor_on_the_other_emulator() {
    every_command_refuses(Table::in_ministack().await).await;
}

#[tokio::test]
async fn a_logout_leaves_an_item_of_a_newer_format() {
    let table = Table::in_process().await;
    let store = table.store().build().unwrap();
    let layer = SessionLayer::new(store, Key::from_bytes(&[7; 32]).unwrap());
    let guest = Visitor::new(patient(layer));
    guest.visit(async |session| session.insert("k", &1)).await.is_ok();
    let newer = make_newer(&table).await;
    let answer = guest.ask(async |lazy| respond(lazy.destroy().await)).await;
    assert_eq!((answer.status.as_u16(), answer.set_cookies()), (503, vec![]));
    assert!(format!("{:?}", answer.error).contains("newer format"), "{answer:?}");
    assert_eq!(only_item(&table).await, newer);
}
