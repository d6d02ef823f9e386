//! A bucket against the model of the contract, with objects among others that no store of this release has written.

use std::sync::Arc;

use async_trait::async_trait;
use cloakroom::store::{SessionStore, StoreKey};
use cloakroom::{Clock, ManualClock};
use cloakroom_testing::model::{Meddling, Subject, Surroundings, compare};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};

use super::buckets::{builder, path};

const LIMIT: usize = 10_000;

struct Objects(Arc<dyn ObjectStore>);

#[async_trait]
impl Surroundings for Objects {
    async fn meddle(&self, key: &StoreKey, choice: u64) -> Meddling {
        let path = path(key);
        let (meddling, bytes) = match choice % 4 {
            0 => {
                self.0.delete(&path).await.unwrap();
                return Meddling::Removed;
            }
            1 => (Meddling::Newer, b"\xc1\x09 of a newer release".to_vec()),
            2 => (Meddling::Damaged, b"another program's object".to_vec()),
            _ => {
                let whole = self.0.get(&path).await.unwrap().bytes().await.unwrap();
                // Shorter than the head of any entry.
                let cut = whole.slice(..usize::try_from(choice >> 8).unwrap() % 10);
                (Meddling::Damaged, cut.to_vec())
            }
        };
        self.0.put(&path, bytes.into()).await.unwrap();
        meddling
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_explained() {
    let clock = ManualClock::at(Clock::system().now());
    let bucket: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let open = async || {
        let builder = builder(bucket.clone()).clock(clock.clone()).max_entry_bytes(LIMIT);
        Arc::new(builder.open().await.unwrap()) as Arc<dyn SessionStore>
    };
    let subject = Subject::new([open().await, open().await], &clock).max_entry_bytes(LIMIT);
    compare(&subject, &Objects(bucket.clone()), 50).await;
}
