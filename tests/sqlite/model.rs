//! SQLite against the model of the contract, with rows among others that no store of this release has written.

use std::sync::Arc;

use async_trait::async_trait;
use cloakroom::ManualClock;
use cloakroom::store::{SessionStore, SqliteSynchronous, StoreKey};
use cloakroom_testing::MINUTE;
use cloakroom_testing::model::{Meddling, Subject, Surroundings, compare};

use crate::database::{Database, START, options};

const LIMIT: usize = 300_000;

const CHANGES: [(Meddling, &str); 9] = [
    (Meddling::Removed, "DELETE FROM cloakroom"),
    (Meddling::Newer, "UPDATE cloakroom SET format = 2"),
    (Meddling::Newer, "UPDATE cloakroom SET format = 9, version = x'', deadline = 'later'"),
    (Meddling::Damaged, "UPDATE cloakroom SET version = x''"),
    (Meddling::Damaged, "UPDATE cloakroom SET version = substr(version, 2)"),
    (Meddling::Damaged, "UPDATE cloakroom SET version = 1"),
    (Meddling::Damaged, "UPDATE cloakroom SET deadline = -1"),
    (Meddling::Damaged, "UPDATE cloakroom SET deadline = deadline + 0.5"),
    (Meddling::Damaged, "UPDATE cloakroom SET bytes = 'text'"),
];

#[async_trait]
impl Surroundings for Database {
    async fn meddle(&self, key: &StoreKey, choice: u64) -> Meddling {
        let (meddling, change) = CHANGES[usize::try_from(choice).unwrap() % CHANGES.len()];
        let change = format!("{change} WHERE key = ?1");
        let rows = self.other().execute(&change, [key.as_bytes().as_slice()]).unwrap();
        assert_eq!(rows, 1, "{change}");
        meddling
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_explained() {
    let (database, clock) = (Database::new(), ManualClock::at(START));
    let open = async || {
        let options = options().clock(clock.clone()).synchronous(SqliteSynchronous::Normal);
        let options = options.max_entry_bytes(LIMIT).command_timeout(2 * MINUTE);
        Arc::new(options.open(database.path()).await.unwrap()) as Arc<dyn SessionStore>
    };
    let subject = Subject::new([open().await, open().await], &clock).max_entry_bytes(LIMIT);
    compare(&subject, &database, 20).await;
}
