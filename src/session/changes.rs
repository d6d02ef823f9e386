//! The operation log: what a request does to its session, kept so that it can be done again.
//!
//! A handler works on the record as it was loaded. When the commit finds that another request was
//! quicker, it applies the log to the newer record, key by key, and sends that: nobody's change is
//! lost. Storing the changed record as a whole, as most session libraries do, would overwrite the
//! other request's changes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::record::{Record, Text};

/// A read-modify-write on the bytes of one key; `None` is the absent key.
pub(super) type Rerun =
    Arc<dyn Fn(Option<&Bytes>) -> Result<Bytes, SessionError> + Send + Sync + 'static>;

/// One operation.
#[derive(Clone)]
pub(super) enum Change {
    Set {
        key: Text,
        value: Bytes,
        /// The value that the handler knew, if it had read the key. Kept with the operation and not
        /// looked up in the loaded record, which a `save` that merged has moved.
        read: Option<ReadValue>,
    },
    Remove {
        key: Text,
        read: Option<ReadValue>,
    },
    Update {
        key: Text,
        /// The value that the run in the handler got, and the one it left. The closure runs again only
        /// if it would be given something else.
        input: Option<Bytes>,
        output: Bytes,
        rerun: Rerun,
    },
    Clear,
    /// A login, or a logout that keeps the data. Both give the session a new id.
    Principal {
        principal: Option<Text>,
        at: Timestamp,
    },
    /// A new id; with the idle timeout and lifetime that `remember` was given.
    Renew {
        remember: Option<(Duration, Duration)>,
    },
}

/// The bytes of a key when the handler last read it; `None` is the absent key.
pub(super) type ReadValue = Option<Bytes>;

/// The state in which a log leaves one key.
pub(super) enum Outcome<'a> {
    /// No operation is about the key.
    Untouched,
    Removed,
    Value(&'a Bytes),
}

/// A new id that the log asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Renewal {
    /// The absolute lifetime, if `remember` was given one.
    pub(super) lifetime: Option<Duration>,
}

/// Returns what the log leaves in `key`; the latest operation on it decides.
pub(super) fn outcome_for<'a>(
    key: &str,
    changes: impl DoubleEndedIterator<Item = &'a Change>,
) -> Outcome<'a> {
    for change in changes.rev() {
        match change {
            Change::Set { key: at, value, .. } | Change::Update { key: at, output: value, .. }
                if at.as_str() == key =>
            {
                return Outcome::Value(value);
            }
            Change::Remove { key: at, .. } if at.as_str() == key => return Outcome::Removed,
            Change::Clear => return Outcome::Removed,
            _ => {}
        }
    }
    Outcome::Untouched
}

/// Applies the log to `record`, in order. Runs closures of the app.
///
/// # Errors
///
/// [`SessionError::Conflict`] for a key that was read and holds something else now, and whatever a
/// closure returns when it runs again. The record is then half done and must be dropped.
pub(super) fn apply(changes: &[Change], record: &mut Record) -> Result<(), SessionError> {
    for change in changes {
        match change {
            Change::Set { key, value, read } => {
                check(record, key, read.as_ref())?;
                record.fields.set(key.clone(), value.clone());
            }
            Change::Remove { key, read } => {
                check(record, key, read.as_ref())?;
                record.fields.remove(key.as_str());
            }
            Change::Update { key, input, output, rerun } => {
                let current = record.fields.get(key.as_str());
                let output =
                    if current == input.as_ref() { output.clone() } else { rerun(current)? };
                record.fields.set(key.clone(), output);
            }
            Change::Clear => record.fields.clear(),
            Change::Principal { principal, at } => {
                record.authenticated = principal.as_ref().map(|_| *at);
                record.principal.clone_from(principal);
            }
            Change::Renew { remember: Some((idle, _)) } => {
                record.remembered = true;
                record.idle = *idle;
            }
            Change::Renew { remember: None } => {}
        }
    }
    Ok(())
}

/// Returns the new id that the log asks for, if it does.
pub(super) fn renewal(changes: &[Change]) -> Option<Renewal> {
    changes.iter().fold(None, |found: Option<Renewal>, change| match change {
        Change::Renew { remember: Some((_, lifetime)) } => {
            Some(Renewal { lifetime: Some(*lifetime) })
        }
        Change::Renew { remember: None } | Change::Principal { .. } => {
            Some(found.unwrap_or(Renewal { lifetime: None }))
        }
        _ => found,
    })
}

/// Compares with the value that the handler knew. Comparing with the record that it loaded would
/// overlook what a `save` in between has merged.
fn check(record: &Record, key: &Text, read: Option<&ReadValue>) -> Result<(), SessionError> {
    match read {
        Some(value) if value.as_ref() != record.fields.get(key.as_str()) => Err(conflict(key)),
        _ => Ok(()),
    }
}

/// The error for a key that another request has changed.
pub(super) fn conflict(key: &Text) -> SessionError {
    SessionError::Conflict { key: key.as_str().into() }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Set { .. } => "Set",
            Self::Remove { .. } => "Remove",
            Self::Update { .. } => "Update",
            Self::Clear => "Clear",
            Self::Principal { .. } => "Principal",
            Self::Renew { .. } => "Renew",
        })
    }
}

#[cfg(test)]
mod tests;
