//! What the stores of one process share when they are of one folder: the lines for its locks, and
//! the gates between its readers and its writers.

use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use super::lock::Lines;
use crate::id::StoreKey;
use crate::poison::IgnorePoison;

/// Many, so that a reader hardly ever meets a writer of another session.
const GATES: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Siblings {
    pub(super) lines: Lines,
    pub(super) gates: Gates,
}

/// Device and inode of a folder.
pub(super) type Identity = (u64, u64);

static FOLDERS: Mutex<Vec<(Identity, Weak<Siblings>)>> = Mutex::new(Vec::new());

/// Those of a folder, whatever path it was reached by.
pub(super) fn of(folder: Identity) -> Arc<Siblings> {
    let mut folders = FOLDERS.lock().ignore_poison();
    let there = folders.iter().find(|(known, _)| *known == folder);
    if let Some(there) = there.and_then(|(_, there)| there.upgrade()) {
        return there;
    }
    let new = Arc::default();
    folders.retain(|(_, there)| there.strong_count() > 0);
    folders.push((folder, Arc::downgrade(&new)));
    new
}

#[derive(Debug)]
pub(super) struct Gates(Vec<RwLock<()>>);

impl Default for Gates {
    fn default() -> Self {
        Self((0..GATES).map(|_| RwLock::default()).collect())
    }
}

impl Gates {
    pub(super) fn reading(&self, key: &StoreKey) -> RwLockReadGuard<'_, ()> {
        // Nothing is kept behind the lock that a panic could have left half-done.
        self.of(key).read().ignore_poison()
    }

    pub(super) fn writing(&self, key: &StoreKey) -> RwLockWriteGuard<'_, ()> {
        self.of(key).write().ignore_poison()
    }

    fn of(&self, key: &StoreKey) -> &RwLock<()> {
        let bytes = key.as_bytes();
        &self.0[usize::from(u16::from_be_bytes([bytes[2], bytes[3]])) % GATES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_of_them_for_as_long_as_anyone_needs_it() {
        let (first, other) = (of((u64::MAX, 1)), of((u64::MAX, 2)));
        assert!(Arc::ptr_eq(&first, &of((u64::MAX, 1))) && !Arc::ptr_eq(&first, &other));
        let gone = Arc::downgrade(&first);
        drop(first);
        assert!(gone.upgrade().is_none());
        assert!(Arc::ptr_eq(&other, &of((u64::MAX, 2))));
    }
}
