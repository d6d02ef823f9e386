//! A store with a fault that is planted on purpose.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cloakroom::Timestamp;
use cloakroom::store::{
    Created, Entry, MemoryStore, NewEntry, Replaced, SessionStore, StoreError, StoreKey, Touched,
    Version, async_trait,
};
use tokio::time::sleep;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wrong {
    Nothing,
    /// A write replaces whatever is there, the mark of a logout included.
    LastWriteWins,
    /// Some writes are acknowledged and not done.
    SkipsWrites,
    /// Some reads return the entry before the present one.
    OldReads,
    /// Some writes of rosters are acknowledged and not done.
    SkipsRosterWrites,
    /// Some marks that a session has moved to another id are acknowledged and not done.
    SkipsMovedMarks,
    /// Some reads of rosters return the roster before the present one.
    OldRosters,
    /// Some sessions are removed when they are read.
    Drops,
    /// Some reads return an entry of another session.
    MixesUp,
}

/// A memory store that takes a moment for each command, so that commands meet.
#[derive(Debug)]
pub(crate) struct Planted {
    wrong: Wrong,
    store: MemoryStore,
    commands: AtomicU64,
    /// How often the fault could have struck.
    chances: AtomicU64,
    /// The last entry that was replaced under each key.
    former: Mutex<HashMap<StoreKey, Entry>>,
}

impl Planted {
    pub(crate) fn new(wrong: Wrong) -> Self {
        let [commands, chances] = [(); 2].map(|()| AtomicU64::new(0));
        Self { wrong, store: MemoryStore::new(), commands, chances, former: Mutex::default() }
    }

    async fn take_a_moment(&self) {
        let number = self.commands.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_millis(1 + number % 3)).await;
    }

    /// Returns whether the store has this fault, and it strikes now.
    fn strikes(&self, wrong: Wrong) -> bool {
        self.wrong == wrong && self.chances.fetch_add(1, Ordering::Relaxed) % 7 == 6
    }

    /// Returns a wrong entry to answer a load with.
    fn wrong_entry(&self, key: &StoreKey) -> Option<Entry> {
        let former = self.former.lock().unwrap();
        if self.strikes(Wrong::OldReads) {
            return former.get(key).cloned();
        }
        let roster = former.get(key).filter(|entry| is_roster(&entry.bytes));
        if let Some(roster) = roster.filter(|_| self.strikes(Wrong::OldRosters)) {
            return Some(roster.clone());
        }
        let mut others = former.iter().filter(|&(other, _)| other != key);
        others.next().filter(|_| self.strikes(Wrong::MixesUp)).map(|(_, entry)| entry.clone())
    }

    /// Writes whatever is there.
    async fn overwrite(&self, key: &StoreKey, entry: &NewEntry) -> Result<Replaced, StoreError> {
        loop {
            let Some(present) = self.store.load(key).await? else { return Ok(Replaced::Gone) };
            let replaced = self.store.replace(key, &present.version, entry).await?;
            if !matches!(replaced, Replaced::Conflict(_)) {
                return Ok(replaced);
            }
        }
    }
}

/// Tells the roster of a user from a session by its first bytes.
fn is_roster(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xc1, 1, 4])
}

/// Tells the mark that a session has moved to another id by its first bytes.
fn is_moved_mark(bytes: &[u8]) -> bool {
    matches!(bytes, [0xc1, _, 1, ..])
}

#[async_trait]
impl SessionStore for Planted {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        self.take_a_moment().await;
        if let Some(wrong) = self.wrong_entry(key) {
            return Ok(Some(wrong));
        }
        if self.strikes(Wrong::Drops) {
            self.store.delete(key).await?;
        }
        self.store.load(key).await
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        self.take_a_moment().await;
        self.store.create(key, entry).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        self.take_a_moment().await;
        if let Some(present) = self.store.load(key).await? {
            self.former.lock().unwrap().insert(*key, present);
        }
        let skips_roster = is_roster(&entry.bytes) && self.strikes(Wrong::SkipsRosterWrites);
        let skips_mark = is_moved_mark(&entry.bytes) && self.strikes(Wrong::SkipsMovedMarks);
        if self.strikes(Wrong::SkipsWrites) || skips_roster || skips_mark {
            return Ok(Replaced::Done(Version::from(entry.commit)));
        }
        match self.wrong {
            Wrong::LastWriteWins => self.overwrite(key, entry).await,
            _ => self.store.replace(key, expected, entry).await,
        }
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.store.touch(key, expected, deadline).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.store.delete(key).await
    }
}
