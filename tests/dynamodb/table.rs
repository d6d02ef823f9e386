//! The table that `ensure_table` creates.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TimeToLiveStatus,
};
use cloakroom::store::StoreErrorKind;

use crate::emulator::{Table, in_process};

/// The properties of a table that matter to the store.
#[derive(PartialEq, Debug)]
pub struct Shape {
    pub key: Vec<(String, KeyType)>,
    pub attributes: Vec<(String, ScalarAttributeType)>,
    pub billing: Option<BillingMode>,
    pub ttl: Option<(String, TimeToLiveStatus)>,
}

impl Shape {
    pub async fn of(table: &Table, name: &str) -> Self {
        let client = table.client();
        let described = client.describe_table().table_name(name).send().await.unwrap();
        let described = described.table.unwrap();
        let ttl = client.describe_time_to_live().table_name(name).send().await.unwrap();
        let ttl = ttl.time_to_live_description.unwrap();
        let key = |key: &KeySchemaElement| (key.attribute_name.clone(), key.key_type.clone());
        let attribute =
            |of: &AttributeDefinition| (of.attribute_name.clone(), of.attribute_type.clone());
        Self {
            key: described.key_schema().iter().map(key).collect(),
            attributes: described.attribute_definitions().iter().map(attribute).collect(),
            billing: described.billing_mode_summary.and_then(|summary| summary.billing_mode),
            ttl: ttl.attribute_name.zip(ttl.time_to_live_status),
        }
    }
}

pub fn ours() -> Shape {
    Shape {
        key: vec![("id".to_owned(), KeyType::Hash)],
        attributes: vec![("id".to_owned(), ScalarAttributeType::B)],
        billing: Some(BillingMode::PayPerRequest),
        ttl: Some(("ttl".to_owned(), TimeToLiveStatus::Enabled)),
    }
}

async fn is_created_once(table: Table) {
    assert_eq!(Shape::of(&table, &table.name).await, ours());
    table.wire.take();
    table.store().build().unwrap().ensure_table().await.unwrap();
    assert_eq!(table.wire.take(), ["CreateTable", "DescribeTable", "DescribeTimeToLive"]);
    assert_eq!(Shape::of(&table, &table.name).await, ours());
}

#[tokio::test]
async fn the_table_is_created_once() {
    is_created_once(Table::in_process().await).await;
}

#[tokio::test]
#[ignore = "needs ministack"]
async fn the_table_is_created_once_in_ministack() {
    is_created_once(Table::in_ministack().await).await;
}

#[tokio::test]
async fn another_table_is_refused() {
    let table = Table::in_process().await;
    for other in [table.store().id_attribute("pk"), table.store().ttl_attribute("expires")] {
        let error = other.build().unwrap().ensure_table().await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    }
    assert_eq!(Shape::of(&table, &table.name).await, ours(), "nothing was changed");
}

#[tokio::test]
async fn many_servers_may_create_it_at_once() {
    let table = Table::missing_on(in_process().await);
    let makers: Vec<_> = (0..4)
        .map(|_| {
            let store = table.store().build().unwrap();
            tokio::spawn(async move { store.ensure_table().await })
        })
        .collect();
    for maker in makers {
        maker.await.unwrap().unwrap();
    }
    assert_eq!(Shape::of(&table, &table.name).await, ours());
}

#[tokio::test]
async fn attributes_get_the_chosen_names() {
    let table = Table::missing_on(in_process().await);
    let store = table.store().id_attribute("pk").ttl_attribute("expires");
    let store = store.version_attribute("ver").data_attribute("data").deadline_attribute("till");
    let store = store.build().unwrap();
    store.ensure_table().await.unwrap();
    let shape = Shape::of(&table, &table.name).await;
    assert_eq!(shape.key, [("pk".to_owned(), KeyType::Hash)]);
    assert_eq!(shape.ttl.unwrap().0, "expires");

    let layer = cloakroom::SessionLayer::new(store, cloakroom::Key::generate().unwrap());
    let visitor = cloakroom_testing::Visitor::new(cloakroom_testing::patient(layer));
    visitor.visit(async |session| session.insert("k", &1)).await.is_ok();
    let items = table.client().scan().table_name(&table.name).send().await.unwrap().items.unwrap();
    let mut names: Vec<_> = items[0].keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["data", "expires", "pk", "till", "ver"]);
}

#[test]
fn unusable_options_are_refused() {
    let table = Table::missing_on("http://127.0.0.1:1".to_owned());
    for wrong in [
        table.store().table(""),
        table.store().command_timeout(std::time::Duration::ZERO),
        table.store().data_attribute("p"),
        table.store().data_attribute("id"),
    ] {
        assert_eq!(wrong.build().unwrap_err().kind(), StoreErrorKind::Misconfigured);
    }
}
