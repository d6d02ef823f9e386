//! The operation log: what a request does to its session, kept so that it can be done again.
//!
//! Handlers work on the record as it was loaded. When the commit finds that another request was
//! quicker, the log is applied to the newer record, key by key, and sent again: nobody's change is
//! lost. Storing the changed record as a whole, as is usual, would overwrite the other request's.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::record::{Record, Text};

/// A read-modify-write on one key's bytes; `None` is the absent key.
pub(super) type Rerun =
    Arc<dyn Fn(Option<&Bytes>) -> Result<Bytes, SessionError> + Send + Sync + 'static>;

/// One operation.
#[derive(Clone)]
pub(super) enum Change {
    Set {
        key: Text,
        value: Bytes,
        /// What the handler had seen of the key, if it had looked.
        seen: Option<Sight>,
    },
    Remove {
        key: Text,
        seen: Option<Sight>,
    },
    Update {
        key: Text,
        /// What the run in the handler was given, and what it made of it: the closure runs again
        /// only where it would be given something else.
        input: Option<Bytes>,
        output: Bytes,
        rerun: Rerun,
    },
    Clear,
    Principal {
        principal: Option<Text>,
        at: Timestamp,
    },
    Renew {
        remember: Option<(Duration, Duration)>,
    },
}

/// The bytes of a key when the handler last looked; `None` is the absent key.
pub(super) type Sight = Option<Bytes>;

/// What a log says about one key.
pub(super) enum Said<'a> {
    Nothing,
    Removed,
    Value(&'a Bytes),
}

/// What the log leaves in `key`; the latest operation on it decides.
pub(super) fn said<'a>(
    changes: impl DoubleEndedIterator<Item = &'a Change>,
    key: &str,
) -> Said<'a> {
    for change in changes.rev() {
        match change {
            Change::Set { key: at, value, .. } | Change::Update { key: at, output: value, .. }
                if at.as_str() == key =>
            {
                return Said::Value(value);
            }
            Change::Remove { key: at, .. } if at.as_str() == key => return Said::Removed,
            Change::Clear => return Said::Removed,
            _ => {}
        }
    }
    Said::Nothing
}

/// Does everything in the log to `record`, in order. Runs user code.
///
/// # Errors
///
/// [`SessionError::Conflict`] for a key that was read and holds something else now; whatever a
/// closure answers when it runs again. The record is then half done and must be dropped.
pub(super) fn apply(changes: &[Change], record: &mut Record) -> Result<(), SessionError> {
    for change in changes {
        match change {
            Change::Set { key, value, seen } => {
                check(record, key, seen.as_ref())?;
                record.fields.set(key.clone(), value.clone());
            }
            Change::Remove { key, seen } => {
                check(record, key, seen.as_ref())?;
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

/// Whether the log asks for a new id, and the lifetime that it then has if it says so.
pub(super) fn renewal(changes: &[Change]) -> Option<Option<Duration>> {
    changes.iter().fold(None, |found, change| match change {
        Change::Renew { remember: Some((_, lifetime)) } => Some(Some(*lifetime)),
        Change::Renew { remember: None } | Change::Principal { .. } => Some(found.flatten()),
        _ => found,
    })
}

/// Against what the handler saw, not against the record it loaded: a `save` moves that.
fn check(record: &Record, key: &Text, seen: Option<&Sight>) -> Result<(), SessionError> {
    match seen {
        Some(sight) if sight.as_ref() != record.fields.get(key.as_str()) => {
            Err(SessionError::Conflict { key: key.as_str().into() })
        }
        _ => Ok(()),
    }
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
