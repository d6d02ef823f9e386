//! Commands that come at the same time are sent as one, and each of them has the outcome that it would have
//! had alone.

mod lost_answers;
mod outcomes;
mod turns;

use bytes::Bytes;
use cloakroom::store::{CommitId, NewEntry, RedisStore, SessionStore, StoreKey, Version};
use cloakroom::{Clock, Timestamp};

use super::conformance::Topology;
use super::setup::store;
use cloakroom_testing::redis::Standalone;
use cloakroom_testing::{MINUTE, all};

pub(super) fn key(number: usize) -> StoreKey {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    StoreKey::from_bytes(bytes)
}

pub(super) fn name(number: usize) -> String {
    format!("cloakroom:{number:064x}")
}

pub(super) fn keys(count: usize) -> impl Iterator<Item = StoreKey> {
    (0..count).map(key)
}

pub(super) fn commit(number: u8) -> CommitId {
    CommitId::from_bytes([number; 8])
}

pub(super) fn version(number: u8) -> Version {
    commit(number).into()
}

pub(super) fn entry(number: u8, bytes: impl Into<Bytes>) -> NewEntry {
    NewEntry::new(commit(number), Clock::system().now().saturating_add(MINUTE), bytes)
}

pub(super) fn later() -> Timestamp {
    Clock::system().now().saturating_add(3 * MINUTE)
}

pub(super) async fn store_on(server: &Standalone) -> RedisStore {
    store(&server.server()).await
}

/// A store whose server knows the scripts, and that knows that it has one server.
pub(super) async fn warm_store_on(server: &Standalone) -> RedisStore {
    let store = store_on(server).await;
    let keys: Vec<_> = (1_000..1_003).map(key).collect();
    warm_up(server, &store).await;
    store.create(&keys[0], &entry(1, "")).await.unwrap();
    store.touch(&keys[0], &version(1), later()).await.unwrap();
    store.replace(&keys[0], &version(1), &entry(2, "")).await.unwrap();
    store
}

/// Writes until writes are gathered. The first ones go alone, while the store asks whether it has one server.
pub(super) async fn warm_up(server: &Standalone, store: &RedisStore) {
    // One that asks, and one that gathers.
    let scripts = || server.info("number_of_cached_scripts").unwrap().parse::<usize>().unwrap();
    let new = entry(1, "");
    for round in 0.. {
        let keys: Vec<_> = (0..4).map(|at| key(10_000 + 4 * round + at)).collect();
        all(keys.iter().map(async |key| store.create(key, &new).await.unwrap())).await;
        if scripts() >= 2 {
            return;
        }
    }
}
