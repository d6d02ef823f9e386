//! Compares what the guide tells people to deploy with what the store really needs and calls.

use std::collections::BTreeSet;
use std::fs;

use cloakroom::store::{SessionStore, StoreKey};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::calls::House;
use crate::cost::root;
use crate::emulator::Table;
use crate::table::{Shape, ours};
use cloakroom_testing::MINUTE;
use cloakroom_testing::ministack;

/// Returns the first block of code in this language.
fn block(language: &str) -> String {
    let page = fs::read_to_string(root().join("docs/dynamodb.md")).unwrap();
    let (_, rest) = page.split_once(&format!("```{language}\n")).expect(language);
    rest.split_once("```").unwrap().0.to_owned()
}

/// Returns the operations of everything that an app does with the store, logins and logouts included.
async fn called() -> BTreeSet<String> {
    let house = House::open().await;
    let store = house.table.store().build().unwrap();
    store.check().await.unwrap();
    store.delete(&StoreKey::from_bytes([9; 32])).await.unwrap();
    let mut called = house.table.wire.take();
    let guest = house.guest().await;
    guest.visit(async |session| session.insert("k", &1_u32)).await.is_ok();
    house.clock.advance(5 * MINUTE);
    guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
    guest
        .visit(async |session| {
            session.renew().unwrap();
            Ok(())
        })
        .await
        .is_ok();
    guest.visit(async |session| session.destroy().await).await.is_ok();
    called.extend(house.table.wire.take());
    called.into_iter().collect()
}

#[tokio::test]
async fn the_policy_allows_exactly_the_operations_that_are_called() {
    let policy: Value = serde_json::from_str(&block("json")).unwrap();
    let [statement] = &policy["Statement"].as_array().unwrap()[..] else { panic!("{policy}") };
    let allowed = statement["Action"].as_array().unwrap().iter();
    let allowed: BTreeSet<_> = allowed
        .map(|action| action.as_str().unwrap().strip_prefix("dynamodb:").unwrap().to_owned())
        .collect();
    assert_eq!(allowed, called().await);
    assert_eq!(statement["Effect"], "Allow");
    let resource = statement["Resource"].as_str().unwrap();
    assert!(resource.ends_with(":table/sessions"), "one table: {resource}");
}

#[test]
fn terraform_describes_the_table_that_the_store_creates() {
    let body: Value = hcl::from_str(&block("terraform")).unwrap();
    let table = &body["resource"]["aws_dynamodb_table"]["sessions"];
    let ours = ours();
    assert_eq!(table["billing_mode"], "PAY_PER_REQUEST");
    assert_eq!(ours.billing.unwrap().as_str(), "PAY_PER_REQUEST");
    assert_eq!(table["hash_key"], *ours.key[0].0);
    assert!(table.get("range_key").is_none());
    assert_eq!(table["attribute"]["name"], *ours.attributes[0].0);
    assert_eq!(table["attribute"]["type"], ours.attributes[0].1.as_str());
    assert_eq!(table["ttl"]["attribute_name"], *ours.ttl.unwrap().0);
    assert_eq!(table["ttl"]["enabled"], true);
}

#[tokio::test]
#[ignore = "needs ministack"]
async fn cloudformation_creates_the_table_that_the_store_creates() {
    let table = Table::missing_on(ministack::endpoint().await);
    let template = block("yaml");
    let created = cloudformation(
        &table.endpoint,
        &[("Action", "CreateStack"), ("StackName", "sessions"), ("TemplateBody", &template)],
    )
    .await;
    assert!(created.starts_with("HTTP/1.1 200"), "{created}");
    let describe = [("Action", "DescribeStacks"), ("StackName", "sessions")];
    loop {
        let stack = cloudformation(&table.endpoint, &describe).await;
        if stack.contains("CREATE_COMPLETE") {
            break;
        }
        assert!(stack.contains("CREATE_IN_PROGRESS"), "{stack}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    // The emulator creates the table and ignores the removal of expired items.
    let made = Shape::of(&table, "sessions").await;
    let ours = ours();
    assert_eq!(
        (made.key, made.attributes, made.billing),
        (ours.key, ours.attributes, ours.billing)
    );
    let (_, ttl) = template.split_once("TimeToLiveSpecification:").unwrap();
    let ttl: Vec<_> = ttl.split_whitespace().collect();
    assert_eq!(ttl, ["AttributeName:", &ours.ttl.unwrap().0, "Enabled:", "true"]);
    table.store().table("sessions").build().unwrap().check().await.unwrap();
}

/// Sends one unsigned request of the query protocol and returns the whole answer.
async fn cloudformation(endpoint: &str, parameters: &[(&str, &str)]) -> String {
    let address = endpoint.strip_prefix("http://").unwrap();
    let encoded =
        |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
    let body: Vec<_> =
        parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    let body = body.join("&");
    let request = format!(
        "POST / HTTP/1.1\r\nhost: cloudformation.us-east-1.amazonaws.com\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=test/20250101/eu-central-1/cloudformation/aws4_request, SignedHeaders=host, Signature=0\r\n\
         content-type: application/x-www-form-urlencoded\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
