//! Values to MessagePack and back, with errors that name the key.

use std::sync::Arc;

use bytes::Bytes;
use rmp_serde::config::BytesMode;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{SessionError, StoreError};
use crate::record::Text;

/// The capacity a buffer starts with: most values fit, and larger ones grow from it in few steps.
const SMALL: usize = 128;

/// Encodes a value. Structs become maps by name, so that a field can be added later, and byte strings
/// become `bin`.
pub(crate) fn encode<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Bytes, SessionError> {
    // Telling byte strings from other lists is a guess by their first element. Where it is wrong
    // (a list of untagged enums that begins with a small number), they are written as lists.
    let out = encode_with(BytesMode::ForceIterables, value)
        .or_else(|_| encode_with(BytesMode::Normal, value))
        .map_err(|source| SessionError::Encode { key: key.into(), source: Arc::new(source) })?;
    if u32::try_from(out.len()).is_err() {
        return Err(StoreError::too_large(out.len(), u32::MAX as usize).into());
    }
    Ok(out.into())
}

fn encode_with<T: Serialize + ?Sized>(
    bytes: BytesMode,
    value: &T,
) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    let mut out = Vec::with_capacity(SMALL);
    value
        .serialize(&mut rmp_serde::Serializer::new(&mut out).with_struct_map().with_bytes(bytes))?;
    Ok(out)
}

pub(crate) fn decode<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, SessionError> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
    T::deserialize(&mut deserializer).map_err(|source| SessionError::Decode {
        key: key.into(),
        type_name: std::any::type_name::<T>(),
        source: Arc::new(source),
    })
}

pub(crate) fn text(key: &str) -> Result<Text, SessionError> {
    Text::new(key).ok_or(SessionError::KeyTooLong { length: key.len() })
}
