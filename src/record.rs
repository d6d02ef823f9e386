//! The session record and its two encodings: one for stores, one for cookies.

mod compact;
mod fields;
mod stored;

pub(crate) use fields::{Fields, Text};
pub(crate) use stored::{MARK_LIFETIME, Mark, Record, RecordError};
