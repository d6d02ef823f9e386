//! Futures that were polled once and then left alone hold nothing that other calls need.

use std::time::Duration;

use aws_credential_types::provider::future::ProvideCredentials as Providing;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{Credentials, ProvideCredentials};
use cloakroom::store::{CommitId, DynamoDbStore, NewEntry, SessionStore, StoreKey};
use cloakroom::{Clock, Timestamp};

use crate::emulator::Table;
use cloakroom_testing::{HOUR, left_alone};

const LEFT: u8 = 64;

fn key(number: u8) -> StoreKey {
    StoreKey::from_bytes([number; 32])
}

fn entry(number: u8) -> NewEntry {
    let deadline: Timestamp = Clock::system().now().saturating_add(HOUR);
    NewEntry::new(CommitId::from_bytes([number; 8]), deadline, "bytes")
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_nobody_polls_keep_nothing_from_others() {
    let table = Table::in_process().await;
    let store = table.store().build().unwrap();
    store.create(&key(255), &entry(255)).await.unwrap();
    let entries: Vec<_> = (0..LEFT).map(|number| (key(number), entry(number))).collect();
    let loads = left_alone(entries.iter().map(|(key, _)| store.load(key)));
    let creates = left_alone(entries.iter().map(|(key, new)| store.create(key, new)));
    for _ in 0..20 {
        assert!(store.load(&key(255)).await.unwrap().is_some());
    }
    drop((loads, creates));
}

/// The source of credentials takes its time, as the one of a container or of an instance does.
#[derive(Debug)]
struct Slow;

impl ProvideCredentials for Slow {
    fn provide_credentials<'a>(&'a self) -> Providing<'a>
    where
        Self: 'a,
    {
        Providing::new(async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(Credentials::new("test", "test", None, None, "test"))
        })
    }
}

/// The SDK lets one request fetch the credentials for all. If nobody polls that one, the others get
/// them nevertheless.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_fetches_the_credentials_may_be_left_alone() {
    let table = Table::in_process().await;
    let config = table.client().config().to_builder().credentials_provider(Slow).build();
    let builder = DynamoDbStore::builder(Client::from_conf(config)).table(&table.name);
    let store = builder.command_timeout(Duration::from_secs(5)).build().unwrap();
    let keys: Vec<_> = (0..LEFT).map(key).collect();
    let loads = left_alone(keys.iter().map(|key| store.load(key)));
    assert_eq!(store.load(&key(255)).await.unwrap(), None);
    drop(loads);
}

/// A write that was sent is carried out, whether or not anybody waits for its answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_nobody_polls_ends_by_itself() {
    let table = Table::in_process().await;
    let store = table.store().build().unwrap();
    let (key, new) = (key(1), entry(1));
    drop(left_alone([store.create(&key, &new)]));
    while store.load(&key).await.unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
