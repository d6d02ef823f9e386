//! A small store that keeps the whole contract unless it is told to break it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cloakroom::store::conformance::{Damage, Harness};
use cloakroom::store::{
    Created, Entry, NewEntry, Replaced, SessionStore, StoreError, StoreErrorKind, StoreKey,
    Touched, Version,
};
use cloakroom::{ManualClock, Timestamp};
use tokio::task::yield_now;

use crate::fault::Fault;

/// The most bytes of an entry.
pub(crate) const LIMIT: usize = 300_000;

#[derive(Debug, Default)]
struct Slots {
    there: HashMap<StoreKey, Entry>,
    /// The entry before the current one, for the fault that answers with it.
    former: HashMap<StoreKey, Entry>,
}

impl Slots {
    fn put(&mut self, key: StoreKey, entry: Entry) -> Version {
        let version = entry.version;
        if let Some(old) = self.there.insert(key, entry) {
            self.former.insert(key, old);
        }
        version
    }
}

pub(crate) struct Shelf {
    slots: Arc<Mutex<Slots>>,
    damaged: Arc<Mutex<HashSet<StoreKey>>>,
    /// The reads of this handle, for the fault that returns an earlier read.
    cache: Mutex<HashMap<StoreKey, Entry>>,
    clock: ManualClock,
    fault: Fault,
}

impl Shelf {
    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap()
    }

    /// Returns the key to write under, and forgets what this handle has read there.
    fn key_to_write(&self, key: &StoreKey) -> StoreKey {
        let key = shelf_key(self.fault, key);
        self.cache.lock().unwrap().remove(&key);
        key
    }

    /// Returns the live entry. `lenient` is the fault that takes an expired entry for a live one.
    fn live(
        &self,
        slots: &Slots,
        key: &StoreKey,
        lenient: Fault,
    ) -> Result<Option<Entry>, StoreError> {
        let Some(entry) = slots.there.get(key).cloned() else { return Ok(None) };
        if entry.bytes.is_empty() && self.has(Fault::EmptyIsAbsent) {
            return Ok(None);
        }
        let mut now = self.clock.now();
        if self.has(Fault::ExpiresEarly) {
            now = now.saturating_add(Duration::from_secs(1));
        }
        let blurred = self.has(Fault::LiveAtDeadline) && entry.deadline == now;
        if entry.deadline <= now && !self.has(lenient) && !blurred {
            // What is written in its place is whole.
            self.damaged.lock().unwrap().remove(key);
            return Ok(None);
        }
        let reading = lenient == Fault::ServesExpired;
        match self.fault {
            _ if !self.damaged.lock().unwrap().contains(key) => Ok(Some(entry)),
            Fault::DamageIsAbsent if reading => Ok(None),
            Fault::DamageIsReplaced if !reading => Ok(Some(entry)),
            _ => Err(StoreError::new(StoreErrorKind::Corrupt, "damaged")),
        }
    }

    fn check_size(&self, new: &NewEntry) -> Result<(), StoreError> {
        let len = new.bytes.len();
        if len > LIMIT && !self.has(Fault::CutsAtLimit) {
            return Err(StoreError::too_large(len, LIMIT));
        }
        Ok(())
    }

    /// Returns the entry to keep in the place of `old`.
    fn written(&self, new: &NewEntry, old: Option<&Entry>) -> Entry {
        let mut bytes = new.bytes.clone();
        match self.fault {
            Fault::BytesAsText => bytes = String::from_utf8_lossy(&bytes).into_owned().into(),
            Fault::CutsAtLimit => bytes.truncate(LIMIT),
            _ => {}
        }
        let month = self.clock.now().saturating_add(Duration::from_secs(30 * 24 * 60 * 60));
        let deadline = match (self.fault, old) {
            (Fault::ReplaceKeepsDeadline, Some(old)) => old.deadline,
            (Fault::ReplaceNeverShortens, Some(old)) => old.deadline.max(new.deadline),
            (Fault::ForgetsFarDeadlines, _) => new.deadline.min(month),
            _ => new.deadline,
        };
        Entry::new(self.version(new, old), deadline, bytes)
    }

    fn version(&self, new: &NewEntry, old: Option<&Entry>) -> Version {
        match (self.fault, old) {
            (Fault::ReplaceKeepsVersion, Some(old)) => old.version,
            (Fault::VersionsCount, None) => token(1),
            (Fault::VersionsCount, Some(old)) => {
                let count = old.version.as_bytes().try_into().map(usize::from_be_bytes);
                token(1 + count.unwrap())
            }
            (Fault::VersionsHash, _) => token(
                new.bytes.iter().fold(7, |hash, byte| (hash * 31 + usize::from(*byte)) % 65_521),
            ),
            _ => Version::from(new.commit),
        }
    }

    /// Returns the entry that `replace` may write over, or the answer that it gives instead.
    fn compared(
        &self,
        slots: &Slots,
        key: &StoreKey,
        expected: &Version,
        new: &NewEntry,
    ) -> Result<Result<Option<Entry>, Replaced>, StoreError> {
        let Some(old) = self.live(slots, key, Fault::ReplaceRevivesExpired)? else {
            let resurrects = self.has(Fault::ReplaceResurrects);
            return Ok(if resurrects { Ok(None) } else { Err(Replaced::Gone) });
        };
        if old.version == *expected || self.has(Fault::ReplaceIgnoresVersion) {
            return Ok(Ok(Some(old)));
        }
        if self.has(Fault::ReplaceSwallowsRepeat) && old.version == Version::from(new.commit) {
            return Ok(Err(Replaced::Done(old.version)));
        }
        let stale = slots.former.get(key).filter(|_| self.has(Fault::ConflictIsStale));
        Ok(Err(Replaced::Conflict(stale.cloned().unwrap_or(old))))
    }
}

fn shelf_key(fault: Fault, key: &StoreKey) -> StoreKey {
    let mut bytes = *key.as_bytes();
    if fault == Fault::ShortKeys {
        bytes[31] = 0;
    }
    StoreKey::from_bytes(bytes)
}

/// Lets other tasks run, for long enough that they get in between.
async fn pause() {
    for _ in 0..8 {
        yield_now().await;
    }
}

fn half(entry: &Entry) -> Entry {
    Entry::new(entry.version, entry.deadline, entry.bytes.slice(..entry.bytes.len() / 2))
}

fn token(number: usize) -> Version {
    Version::new(&number.to_be_bytes()).unwrap()
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has(Fault::DebugShows) {
            let kept: Vec<_> =
                self.slots().there.values().map(|entry| entry.bytes.clone()).collect();
            return write!(f, "Shelf({kept:?})");
        }
        f.write_str("Shelf")
    }
}

#[async_trait]
impl SessionStore for Shelf {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        if self.has(Fault::NeverAnswers) {
            std::future::pending::<()>().await;
        }
        let key = shelf_key(self.fault, key);
        if self.has(Fault::HandlesCache) {
            let cached = self.cache.lock().unwrap().get(&key).cloned();
            if cached.as_ref().is_some_and(|entry| entry.deadline > self.clock.now()) {
                return Ok(cached);
            }
        }
        let mut found = self.live(&self.slots(), &key, Fault::ServesExpired)?;
        match &mut found {
            None if self.has(Fault::AbsentIsEmpty) => {
                let (version, deadline) = (token(0), self.clock.now());
                return Ok(Some(Entry::new(version, deadline, Bytes::new())));
            }
            Some(entry) if self.has(Fault::VersionsDiffer) => entry.version = token(0),
            _ => {}
        }
        if let Some(entry) = &found {
            self.cache.lock().unwrap().insert(key, entry.clone());
        }
        Ok(found)
    }

    async fn create(&self, key: &StoreKey, new: &NewEntry) -> Result<Created, StoreError> {
        self.check_size(new)?;
        let key = self.key_to_write(key);
        let written = self.written(new, None);
        if self.has(Fault::CreateNotAtomic) {
            let exists = self.live(&self.slots(), &key, Fault::CreateBlockedByExpired)?.is_some();
            pause().await;
            return Ok(match exists {
                true => Created::Exists,
                false => Created::Done(self.slots().put(key, written)),
            });
        }
        {
            let mut slots = self.slots();
            let exists = self.live(&slots, &key, Fault::CreateBlockedByExpired)?.is_some();
            if exists && !self.has(Fault::CreateOverwrites) {
                return Ok(Created::Exists);
            }
            if !self.has(Fault::CreateTears) {
                return Ok(Created::Done(slots.put(key, written)));
            }
            slots.put(key, half(&written));
        }
        pause().await;
        Ok(Created::Done(self.slots().put(key, written)))
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        new: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        self.check_size(new)?;
        let key = self.key_to_write(key);
        let written = {
            let mut slots = self.slots();
            let old = match self.compared(&slots, &key, expected, new)? {
                Ok(old) => old,
                Err(answer) => return Ok(answer),
            };
            let written = self.written(new, old.as_ref());
            match self.fault {
                Fault::ReplaceNotAtomic => {}
                Fault::ReplaceTears => {
                    slots.put(key, half(&written));
                }
                Fault::ReplaceLeavesAGap => {
                    slots.there.remove(&key);
                }
                _ => return Ok(Replaced::Done(slots.put(key, written))),
            }
            written
        };
        pause().await;
        Ok(Replaced::Done(self.slots().put(key, written)))
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        let key = self.key_to_write(key);
        let touched = {
            let mut slots = self.slots();
            let Some(mut entry) = self.live(&slots, &key, Fault::TouchRevivesExpired)? else {
                return Ok(match self.fault {
                    Fault::TouchSkipsAbsent => Touched::Skipped,
                    _ => Touched::Gone,
                });
            };
            let other = entry.version != *expected && !self.has(Fault::TouchIgnoresVersion);
            if other || (deadline <= entry.deadline && !self.has(Fault::TouchShortens)) {
                return Ok(Touched::Skipped);
            }
            entry.deadline = deadline;
            match self.fault {
                Fault::TouchDoesNothing => return Ok(Touched::Done),
                Fault::TouchChangesVersion => entry.version = token(deadline.as_millis() as usize),
                Fault::TouchNotAtomic => {}
                Fault::TouchLeavesAGap => drop(slots.there.remove(&key)),
                _ => {}
            }
            if !matches!(self.fault, Fault::TouchNotAtomic | Fault::TouchLeavesAGap) {
                slots.put(key, entry);
                return Ok(Touched::Done);
            }
            entry
        };
        pause().await;
        self.slots().put(key, touched);
        Ok(Touched::Done)
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        let key = self.key_to_write(key);
        let mut slots = self.slots();
        let mut damaged = self.damaged.lock().unwrap();
        let stays = self.has(Fault::DamageStays) && damaged.contains(&key);
        if self.has(Fault::DeleteDoesNothing) || stays {
            return Ok(());
        }
        damaged.remove(&key);
        if slots.there.remove(&key).is_none() && self.has(Fault::DeleteFailsOnAbsent) {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "nothing to delete"));
        }
        Ok(())
    }
}

/// A shelf and its clock.
pub(crate) struct ShelfHarness {
    slots: Arc<Mutex<Slots>>,
    damaged: Arc<Mutex<HashSet<StoreKey>>>,
    clock: ManualClock,
    fault: Fault,
}

impl ShelfHarness {
    pub(crate) fn new(fault: Fault) -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
        Self { slots: Arc::default(), damaged: Arc::default(), clock, fault }
    }

    pub(crate) fn clock(&self) -> &ManualClock {
        &self.clock
    }
}

#[async_trait]
impl Harness for ShelfHarness {
    async fn open(&self) -> Arc<dyn SessionStore> {
        let apart = self.fault == Fault::HandlesApart;
        Arc::new(Shelf {
            slots: if apart { Arc::default() } else { self.slots.clone() },
            damaged: self.damaged.clone(),
            cache: Mutex::default(),
            clock: self.clock.clone(),
            fault: self.fault,
        })
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn max_entry_bytes(&self) -> Option<usize> {
        Some(LIMIT)
    }
}

#[async_trait]
impl Damage for ShelfHarness {
    async fn corrupt(&self, key: &StoreKey) {
        self.damaged.lock().unwrap().insert(shelf_key(self.fault, key));
    }
}
