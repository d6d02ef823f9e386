//! The contract, with every handle a store opened anew. Handles of several processes are tested in
//! `killed`, `fleet` and, of several hosts, in `tests/nfs`.

use std::sync::Arc;
use std::time::Duration;

use cloakroom::store::conformance::{Damage, Harness};
use cloakroom::store::{Durability, SessionStore, StoreKey};
use cloakroom::{ManualClock, Timestamp};

use crate::folder::{Folder, START};

const LIMIT: usize = 300_000;

struct Files {
    folder: Folder,
    clock: ManualClock,
    durability: Durability,
}

impl Files {
    fn new(durability: Durability) -> Self {
        Self { folder: Folder::new(), clock: ManualClock::at(START), durability }
    }
}

#[async_trait::async_trait]
impl Harness for Files {
    async fn open(&self) -> Arc<dyn SessionStore> {
        let options = self.folder.options().clock(self.clock.clone()).durability(self.durability);
        // 64 writers wait for one lock, each for the disk of a machine that may be busy with other things.
        // The default is enough as a rule; what a short patience does has a test of its own.
        let options = options.max_entry_bytes(LIMIT).command_timeout(Duration::from_secs(30));
        Arc::new(options.open().await.unwrap())
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
impl Damage for Files {
    async fn corrupt(&self, key: &StoreKey) {
        let path = self.folder.session(key);
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(path, bytes).unwrap();
    }
}

mod durable_files {
    use super::*;
    cloakroom::store_conformance!(Files::new(Durability::File), damage);
}

mod durable_folders {
    use super::*;
    cloakroom::store_conformance!(Files::new(Durability::Folder), damage);
}

mod not_durable {
    use super::*;
    cloakroom::store_conformance!(Files::new(Durability::None), damage);
}
