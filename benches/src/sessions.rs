//! Many real records without a request for each.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use cloakroom::Timestamp;
use cloakroom::store::{
    CommitId, Created, Entry, NewEntry, Replaced, SessionStore, StoreError, StoreKey, Touched,
    Version,
};

use crate::apps::{self, Values};
use crate::nowhere::Nowhere;
use crate::traffic::Traffic;

/// Returns the record of a new session with one value of `bytes` bytes, as the layer passes it to a
/// store.
///
/// # Panics
///
/// If the layer writes no record.
pub fn record_with(bytes: usize) -> Bytes {
    let recorder = Recorder::default();
    let mut app = apps::cloakroom(Values::of(bytes), recorder.clone());
    Traffic::new().answer(&mut app, "/write", &None);
    let written = recorder.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    let record = written.expect("the first write creates a record");
    assert!(record.len() > bytes, "the value is in it");
    record
}

/// Returns the key of visitor `number`. Keys are spread evenly, as hashes are.
pub fn key_of(number: usize) -> StoreKey {
    let mut bytes = [0; 32];
    let mut state = number as u64;
    for chunk in bytes.chunks_exact_mut(8) {
        chunk.copy_from_slice(&mix(&mut state).to_be_bytes());
    }
    StoreKey::from_bytes(bytes)
}

/// Returns an entry with a copy of `record`'s bytes.
pub fn entry_of(number: usize, record: &[u8], deadline: Timestamp) -> NewEntry {
    let commit = CommitId::from_bytes((number as u64).to_be_bytes());
    NewEntry::new(commit, deadline, Bytes::from(record.to_vec()))
}

/// SplitMix64, by Sebastiano Vigna: a bijection with good spread, nothing secret.
fn mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A store that keeps the record of the last create.
#[derive(Clone, Debug, Default)]
struct Recorder(Arc<Mutex<Option<Bytes>>>);

#[async_trait]
impl SessionStore for Recorder {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        Nowhere.load(key).await
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(entry.bytes.clone());
        Nowhere.create(key, entry).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        Nowhere.replace(key, expected, entry).await
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        Nowhere.touch(key, expected, deadline).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        Nowhere.delete(key).await
    }
}
