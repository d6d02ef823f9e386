//! The session record and its two encodings, one for stores and one for cookies; and the roster of a
//! user's sessions.

mod assurance;
mod compact;
mod fields;
#[cfg(feature = "sealed")]
mod gcm_siv;
mod roster;
mod sealed;
mod sealing;
mod stored;
mod turn;

pub(crate) use assurance::Assurance;
pub use assurance::AuthLevel;
pub(crate) use fields::{Fields, Text};
#[cfg(feature = "sealed")]
pub(crate) use gcm_siv::GcmSiv;
pub(crate) use roster::{EndId, Listed, StoredRoster};
pub(crate) use sealing::{Cipher, NONCE_LEN, SEAL_LEN, Seal, SealKeys};
pub(crate) use stored::{FORMAT_SEALED, MARK_LIFETIME, Mark, Record, RecordError};
#[cfg(test)]
pub(crate) use turn::OVERLAP;
pub(crate) use turn::Turn;
