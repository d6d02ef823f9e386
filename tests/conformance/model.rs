//! The memory store against the model of the contract, and wrong stores, whose faults the model has to find.

use std::sync::Arc;

use async_trait::async_trait;
use cloakroom::store::conformance::{Damage, Harness};
use cloakroom::store::{MemoryStore, SessionStore, StoreKey};
use cloakroom_testing::model::{
    Meddling, Subject, Surroundings, Undisturbed, compare, differences,
};

use crate::broken::expected;
use crate::fault::Fault;
use crate::shelf::{LIMIT, ShelfHarness};

#[tokio::test]
async fn every_answer_of_the_memory_store_is_explained() {
    let clock = cloakroom_testing::clock();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let handles: [Arc<dyn SessionStore>; 2] = [Arc::new(store.clone()), Arc::new(store)];
    compare(&Subject::new(handles, &clock), &Undisturbed, 200).await;
}

#[async_trait]
impl Surroundings for ShelfHarness {
    async fn meddle(&self, key: &StoreKey, _: u64) -> Meddling {
        self.corrupt(key).await;
        Meddling::Damaged
    }
}

async fn found(fault: Fault) -> Result<usize, String> {
    let shelf = ShelfHarness::new(fault);
    let handles = [shelf.open().await, shelf.open().await];
    let subject = Subject::new(handles, shelf.clock()).max_entry_bytes(LIMIT);
    differences(&subject, &shelf, 0..60).await
}

#[tokio::test]
async fn every_answer_of_a_store_without_a_fault_is_explained() {
    let commands = found(Fault::None).await.unwrap();
    assert!(commands > 10_000, "{commands}");
}

/// All but what is no answer.
#[tokio::test]
async fn the_answers_of_every_wrong_store_are_not_explained() {
    for (fault, ..) in expected().filter(|(fault, ..)| *fault != Fault::DebugShows) {
        let told = found(*fault).await.expect_err(&format!("{fault:?} was not found"));
        assert!(told.contains("MODEL_FIRST="), "{told}");
    }
}
