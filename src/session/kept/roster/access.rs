//! Reading and writing the roster of one principal.

use tokio::time::Instant;

use crate::error::{SessionError, StoreErrorKind};
use crate::id::{CommitId, StoreKey};
use crate::record::{RecordError, StoredRoster};
use crate::session::kept::commands::Commands;
use crate::session::kept::fresh_id::Issuer;
use crate::session::kept::queue::{Place, Queues};
use crate::session::known_roster::{Damage, KnownRoster};
use crate::session::terms::Terms;
use crate::store::{Created, Entry, NewEntry, Replaced};

/// The rosters of one layer, as one commit or one call works with them.
#[derive(Clone, Copy)]
pub(crate) struct Rosters<'a> {
    pub(in crate::session::kept) commands: Commands<'a>,
    pub(in crate::session::kept) terms: &'a Terms,
    pub(in crate::session::kept) bound_name: &'a str,
    pub(in crate::session::kept) queues: &'a Queues,
}

/// The result of one conditional write of a roster.
pub(super) enum Written {
    Done,
    /// Others were quicker; this is there now.
    Conflict(KnownRoster),
    /// The answer was lost.
    Lost,
}

/// The reason for a write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    List,
    End,
}

impl<'a> Rosters<'a> {
    /// The rosters that list the sessions of this issuer.
    pub(in crate::session::kept) fn of(issuer: &Issuer<'a>) -> Self {
        let Issuer { commands, terms, carrier, queues, .. } = *issuer;
        Self { commands, terms, bound_name: carrier.bound_name(), queues }
    }
}

impl Rosters<'_> {
    pub(crate) fn key(&self, principal: &str) -> StoreKey {
        StoreKey::of_roster(self.bound_name, principal.as_bytes())
    }

    pub(crate) async fn load(&self, key: StoreKey) -> Result<KnownRoster, SessionError> {
        // Before the command, so that the age of what it finds is never taken for less than it is.
        let asked = Instant::now();
        match self.commands.load(&key).await {
            Err(error) if error.kind() == StoreErrorKind::Corrupt => {
                tracing::warn!(roster = %key, "roster damaged in the store");
                let damage = Some(Damage::Entry);
                let roster = StoredRoster::default();
                Ok(KnownRoster { key, version: None, roster, damage, asked })
            }
            entry => read(key, entry?, asked),
        }
    }

    /// Takes the head of the line for this roster, in which all its writers of this process stand.
    ///
    /// Returns `None` in place of the roster if time has passed, so that what was known is out of date: a
    /// write on it would only be refused. Without the line, a hundred logins of one user at once would need
    /// thousands of writes.
    pub(super) async fn take_turn(
        &self,
        known: KnownRoster,
    ) -> (Option<Place>, Option<KnownRoster>) {
        let line = self.queues.line_for_roster(&known.key);
        match line.try_enter() {
            Some(place) => (Some(place), Some(known)),
            None => (line.enter(self.commands.deadline()).await, None),
        }
    }

    /// Writes `roster` in place of `known`, under a commit id of its own.
    pub(super) async fn write(
        &self,
        known: &KnownRoster,
        roster: &StoredRoster,
        purpose: Purpose,
    ) -> Result<Written, SessionError> {
        let commit = CommitId::draw(self.terms.entropy)?;
        let deadline = roster.deadline(self.terms.now());
        let entry = NewEntry::new(commit, deadline, roster.encode());
        let asked = Instant::now();
        let entry = match purpose {
            // A user who logs in is among those whom a full store still serves.
            Purpose::List => entry.renewal(),
            // A lost end would let a login go on that was under way when it came.
            Purpose::End => entry.last_word(),
        };
        if known.damage == Some(Damage::Entry) {
            self.remove_damaged(&known.key).await?;
        }
        let written = match known.version {
            Some(version) => self.commands.replace(&known.key, &version, &entry).await,
            None => self.commands.create(&known.key, &entry).await.map(Replaced::from),
        };
        match written {
            Ok(Replaced::Done(_)) => Ok(Written::Done),
            Ok(Replaced::Conflict(entry)) => {
                read(known.key, Some(entry), asked).map(Written::Conflict)
            }
            Ok(Replaced::Gone) => self.load(known.key).await.map(Written::Conflict),
            Err(error) if error.kind() == StoreErrorKind::Indeterminate => Ok(Written::Lost),
            Err(error) => Err(error.into()),
        }
    }
}

impl Rosters<'_> {
    /// Removes an entry that the store itself cannot read. Without a version it cannot be written over, and to
    /// leave it would lock its user out. Looked at again just before, because another server may have put a
    /// new roster there; of two that do this at the same moment, one may still remove the other's.
    async fn remove_damaged(&self, key: &StoreKey) -> Result<(), SessionError> {
        match self.commands.load(key).await {
            Err(error) if error.kind() == StoreErrorKind::Corrupt => {
                Ok(self.commands.delete(key).await?)
            }
            _ => Ok(()),
        }
    }
}

/// `Exists` carries no entry, so it is answered as a place that must be looked at again.
impl From<Created> for Replaced {
    fn from(created: Created) -> Self {
        match created {
            Created::Done(version) => Self::Done(version),
            Created::Exists => Self::Gone,
        }
    }
}

/// To a login, a damaged roster counts as an empty one, to be written over on its version. An error would lock
/// its user out until the last session expires. The sessions from before list themselves again at their next
/// look or renewal.
fn read(key: StoreKey, entry: Option<Entry>, asked: Instant) -> Result<KnownRoster, SessionError> {
    let Some(entry) = entry else {
        let roster = StoredRoster::default();
        return Ok(KnownRoster { key, version: None, roster, damage: None, asked });
    };
    let (roster, damage) = match StoredRoster::decode(&entry.bytes) {
        Ok(roster) => (roster, None),
        Err(RecordError::Corrupt(problem)) => {
            tracing::warn!(roster = %key, problem, "roster unreadable");
            (StoredRoster::default(), Some(Damage::Bytes))
        }
        Err(error @ RecordError::Newer(_)) => return Err(error.into()),
    };
    Ok(KnownRoster { key, version: Some(entry.version), roster, damage, asked })
}
