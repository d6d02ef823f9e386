//! The contract of a store. Every handle is a store of its own, as another process has it.

use std::sync::Arc;
use std::time::Duration;

use cloakroom::store::conformance::{Damage, Harness};
use cloakroom::store::{SessionStore, SqliteSynchronous, StoreKey};
use cloakroom::{ManualClock, Timestamp};

use crate::database::{Database, START, options};

const LIMIT: usize = 300_000;

struct Tables {
    database: Database,
    clock: ManualClock,
    synchronous: SqliteSynchronous,
}

impl Tables {
    fn new(synchronous: SqliteSynchronous) -> Self {
        Self { database: Database::new(), clock: ManualClock::at(START), synchronous }
    }
}

#[async_trait::async_trait]
impl Harness for Tables {
    async fn open(&self) -> Arc<dyn SessionStore> {
        // Other tests keep the disk busy; another test covers a short time-out.
        let options = options().clock(self.clock.clone()).synchronous(self.synchronous);
        let options = options.max_entry_bytes(LIMIT).command_timeout(Duration::from_secs(120));
        Arc::new(options.open(self.database.path()).await.unwrap())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn max_entry_bytes(&self) -> Option<usize> {
        Some(LIMIT)
    }
}

#[async_trait::async_trait]
impl Damage for Tables {
    async fn corrupt(&self, key: &StoreKey) {
        let cut = "UPDATE cloakroom SET version = substr(version, 2) WHERE key = ?1";
        let rows = self.database.other().execute(cut, [key.as_bytes().as_slice()]).unwrap();
        assert_eq!(rows, 1);
    }
}

mod full {
    use super::*;
    cloakroom::store_conformance!(Tables::new(SqliteSynchronous::Full), damage);
}

mod normal {
    use super::*;
    cloakroom::store_conformance!(Tables::new(SqliteSynchronous::Normal), damage);
}
