//! The contract of a store. Every handle is a store of its own. `killed` and `fleet` test handles of
//! several processes, `tests/nfs` those of several hosts.

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
        // Up to 64 writers wait for one lock while each waits for a disk that other tests keep busy. The
        // default timeout is enough as a rule; another test covers a short one.
        let options = options.max_entry_bytes(LIMIT).command_timeout(Duration::from_secs(120));
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
