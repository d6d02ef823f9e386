//! The operation log: what a request does to its session, kept so that it can be done again.
//!
//! A handler works on the record as it was loaded. When the commit finds that another request was
//! quicker, it applies the log to the newer record, key by key, and sends that: nobody's change is
//! lost. Storing the changed record as a whole, as most session libraries do, would overwrite the
//! other request's changes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::known_roster::KnownRoster;
use super::reads::{FEW, ReadValue, Reads};
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::record::{Assurance, Fields, Record, Text};

/// A read-modify-write on the bytes of one key; `None` is the absent key.
pub(super) type Rerun =
    Arc<dyn Fn(Option<&Bytes>) -> Result<Bytes, SessionError> + Send + Sync + 'static>;

/// Takes delivery of the bytes that a [`Change::Take`] removes; `None` is the absent key. It runs at every
/// attempt of a commit, so the last run got what the commit has taken.
pub(super) type Receive =
    Arc<dyn Fn(Option<&Bytes>) -> Result<(), SessionError> + Send + Sync + 'static>;

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
    /// Removes a key and hands over what was there.
    Take {
        key: Text,
        receive: Receive,
    },
    Clear {
        /// The keys that the handler had read, as it knew them. Only the first `Clear` of a log has them.
        known: Option<Arc<Reads>>,
    },
    /// A login, or a logout that keeps the data. Both give the session a new id.
    Principal {
        principal: Option<Text>,
        /// The time from which the login counts.
        at: Timestamp,
        /// How strong it was. Set by a login alone: a renewal keeps it, and a merge never meets another one, because
        /// every login gives a new id.
        assurance: Assurance,
        /// The principal's roster, as it was before the login began.
        known: Option<Arc<KnownRoster>>,
    },
    /// A new id; with the idle timeout and lifetime that `remember` was given.
    Renew {
        remember: Option<(Duration, Duration)>,
    },
}

impl Change {
    /// Whether it is about values, and not about who is logged in and under which id.
    fn is_of_values(&self) -> bool {
        !matches!(self, Self::Principal { .. } | Self::Renew { .. })
    }
}

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
pub(super) fn outcome_for<'a>(key: &str, changes: &'a [Change]) -> Outcome<'a> {
    for change in changes.iter().rev() {
        match change {
            Change::Set { key: at, value, .. } | Change::Update { key: at, output: value, .. }
                if at.as_bytes() == key.as_bytes() =>
            {
                return Outcome::Value(value);
            }
            Change::Remove { key: at, .. } | Change::Take { key: at, .. }
                if at.as_bytes() == key.as_bytes() =>
            {
                return Outcome::Removed;
            }
            Change::Clear { .. } => return Outcome::Removed,
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
pub(super) fn apply(
    changes: &[Change],
    record: &mut Record,
    reads: CheckReads,
) -> Result<(), SessionError> {
    if record.is_closed() && changes.iter().any(Change::is_of_values) {
        return Err(SessionError::Sealed);
    }
    if changes.len() <= FEW {
        apply_to(record, changes, reads)?;
    } else {
        // Each insertion into a sorted list moves all that stand behind it.
        let fields = std::mem::take(&mut record.fields).into_map();
        let mut many = Many { record, fields };
        apply_to(&mut many, changes, reads)?;
        many.record.fields = Fields::from_map(many.fields);
    }
    // Asked for in the same request, whether before or after the login.
    if let Some((idle, _)) = remembered(changes) {
        (record.remembered, record.idle) = (true, idle);
    }
    Ok(())
}

/// Sets the principal. Whoever logs in to a session that was nobody's gets the layer's idle timeout, which
/// may be longer than that of visitors. "Remember me" was the wish of the user who leaves, so the next one
/// in the same browser has the layer's timeouts too. Here the timeout is opened only;
/// [`Terms::tighten`](super::terms::Terms::tighten) cuts it down to the layer's.
fn change_principal(record: &mut Record, principal: Option<&Text>) {
    if record.principal.as_ref() == principal {
        return;
    }
    record.handle = None;
    let has_layers_timeouts = match record.principal {
        Some(_) => record.remembered,
        None => !record.remembered,
    };
    if has_layers_timeouts {
        (record.remembered, record.idle) = (false, Duration::MAX);
    }
    record.principal = principal.cloned();
}

fn apply_to(
    draft: &mut impl UnderChange,
    changes: &[Change],
    reads: CheckReads,
) -> Result<(), SessionError> {
    for change in changes {
        match change {
            Change::Set { key, value, read } => {
                reads.check(draft, key, read.as_ref())?;
                draft.put(key.clone(), value.clone());
            }
            Change::Remove { key, read } => {
                reads.check(draft, key, read.as_ref())?;
                draft.take_out(key);
            }
            Change::Update { key, input, output, rerun } => {
                let current = draft.value(key);
                let output =
                    if current == input.as_ref() { output.clone() } else { rerun(current)? };
                draft.put(key.clone(), output);
            }
            Change::Take { key, receive } => {
                receive(draft.value(key))?;
                draft.take_out(key);
            }
            Change::Clear { .. } => draft.empty(),
            Change::Principal { principal, at, assurance, .. } => {
                let record = draft.record();
                record.authenticated = principal.as_ref().map(|_| *at);
                record.assurance = *assurance;
                change_principal(record, principal.as_ref());
            }
            // The lifetime follows with the new id: in `Slot::draft` for a new session, otherwise in
            // `Terms::renew_lifetime`.
            Change::Renew { remember: Some((idle, _)) } => {
                let record = draft.record();
                record.remembered = true;
                record.idle = *idle;
            }
            Change::Renew { remember: None } => {}
        }
    }
    Ok(())
}

/// A record under changes: its values as it has them, or in a map while many are changed.
trait UnderChange {
    fn record(&mut self) -> &mut Record;
    fn value(&self, key: &Text) -> Option<&Bytes>;
    fn put(&mut self, key: Text, value: Bytes);
    fn take_out(&mut self, key: &Text);
    fn empty(&mut self);
}

impl UnderChange for Record {
    fn record(&mut self) -> &mut Record {
        self
    }

    fn value(&self, key: &Text) -> Option<&Bytes> {
        self.fields.value(key)
    }

    fn put(&mut self, key: Text, value: Bytes) {
        self.fields.set(key, value);
    }

    fn take_out(&mut self, key: &Text) {
        self.fields.remove(key);
    }

    fn empty(&mut self) {
        self.fields.clear();
    }
}

struct Many<'a> {
    record: &'a mut Record,
    fields: BTreeMap<Text, Bytes>,
}

impl UnderChange for Many<'_> {
    fn record(&mut self) -> &mut Record {
        self.record
    }

    fn value(&self, key: &Text) -> Option<&Bytes> {
        self.fields.get(key)
    }

    fn put(&mut self, key: Text, value: Bytes) {
        self.fields.insert(key, value);
    }

    fn take_out(&mut self, key: &Text) {
        self.fields.remove(key);
    }

    fn empty(&mut self) {
        self.fields.clear();
    }
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

/// Goes back to what the handler knew before it made these changes, which are taken back.
///
/// Since then it has read its own values. If the keys were read again instead, it would know what others have stored
/// meanwhile, and could write over what it has never seen. A key that the handler no longer knows stays
/// unknown: what was known of it was about another session.
pub(super) fn take_back(changes: &[Change], reads: &mut Reads) {
    for change in changes.iter().rev() {
        match change {
            Change::Set { key, read, .. } | Change::Remove { key, read } => {
                reads.correct(key, read.as_ref());
            }
            Change::Update { key, input, .. } => reads.correct(key, Some(input)),
            Change::Clear { known: Some(known) } => reads.go_back_to(known),
            Change::Clear { known: None }
            | Change::Take { .. }
            | Change::Principal { .. }
            | Change::Renew { .. } => {}
        }
    }
}

/// Applies only what makes the log a login.
pub(super) fn apply_login(changes: &[Change], record: &mut Record) -> Result<(), SessionError> {
    apply(&renewing(changes), record, CheckReads::No)
}

/// Returns the operations that ask for a new id. They hold no code of the app.
pub(super) fn renewing<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Vec<Change> {
    let renews =
        |change: &&Change| matches!(change, Change::Principal { .. } | Change::Renew { .. });
    changes.into_iter().filter(renews).cloned().collect()
}

/// Returns the idle timeout and the lifetime of "remember me", if the log asks for it.
fn remembered(changes: &[Change]) -> Option<(Duration, Duration)> {
    changes.iter().rev().find_map(|change| match change {
        Change::Renew { remember } => *remember,
        _ => None,
    })
}

/// Whether a key that was read must still hold what the handler saw.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CheckReads {
    Yes,
    /// For a login that begins anew, on a record that its handler has never seen.
    No,
}

impl CheckReads {
    /// Compares with the value that the handler knew. Comparing with the record that it loaded would
    /// overlook what a `save` in between has merged.
    fn check(
        self,
        draft: &impl UnderChange,
        key: &Text,
        read: Option<&ReadValue>,
    ) -> Result<(), SessionError> {
        match read {
            Some(value) if self == Self::Yes && value.as_ref() != draft.value(key) => {
                Err(conflict(key))
            }
            _ => Ok(()),
        }
    }
}

/// Returns whether the log logs somebody in.
pub(super) fn logs_in(changes: &[Change]) -> bool {
    let last = changes.iter().rev().find_map(|change| match change {
        Change::Principal { principal, .. } => Some(principal.is_some()),
        _ => None,
    });
    last == Some(true)
}

/// Returns the roster that the last login in the log has read.
pub(super) fn known_roster(changes: &[Change]) -> Option<Arc<KnownRoster>> {
    let mut logins = changes.iter().rev();
    logins.find_map(|change| match change {
        Change::Principal { known, .. } => Some(known.clone()),
        _ => None,
    })?
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
            Self::Take { .. } => "Take",
            Self::Clear { .. } => "Clear",
            Self::Principal { .. } => "Principal",
            Self::Renew { .. } => "Renew",
        })
    }
}

#[cfg(test)]
mod tests;
