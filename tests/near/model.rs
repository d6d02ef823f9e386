//! Two servers with memories of their own against the model of the contract: their five commands go past the memory.

use std::sync::Arc;

use cloakroom::store::{MemoryStore, Near, SessionStore};
use cloakroom_testing::model::{Subject, Undisturbed, compare};

#[tokio::test]
async fn every_answer_is_explained() {
    let clock = cloakroom_testing::clock();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let near = || Arc::new(Near::new(store.clone()).clock(clock.clone())) as Arc<dyn SessionStore>;
    compare(&Subject::new([near(), near()], &clock), &Undisturbed, 100).await;
}
