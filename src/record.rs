//! The session record and its two encodings, one for stores and one for cookies; and the roster of a
//! user's sessions.

mod assurance;
mod compact;
mod fields;
mod roster;
mod stored;

pub(crate) use assurance::Assurance;
pub use assurance::AuthLevel;
pub(crate) use fields::{Fields, Text};
pub(crate) use roster::{EndId, Listed, StoredRoster};
pub(crate) use stored::{MARK_LIFETIME, Mark, Record, RecordError};
