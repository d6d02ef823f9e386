//! The store as the commands that it has executed have left it, decoded.

use std::collections::{BTreeMap, BTreeSet};

use super::setup::{PRINCIPALS, Principal, name_of, principal_named};
use crate::clock::Timestamp;
use crate::id::{SessionHandle, StoreKey};
use crate::record::{EndId, Listed, Mark, Record, StoredRoster};
use crate::simulation::model::{Command, Reply};
use crate::simulation::setup::COOKIE_NAME;
use crate::store::{Created, NewEntry, Replaced, Touched};

/// What is under each key.
#[derive(Debug)]
pub(crate) struct Stored {
    places: BTreeMap<StoreKey, Place>,
    /// The sessions that were ever created.
    births: BTreeMap<StoreKey, Birth>,
    /// The id that each id was renewed from.
    parents: BTreeMap<StoreKey, StoreKey>,
    pub(crate) rosters: Vec<RosterView>,
}

/// What is under one key, expired or not.
#[derive(Clone, Debug, Default)]
pub(crate) enum Place {
    #[default]
    Nothing,
    Session(Life),
    Moved(StoreKey),
    Ended,
}

/// A session as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) principal: Option<Principal>,
    pub(crate) deadline: Timestamp,
    /// The keys in it that changes and edits have inserted.
    pub(crate) tags: BTreeSet<u32>,
}

/// The principal and the handle that a session has under one key, and how long it was there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Birth {
    pub(crate) principal: Option<Principal>,
    pub(crate) handle: Option<SessionHandle>,
    pub(crate) at: Timestamp,
    /// When something else was put in its place.
    pub(crate) over: Option<Timestamp>,
}

/// The roster of one principal.
#[derive(Debug)]
pub(crate) struct RosterView {
    pub(crate) key: StoreKey,
    pub(crate) listed: Vec<Listed>,
    pub(crate) last_end: Option<EndId>,
    /// Sessions that were there when the roster was lost, and are not listed since.
    pub(crate) hidden: BTreeSet<StoreKey>,
}

/// A roster that was written in place of another.
#[derive(Debug)]
pub(crate) struct RosterWrite {
    pub(crate) principal: Principal,
    pub(crate) removed: Vec<Listed>,
    pub(crate) added: Vec<Listed>,
    pub(crate) is_end: bool,
    /// Hidden sessions that it lists again.
    pub(crate) shown_again: usize,
}

pub(crate) const TAG: &str = "tag ";

impl Default for Stored {
    fn default() -> Self {
        let view = |principal| RosterView {
            key: StoreKey::of_roster(COOKIE_NAME, name_of(principal).as_bytes()),
            listed: Vec::new(),
            last_end: None,
            hidden: BTreeSet::new(),
        };
        Self {
            places: BTreeMap::new(),
            births: BTreeMap::new(),
            parents: BTreeMap::new(),
            rosters: (0..PRINCIPALS).map(view).collect(),
        }
    }
}

impl Stored {
    /// Returns the principal whose roster is under the key.
    pub(crate) fn roster_at(&self, key: StoreKey) -> Option<Principal> {
        self.rosters.iter().position(|roster| roster.key == key).map(|at| at as Principal)
    }

    pub(crate) fn roster(&self, principal: Principal) -> &RosterView {
        &self.rosters[usize::from(principal)]
    }

    pub(crate) fn place(&self, key: StoreKey) -> &Place {
        self.places.get(&key).unwrap_or(&Place::Nothing)
    }

    pub(crate) fn birth(&self, key: StoreKey) -> Option<Birth> {
        self.births.get(&key).copied()
    }

    pub(crate) fn births(&self) -> impl Iterator<Item = (StoreKey, Birth)> {
        self.births.iter().map(|(key, birth)| (*key, *birth))
    }

    /// Returns the keys that sessions of this handle have had.
    pub(crate) fn keys_of(&self, handle: SessionHandle) -> impl Iterator<Item = StoreKey> {
        let has_it = move |birth: &Birth| birth.handle == Some(handle);
        self.births().filter(move |(_, birth)| has_it(birth)).map(|(key, _)| key)
    }

    /// Returns the session that is live under the key at `now`.
    pub(crate) fn live(&self, key: StoreKey, now: Timestamp) -> Option<&Life> {
        match self.place(key) {
            Place::Session(life) if life.deadline > now => Some(life),
            _ => None,
        }
    }

    /// Returns the first id of the session that has come to be under `key`.
    pub(crate) fn first_key(&self, key: StoreKey) -> StoreKey {
        let mut first = key;
        while let Some(parent) = self.parents.get(&first) {
            first = *parent;
        }
        first
    }

    /// Returns every key that the roster lists, or that the marks of those lead to.
    pub(crate) fn reached(&self, principal: Principal) -> BTreeSet<StoreKey> {
        self.follow_all(self.roster(principal).listed.iter().map(|listed| listed.key))
    }

    /// Returns these keys and those that the marks there lead to.
    pub(crate) fn follow_all(
        &self,
        keys: impl IntoIterator<Item = StoreKey>,
    ) -> BTreeSet<StoreKey> {
        let mut reached = BTreeSet::new();
        for mut key in keys {
            while reached.insert(key) {
                let Place::Moved(to) = self.place(key) else { break };
                key = *to;
            }
        }
        reached
    }

    /// Notes what an executed command has changed. Returns the roster that it has written.
    pub(crate) fn executed(
        &mut self,
        key: StoreKey,
        command: &Command,
        reply: &Reply,
        now: Timestamp,
    ) -> Option<RosterWrite> {
        match (command, reply) {
            (Command::Create(entry), Reply::Created(Created::Done(_)))
            | (Command::Replace(_, entry), Reply::Replaced(Replaced::Done(_))) => {
                if let Some(principal) = self.roster_at(key) {
                    let roster = StoredRoster::decode(&entry.bytes).unwrap_or_default();
                    return Some(self.put_roster(principal, roster));
                }
                self.put(key, entry, now);
            }
            (Command::Touch(_, deadline), Reply::Touched(Touched::Done)) => {
                if let Some(Place::Session(life)) = self.places.get_mut(&key) {
                    life.deadline = *deadline;
                }
            }
            (Command::Delete, _) => self.set(key, Place::Nothing, now),
            _ => {}
        }
        None
    }

    fn put(&mut self, key: StoreKey, entry: &NewEntry, now: Timestamp) {
        match Mark::find(&entry.bytes) {
            Ok(Some(Mark::Moved { to, .. })) => {
                if self.first_key(key) != self.first_key(to) {
                    let (parent, child) = (self.first_key(key), self.first_key(to));
                    self.parents.insert(child, parent);
                }
                self.set(key, Place::Moved(to), now);
            }
            Ok(Some(Mark::Ended { .. })) => self.set(key, Place::Ended, now),
            _ => {
                let Ok(record) = Record::decode(&entry.bytes) else { return };
                let principal =
                    record.principal.as_ref().and_then(|name| principal_named(name.as_str()));
                let handle = record.handle;
                self.births.entry(key).or_insert(Birth { principal, handle, at: now, over: None });
                let tags = record.fields.keys().filter_map(tag_in);
                let life = Life { principal, deadline: entry.deadline, tags: tags.collect() };
                self.set(key, Place::Session(life), now);
            }
        }
    }

    fn set(&mut self, key: StoreKey, place: Place, now: Timestamp) {
        if let (false, Some(birth)) =
            (matches!(place, Place::Session(_)), self.births.get_mut(&key))
        {
            birth.over.get_or_insert(now);
        }
        self.places.insert(key, place);
    }

    fn put_roster(&mut self, principal: Principal, roster: StoredRoster) -> RosterWrite {
        let view = &mut self.rosters[usize::from(principal)];
        let missing = |from: &[Listed], keys: &[Listed]| {
            let is_missing = |listed: &&Listed| !keys.iter().any(|other| other.key == listed.key);
            from.iter().filter(is_missing).copied().collect::<Vec<_>>()
        };
        let added = missing(&roster.listed, &view.listed);
        let shown = added.iter().filter(|listed| view.hidden.remove(&listed.key)).count();
        let write = RosterWrite {
            principal,
            removed: missing(&view.listed, &roster.listed),
            added,
            is_end: roster.last_end != view.last_end,
            shown_again: shown,
        };
        (view.listed, view.last_end) = (roster.listed, roster.last_end);
        write
    }

    /// Forgets a roster, as a store that evicts does. Returns the handles of the sessions that this hides.
    pub(crate) fn evict(&mut self, principal: Principal, now: Timestamp) -> Vec<SessionHandle> {
        let is_live = |key: &StoreKey| {
            self.live(*key, now).is_some_and(|life| life.principal == Some(principal))
        };
        let hidden: BTreeSet<StoreKey> = self.places.keys().copied().filter(is_live).collect();
        let handles = hidden.iter().filter_map(|key| self.births[key].handle).collect();
        let view = &mut self.rosters[usize::from(principal)];
        (view.listed, view.last_end) = (Vec::new(), None);
        view.hidden.extend(hidden);
        handles
    }
}

/// Returns the number of a change or an edit, if the key is that of one.
pub(crate) fn tag_in(key: &str) -> Option<u32> {
    key.strip_prefix(TAG)?.parse().ok()
}
