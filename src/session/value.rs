//! Values to MessagePack and back, with errors that name the key.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use rmp_serde::{decode, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use smallvec::SmallVec;

use super::nesting::{MOST_LEVELS, Nesting, TooDeep};
use crate::error::{SessionError, StoreError};
use crate::record::Text;

/// The bytes of a value while it is encoded. Most values fit on the stack, and are then copied into one
/// allocation of their exact size; larger ones grow as a list does.
type Buffer = SmallVec<[u8; 1024]>;

/// Why a value cannot be encoded or decoded.
///
/// It takes the place of the library's error, which quotes what it found: `invalid type: string "…",
/// expected u32`. Errors end in logs and on error pages, where stored values have no place.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
enum Mismatch {
    #[error("lists and maps are within each other over {MOST_LEVELS} levels deep")]
    TooDeep,
    #[error("it lacks the field `{0}`")]
    MissingField(String),
    #[error("it has another type, shape or range")]
    OtherType,
    #[error("a list has another length")]
    OtherLength,
    #[error("a text is not UTF-8")]
    NotUtf8,
    #[error("its bytes end too early")]
    EndsEarly,
    #[error("its own code, or its type's, refused it")]
    Refused,
}

/// Encodes a value. Structs become maps by name, so that a field can be added later.
///
/// A `Vec<u8>` becomes a list, and only what says itself that it is bytes becomes `bin`. With `bin` for both,
/// which the library can write too, the list would take a third less. But serde keeps what is in a `flatten`
/// and in a tagged or untagged enum back before it decodes it, as bytes if it was `bin`, and a `Vec<u8>` is
/// not read from bytes. Where a text or an `Option` is tried too, the value would even be read as another.
///
/// For the same reason an address, a UUID or a set of flags is asked for its text, as by JSON, and not for its
/// compact form: what serde has kept back expects text, so that an address in a tagged enum could be stored and
/// never read again.
pub(crate) fn encode<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Bytes, SessionError> {
    let bytes = encode_bytes(value)
        .map_err(|why| SessionError::Encode { key: key.into(), source: Arc::new(why) })?;
    if u32::try_from(bytes.len()).is_err() {
        return Err(StoreError::too_large(bytes.len(), u32::MAX as usize).into());
    }
    Ok(bytes)
}

fn encode_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, Mismatch> {
    let mut out = Out { bytes: Buffer::new(), nesting: Nesting::default() };
    let serializer = rmp_serde::Serializer::new(&mut out).with_struct_map();
    let mut serializer = serializer.with_human_readable();
    value.serialize(&mut serializer).map_err(|error| match error {
        encode::Error::InvalidValueWrite(_) | encode::Error::DepthLimitExceeded => {
            Mismatch::TooDeep
        }
        _ => Mismatch::Refused,
    })?;
    Ok(match out.bytes.spilled() {
        true => out.bytes.into_vec().into(),
        false => Bytes::copy_from_slice(&out.bytes),
    })
}

/// The bytes of a value that is being encoded. Writing fails where it gets too deep, so the encoder
/// stops before it has used up the stack. (The levels of structs with `#[serde(flatten)]` are seen
/// together, because the encoder keeps them back.)
struct Out {
    bytes: Buffer,
    nesting: Nesting,
}

impl io::Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.nesting.take(bytes).map_err(|TooDeep| io::ErrorKind::InvalidData)?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Decodes a value.
pub(crate) fn decode<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, SessionError> {
    decode_bytes(bytes).map_err(|why| SessionError::Decode {
        key: key.into(),
        type_name: std::any::type_name::<T>(),
        source: Arc::new(why),
    })
}

fn decode_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Mismatch> {
    let mut nesting = Nesting::default();
    nesting.take(bytes).map_err(|TooDeep| Mismatch::TooDeep)?;
    // A decoder reserves memory for the length that a list announces, up to a megabyte on each level.
    if !nesting.is_complete() {
        return Err(Mismatch::EndsEarly);
    }
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes).with_human_readable();
    T::deserialize(&mut deserializer).map_err(|error| match error {
        decode::Error::InvalidMarkerRead(_) | decode::Error::InvalidDataRead(_) => {
            Mismatch::EndsEarly
        }
        decode::Error::LengthMismatch(_) => Mismatch::OtherLength,
        decode::Error::Utf8Error(_) => Mismatch::NotUtf8,
        decode::Error::DepthLimitExceeded => Mismatch::TooDeep,
        decode::Error::Syntax(text) => missing_field(&text, bytes).unwrap_or(Mismatch::OtherType),
        _ => Mismatch::OtherType,
    })
}

/// Returns which field a struct misses, the commonest reason after a change of the struct.
///
/// serde hands it over as text alone, and a type's own code may have written any text. So the name must
/// be an identifier which the stored value does not contain.
fn missing_field(text: &str, stored: &[u8]) -> Option<Mismatch> {
    let name = text.strip_prefix("missing field `")?.strip_suffix('`')?;
    let is_identifier = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_stored = memchr::memmem::find(stored, name.as_bytes()).is_some();
    (is_identifier && !is_stored).then(|| Mismatch::MissingField(name.to_owned()))
}

pub(crate) fn text(key: &str) -> Result<Text, SessionError> {
    Text::new(key).ok_or(SessionError::KeyTooLong { length: key.len() })
}

#[cfg(test)]
mod tests;
