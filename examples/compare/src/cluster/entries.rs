//! The sessions that one node has.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cloakroom::Timestamp;
use cloakroom::store::{Created, Entry, NewEntry, Replaced, StoreKey, Touched, Version};

use super::message::Message;

/// The time of a change: a count that only grows, and the node, so that no two are equal.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct LogicalTime {
    pub(super) count: u64,
    pub(super) node: u16,
}

/// A session as of one change; `None` once deleted, so that an older copy does not bring it back.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Copy {
    pub(super) time: LogicalTime,
    pub(super) entry: Option<Entry>,
}

/// The role of a node for a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    Primary,
    Backup,
}

#[derive(Debug)]
struct Kept {
    copy: Option<Copy>,
    role: Role,
    backup: Option<u16>,
}

type Map = HashMap<StoreKey, Kept>;

#[derive(Debug)]
pub(super) struct Entries {
    node: u16,
    map: Mutex<Map>,
}

impl Entries {
    pub(super) fn new(node: u16) -> Self {
        Self { node, map: Mutex::default() }
    }

    fn map(&self) -> MutexGuard<'_, Map> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn live(&self, key: &StoreKey, now: Timestamp) -> Option<Entry> {
        live(&self.map(), key, now).cloned()
    }

    pub(super) fn create(&self, key: &StoreKey, new: &NewEntry, now: Timestamp) -> Created {
        let mut map = self.map();
        if live(&map, key, now).is_some() {
            return Created::Exists;
        }
        let version = Version::from(new.commit);
        self.write(&mut map, key, Some(to_keep(new)));
        Created::Done(version)
    }

    pub(super) fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        new: &NewEntry,
        now: Timestamp,
    ) -> Replaced {
        let mut map = self.map();
        match live(&map, key, now) {
            None => Replaced::Gone,
            Some(there) if there.version != *expected => Replaced::Conflict(there.clone()),
            Some(_) => {
                self.write(&mut map, key, Some(to_keep(new)));
                Replaced::Done(Version::from(new.commit))
            }
        }
    }

    pub(super) fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Touched {
        let mut map = self.map();
        match live(&map, key, now).cloned() {
            None => Touched::Gone,
            Some(there) if there.version != *expected || deadline <= there.deadline => {
                Touched::Skipped
            }
            Some(there) => {
                self.write(&mut map, key, Some(Entry::new(there.version, deadline, there.bytes)));
                Touched::Done
            }
        }
    }

    /// Deletes a session, and returns whether there was one.
    pub(super) fn delete(&self, key: &StoreKey) -> bool {
        let mut map = self.map();
        let is_there = map.get(key).is_some_and(|kept| kept.copy.is_some());
        if is_there {
            self.write(&mut map, key, None);
        }
        is_there
    }

    /// Writes an entry with a time later than every change of the session that this node has seen.
    fn write(&self, map: &mut Map, key: &StoreKey, entry: Option<Entry>) {
        let kept =
            map.entry(*key).or_insert(Kept { copy: None, role: Role::Primary, backup: None });
        let count = kept.copy.as_ref().map_or(0, |copy| copy.time.count) + 1;
        kept.copy = Some(Copy { time: LogicalTime { count, node: self.node }, entry });
    }

    /// Takes over another node's copy, unless this node has a newer one.
    pub(super) fn accept(&self, key: &StoreKey, copy: Copy, role: Role) {
        let mut map = self.map();
        let kept = map.entry(*key).or_insert(Kept { copy: None, role, backup: None });
        if kept.copy.as_ref().is_none_or(|here| here.time < copy.time) {
            *kept = Kept { copy: Some(copy), role, ..*kept };
        }
    }

    /// Gives this node's copy to another node, which becomes the session's primary.
    pub(super) fn give_away(&self, key: &StoreKey) -> Option<Copy> {
        let mut map = self.map();
        let kept = map.get_mut(key)?;
        kept.role = Role::Backup;
        kept.copy.clone()
    }

    pub(super) fn put(&self, key: &StoreKey) -> Option<Message> {
        let copy = self.map().get(key)?.copy.clone()?;
        Some(Message::Put(*key, copy))
    }

    pub(super) fn keys(&self) -> Vec<StoreKey> {
        self.map().keys().copied().collect()
    }

    pub(super) fn role(&self, key: &StoreKey) -> Option<Role> {
        self.map().get(key).map(|kept| kept.role)
    }

    /// Sets the role for a session that is there.
    pub(super) fn set_role(&self, key: &StoreKey, role: Role) {
        if let Some(kept) = self.map().get_mut(key) {
            kept.role = role;
        }
    }

    pub(super) fn backup(&self, key: &StoreKey) -> Option<u16> {
        self.map().get(key)?.backup
    }

    pub(super) fn set_backup(&self, key: &StoreKey, backup: u16) {
        if let Some(kept) = self.map().get_mut(key) {
            kept.backup = Some(backup);
        }
    }

    pub(super) fn backed_up_by(&self, node: u16) -> Vec<StoreKey> {
        let map = self.map();
        let theirs =
            map.iter().filter(|(_, kept)| kept.role == Role::Primary && kept.backup == Some(node));
        theirs.map(|(key, _)| *key).collect()
    }
}

fn live<'a>(map: &'a Map, key: &StoreKey, now: Timestamp) -> Option<&'a Entry> {
    let entry = map.get(key)?.copy.as_ref()?.entry.as_ref()?;
    (entry.deadline > now).then_some(entry)
}

fn to_keep(new: &NewEntry) -> Entry {
    let version = Version::from(new.commit);
    Entry::new(version, new.deadline, new.bytes.clone())
}
