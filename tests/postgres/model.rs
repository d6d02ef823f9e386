//! PostgreSQL against the model of the contract, with rows among others that no store of this release has written.

use std::sync::Arc;

use async_trait::async_trait;
use cloakroom::store::{SessionStore, StoreKey};
use cloakroom::{Clock, ManualClock};
use cloakroom_testing::MINUTE;
use cloakroom_testing::model::{Meddling, Subject, Surroundings, compare};
use cloakroom_testing::postgres::{Server, table};

use super::stores::{at, builder, literal};

const LIMIT: usize = 10_000;

const CHANGES: [(Meddling, &str); 7] = [
    (Meddling::Newer, "version = '\\x020101010101010101'"),
    (Meddling::Newer, "version = decode(repeat('ff', 32), 'hex'), deadline = 0"),
    (Meddling::Damaged, "version = ''"),
    (Meddling::Damaged, "version = '\\x01010101010101'"),
    (Meddling::Damaged, "version = decode(repeat('02', 33), 'hex')"),
    (Meddling::Damaged, "deadline = -1"),
    (Meddling::Damaged, "deadline = 9223372036854775807"),
];

struct Table(String);

#[async_trait]
impl Surroundings for Table {
    async fn meddle(&self, key: &StoreKey, choice: u64) -> Meddling {
        let (Self(table), key, server) = (self, literal(key), Server::shared());
        match CHANGES.get(usize::try_from(choice).unwrap() % (CHANGES.len() + 1)) {
            Some((meddling, change)) => {
                server.sql(&format!("UPDATE {table} SET {change} WHERE key = {key}"));
                *meddling
            }
            None => {
                server.sql(&format!("DELETE FROM {table} WHERE key = {key}"));
                Meddling::Removed
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn every_answer_is_explained() {
    let (table, clock) = (table(), ManualClock::at(Clock::system().now()));
    let connect = async || {
        let builder = builder(&table).clock(clock.clone()).max_entry_bytes(LIMIT);
        let store = builder.command_timeout(2 * MINUTE).connect(&at(Server::shared())).await;
        Arc::new(store.unwrap()) as Arc<dyn SessionStore>
    };
    let handles = [connect().await, connect().await];
    let subject = Subject::new(handles, &clock).max_entry_bytes(LIMIT);
    compare(&subject, &Table(table), 10).await;
}
