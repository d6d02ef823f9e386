//! MariaDB against the model of the contract, with rows among others that no store of this release has written.

use std::sync::Arc;

use async_trait::async_trait;
use cloakroom::store::{SessionStore, StoreKey};
use cloakroom::{Clock, ManualClock};
use cloakroom_testing::MINUTE;
use cloakroom_testing::mariadb::{Server, TABLE};
use cloakroom_testing::model::{Meddling, Subject, Surroundings, compare};

use super::setup::{at, builder, hex};

const LIMIT: usize = 10_000;

const CHANGES: [(Meddling, &str); 8] = [
    (Meddling::Newer, "version = x'020000000000000001'"),
    (Meddling::Newer, "version = x'ff01010101010101010101', deadline = 1"),
    (Meddling::Damaged, "version = ''"),
    (Meddling::Damaged, "version = x'01020304050607'"),
    (Meddling::Damaged, "version = x'010203040506070809'"),
    (Meddling::Damaged, "deadline = -1"),
    (Meddling::Damaged, "deadline = 281474976710656"),
    (Meddling::Damaged, "deadline = 9223372036854775807"),
];

struct Rows(Server);

#[async_trait]
impl Surroundings for Rows {
    async fn meddle(&self, key: &StoreKey, choice: u64) -> Meddling {
        let key = hex(key);
        match CHANGES.get(usize::try_from(choice).unwrap() % (CHANGES.len() + 1)) {
            Some((meddling, change)) => {
                self.0.sql(&format!("UPDATE {TABLE} SET {change} WHERE `key` = {key}"));
                *meddling
            }
            None => {
                self.0.sql(&format!("DELETE FROM {TABLE} WHERE `key` = {key}"));
                Meddling::Removed
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn every_answer_is_explained() {
    let (server, clock) = (Server::start(), ManualClock::at(Clock::system().now()));
    let connect = async || {
        let builder = builder().command_timeout(2 * MINUTE).max_entry_bytes(LIMIT);
        let store = builder.clock(clock.clone()).connect(&at(server.port)).await;
        Arc::new(store.unwrap()) as Arc<dyn SessionStore>
    };
    let handles = [connect().await, connect().await];
    let subject = Subject::new(handles, &clock).max_entry_bytes(LIMIT);
    compare(&subject, &Rows(server), 10).await;
}
