//! The store that the contract describes: a map that executes every command in one step.

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::id::StoreKey;
use crate::record::{Mark, StoredRoster};
use crate::store::{Created, Entry, NewEntry, Replaced, Touched, Version};

/// A call of one method of the store.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Load,
    Create(NewEntry),
    Replace(Version, NewEntry),
    Touch(Version, Timestamp),
    Delete,
}

/// The result of one method of the store.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Loaded(Option<Entry>),
    Created(Created),
    Replaced(Replaced),
    Touched(Touched),
    Deleted,
}

/// The entries of one run.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// The latest entry under each key, expired or not.
    entries: BTreeMap<StoreKey, Entry>,
    /// All entries that were ever written under a key, oldest first.
    history: BTreeMap<StoreKey, Vec<Entry>>,
}

impl Model {
    pub(super) fn execute(&mut self, key: StoreKey, command: &Command, now: Timestamp) -> Reply {
        match command {
            Command::Load => Reply::Loaded(self.live(&key, now).cloned()),
            Command::Create(entry) => Reply::Created(match self.live(&key, now) {
                Some(_) => Created::Exists,
                None => Created::Done(self.put(key, entry)),
            }),
            Command::Replace(expected, entry) => Reply::Replaced(match self.live(&key, now) {
                None => Replaced::Gone,
                Some(current) if current.version != *expected => {
                    Replaced::Conflict(current.clone())
                }
                Some(_) => Replaced::Done(self.put(key, entry)),
            }),
            Command::Touch(expected, deadline) => {
                Reply::Touched(self.touch(&key, expected, *deadline, now))
            }
            Command::Delete => {
                self.entries.remove(&key);
                Reply::Deleted
            }
        }
    }

    /// Returns the entry unless it has expired.
    pub(super) fn live(&self, key: &StoreKey, now: Timestamp) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| entry.deadline > now)
    }

    /// Returns the entry, expired or not.
    pub(super) fn entry(&self, key: &StoreKey) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Returns every entry that was ever written under the key, oldest first.
    pub(super) fn history(&self, key: &StoreKey) -> &[Entry] {
        self.history.get(key).map_or(&[], Vec::as_slice)
    }

    /// Writes, whatever is there now.
    pub(super) fn put(&mut self, key: StoreKey, entry: &NewEntry) -> Version {
        let version = Version::from(entry.commit);
        self.restore(key, Entry::new(version, entry.deadline, entry.bytes.clone()));
        version
    }

    /// Writes an entry under the version that it has.
    pub(super) fn restore(&mut self, key: StoreKey, entry: Entry) {
        self.history.entry(key).or_default().push(entry.clone());
        self.entries.insert(key, entry);
    }

    fn touch(
        &mut self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Touched {
        let live = self.entries.get_mut(key).filter(|entry| entry.deadline > now);
        let Some(entry) = live else { return Touched::Gone };
        if entry.version != *expected || deadline <= entry.deadline {
            return Touched::Skipped;
        }
        entry.deadline = deadline;
        Touched::Done
    }
}

impl Command {
    /// Returns the mark that the command writes.
    pub(super) fn mark(&self) -> Option<Mark> {
        match self {
            Self::Replace(_, entry) => Mark::find(&entry.bytes).ok().flatten(),
            _ => None,
        }
    }

    /// Returns the deadline that the command gives its entry.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Create(entry) | Self::Replace(_, entry) => Some(entry.deadline),
            Self::Touch(_, deadline) => Some(*deadline),
            Self::Load | Self::Delete => None,
        }
    }

    /// Returns the entry that the command writes.
    pub(super) fn entry(&self) -> Option<&NewEntry> {
        match self {
            Self::Create(entry) | Self::Replace(_, entry) => Some(entry),
            _ => None,
        }
    }

    pub(super) fn is_write(&self) -> bool {
        !matches!(self, Self::Load)
    }

    /// Returns the name that the trace shows.
    pub(super) fn name(&self) -> &'static str {
        match (self, self.mark()) {
            (Self::Load, _) => "load",
            (Self::Create(_), _) => "create",
            (Self::Replace(..), None) => "replace",
            (Self::Replace(..), Some(Mark::Moved { .. })) => "replace by moved mark",
            (Self::Replace(..), Some(Mark::Ended { .. })) => "replace by ended mark",
            (Self::Touch(..), _) => "touch",
            (Self::Delete, _) => "delete",
        }
    }
}

impl Reply {
    /// Returns the name that the trace shows.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Loaded(None) => "absent",
            Self::Loaded(Some(entry)) => match Mark::find(&entry.bytes) {
                _ if StoredRoster::decode(&entry.bytes).is_ok() => "roster",
                Ok(None) => "live",
                Ok(Some(Mark::Moved { .. })) => "moved mark",
                Ok(Some(Mark::Ended { .. })) => "ended mark",
                Err(_) => "unreadable",
            },
            Self::Created(Created::Done(_))
            | Self::Replaced(Replaced::Done(_))
            | Self::Touched(Touched::Done)
            | Self::Deleted => "done",
            Self::Created(Created::Exists) => "exists",
            Self::Replaced(Replaced::Conflict(_)) => "conflict",
            Self::Touched(Touched::Skipped) => "skipped",
            Self::Replaced(Replaced::Gone) | Self::Touched(Touched::Gone) => "gone",
        }
    }
}
