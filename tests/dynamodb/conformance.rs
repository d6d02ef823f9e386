//! The store contract.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use cloakroom::store::conformance::{Damage, Harness};
use cloakroom::store::{DynamoDbStoreBuilder, SessionStore, StoreKey};
use cloakroom::{Clock, ManualClock, Timestamp};

use crate::emulator::Table;

struct Dynamo {
    table: Table,
    clock: ManualClock,
    built: fn(DynamoDbStoreBuilder) -> DynamoDbStoreBuilder,
}

impl Dynamo {
    fn new(table: Table, built: fn(DynamoDbStoreBuilder) -> DynamoDbStoreBuilder) -> Self {
        Self { table, clock: ManualClock::at(Clock::system().now()), built }
    }
}

#[async_trait::async_trait]
impl Harness for Dynamo {
    /// Opens a store with a client of its own, and so with connections of its own.
    async fn open(&self) -> Arc<dyn SessionStore> {
        let store = (self.built)(self.table.store()).clock(self.clock.clone());
        // The emulators are slow, and dozens of concurrent commands wait for each other.
        Arc::new(store.command_timeout(Duration::from_secs(45)).build().unwrap())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn max_entry_bytes(&self) -> Option<usize> {
        Some((self.built)(self.table.store()).build().unwrap().max_entry_bytes())
    }
}

#[async_trait::async_trait]
impl Damage for Dynamo {
    /// Removes the data and leaves everything that a condition could compare.
    async fn corrupt(&self, key: &StoreKey) {
        let key = AttributeValue::B(Blob::new(key.as_bytes()));
        let request = self.table.client().update_item().table_name(&self.table.name);
        let request = request.key("id", key).update_expression("REMOVE d");
        request.send().await.unwrap();
    }
}

mod in_process {
    use super::*;
    cloakroom::store_conformance!(Dynamo::new(Table::in_process().await, |store| store), damage);
}

/// The laws about reads, where a request's first look is eventually consistent: all others are not.
mod with_eventually_consistent_reads {
    use cloakroom::store::conformance::{self as laws, check};

    use super::*;

    macro_rules! laws {
        ($($law:ident)+) => {
            $(#[test]
            fn $law() {
                check(async {
                    let table = Table::in_process().await;
                    let dynamo = Dynamo::new(table, |store| store.eventually_consistent_reads());
                    laws::$law(&dynamo).await
                });
            })+
        };
    }
    laws! {
        an_absent_entry_is_none
        what_was_created_is_loaded
        every_command_sees_the_one_before_it
        an_entry_lives_until_its_deadline
        an_expired_entry_is_none
        a_touched_entry_outlives_its_first_deadline
        parallel_writers_lose_no_byte
        damage_is_corrupt_when_loaded
    }
}

mod in_ministack {
    use super::*;
    cloakroom::store_conformance!(
        Dynamo::new(Table::in_ministack().await, |store| store),
        damage,
        #[ignore = "needs ministack"]
    );
}
