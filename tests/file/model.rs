//! Files against the model of the contract, with files among them that no store of this release has written.

use std::fs;
use std::sync::Arc;

use async_trait::async_trait;
use cloakroom::ManualClock;
use cloakroom::store::{Durability, SessionStore, StoreKey};
use cloakroom_testing::MINUTE;
use cloakroom_testing::model::{Meddling, Subject, Surroundings, compare};

use crate::folder::{Folder, START};

const LIMIT: usize = 300_000;

#[async_trait]
impl Surroundings for Folder {
    async fn meddle(&self, key: &StoreKey, choice: u64) -> Meddling {
        let path = self.session(key);
        let mut bytes = fs::read(&path).unwrap();
        let at = usize::try_from(choice >> 8).unwrap() % bytes.len();
        let meddling = match choice % 4 {
            0 => {
                fs::remove_file(path).unwrap();
                return Meddling::Removed;
            }
            1 => {
                bytes[4] += 1;
                Meddling::Newer
            }
            2 => {
                bytes.truncate(at);
                Meddling::Damaged
            }
            // The first five bytes say that it is a file of this format.
            _ => {
                bytes[at.max(5)] ^= 1;
                Meddling::Damaged
            }
        };
        fs::write(path, bytes).unwrap();
        meddling
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_explained() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let open = async || {
        let options = folder.options().clock(clock.clone()).durability(Durability::None);
        let options = options.max_entry_bytes(LIMIT).command_timeout(2 * MINUTE);
        Arc::new(options.open().await.unwrap()) as Arc<dyn SessionStore>
    };
    let subject = Subject::new([open().await, open().await], &clock).max_entry_bytes(LIMIT);
    compare(&subject, &folder, 20).await;
}
