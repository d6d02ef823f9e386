//! The locks within one process, shared by all stores that it has opened on one folder.
//!
//! An app may open a folder twice, and a lock that each store had for itself would not exclude the
//! other. So they are found by the folder's identity, whatever path it was opened by.

use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use super::file_id::FileId;
use super::lock_queue::LockQueues;
use crate::id::StoreKey;
use crate::poison::IgnorePoison;

/// So many that a reader hardly ever waits for a writer of another session.
const RENAME_LOCKS: usize = 1024;

static BY_FOLDER: Mutex<Vec<(FileId, Weak<ProcessLocks>)>> = Mutex::new(Vec::new());

/// The locks of one folder: the queues in front of the lock files, and the locks between readers and
/// the rename of a session.
#[derive(Debug, Default)]
pub(super) struct ProcessLocks {
    pub(super) queues: LockQueues,
    pub(super) renames: RenameLocks,
}

impl ProcessLocks {
    /// Returns the locks of this folder, new ones if no store of it is open.
    pub(super) fn for_folder(folder: FileId) -> Arc<Self> {
        let mut by_folder = BY_FOLDER.lock().ignore_poison();
        let known = by_folder.iter().find(|(id, _)| *id == folder);
        if let Some(locks) = known.and_then(|(_, locks)| locks.upgrade()) {
            return locks;
        }
        let new = Arc::default();
        by_folder.retain(|(_, locks)| locks.strong_count() > 0);
        by_folder.push((folder, Arc::downgrade(&new)));
        new
    }
}

/// Read-write locks by key, for blocking threads: readers of a session's file exclude its rename.
#[derive(Debug)]
pub(super) struct RenameLocks(Vec<RwLock<()>>);

impl Default for RenameLocks {
    fn default() -> Self {
        Self((0..RENAME_LOCKS).map(|_| RwLock::default()).collect())
    }
}

impl RenameLocks {
    pub(super) fn read(&self, key: &StoreKey) -> RwLockReadGuard<'_, ()> {
        // The lock guards no data that a panic could have left half-changed.
        self.lock_for(key).read().ignore_poison()
    }

    pub(super) fn write(&self, key: &StoreKey) -> RwLockWriteGuard<'_, ()> {
        self.lock_for(key).write().ignore_poison()
    }

    fn lock_for(&self, key: &StoreKey) -> &RwLock<()> {
        let bytes = key.as_bytes();
        &self.0[usize::from(u16::from_be_bytes([bytes[2], bytes[3]])) % RENAME_LOCKS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_set_of_locks_until_its_last_store_is_closed() {
        let id = |inode| FileId::from_numbers(u64::MAX, inode);
        let (first, other) = (ProcessLocks::for_folder(id(1)), ProcessLocks::for_folder(id(2)));
        assert!(Arc::ptr_eq(&first, &ProcessLocks::for_folder(id(1))));
        assert!(!Arc::ptr_eq(&first, &other));
        let closed = Arc::downgrade(&first);
        drop(first);
        assert!(closed.upgrade().is_none());
        assert!(Arc::ptr_eq(&other, &ProcessLocks::for_folder(id(2))));
    }
}
