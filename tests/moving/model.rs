//! Each step of a move against the model of the contract.

use std::sync::Arc;

use cloakroom::store::{MemoryStore, Moving, SessionStore};
use cloakroom_testing::model::{Subject, Undisturbed, compare};

async fn explains(step: fn(MemoryStore, MemoryStore) -> Moving<MemoryStore, MemoryStore>) {
    let clock = cloakroom_testing::clock();
    let memory = || MemoryStore::builder().clock(clock.clone()).build();
    let (from, to) = (memory(), memory());
    let server =
        || Arc::new(step(from.clone(), to.clone()).clock(clock.clone())) as Arc<dyn SessionStore>;
    compare(&Subject::new([server(), server()], &clock), &Undisturbed, 100).await;
}

#[tokio::test]
async fn every_answer_of_the_first_step_is_explained() {
    explains(Moving::old_first).await;
}

#[tokio::test]
async fn every_answer_of_the_second_step_is_explained() {
    explains(Moving::new_first).await;
}
