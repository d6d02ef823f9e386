//! Doors for the targets in `fuzz/`.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::value;

pub(crate) use super::revocations::fuzzing::revocations;

/// Encodes a value as a session does.
pub fn encode_value<T: Serialize>(value: &T) -> Option<Vec<u8>> {
    value::encode("k", value).ok().map(Vec::from)
}

/// Decodes a value as a session does.
pub fn decode_value<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    value::decode("k", bytes).ok()
}
