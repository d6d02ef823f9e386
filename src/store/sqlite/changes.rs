//! The statements of each writing command, inside a transaction.

use std::time::Duration;

use super::error::Unreadable;
use super::table::Table;
use crate::clock::Timestamp;
use crate::id::StoreKey;
use crate::store::{Created, NewEntry, Replaced, Touched, Version};

/// Expired sessions that one transaction removes. The other commands of the transaction wait for them.
const SWEPT_AT_ONCE: usize = 100;
/// Bytes after which it stops earlier: a large session is many pages.
const SWEPT_BYTES: usize = 1 << 20;
/// The time for which an expired session is kept, in case the machine's clock is ahead for a while.
const GRACE: Duration = Duration::from_secs(60);
/// Free pages that one transaction gives back to the file system.
const VACUUMED_AT_ONCE: usize = 64;
/// One free page of so many stays in the file, for the sessions to come.
const FREE_PAGES: i64 = 8;

/// The result of a command's statements: its answer, or a row that cannot be read.
pub(super) type Applied<T> = rusqlite::Result<Result<T, Unreadable>>;

/// A command that changes the table. It may be carried out again if its transaction was undone.
pub(super) trait Change: Send + 'static {
    type Output: Send + 'static;

    /// Whether the log is emptied after it.
    const CHECKPOINTS: bool = false;

    fn apply(&self, table: &mut Table<'_>, now: Timestamp) -> Applied<Self::Output>;

    /// Returns the bytes that it holds while it waits.
    fn bytes(&self) -> usize {
        0
    }

    /// Returns about how many pages it changes that no other command of its transaction does: of the table, of one
    /// index, and of long bytes.
    fn pages(&self) -> usize {
        2 + self.bytes() / 4_096
    }
}

#[derive(Debug)]
pub(super) struct Create(pub(super) StoreKey, pub(super) NewEntry);

impl Change for Create {
    type Output = Created;

    fn apply(&self, table: &mut Table<'_>, now: Timestamp) -> Applied<Created> {
        if table.create(&self.0, &self.1, now)? {
            return Ok(Ok(Created::Done(self.1.commit.into())));
        }
        Ok(table.find(&self.0)?.map(|_| Created::Exists))
    }

    fn bytes(&self) -> usize {
        self.1.bytes.len()
    }
}

#[derive(Debug)]
pub(super) struct Replace(pub(super) StoreKey, pub(super) Version, pub(super) NewEntry);

impl Change for Replace {
    type Output = Replaced;

    fn apply(&self, table: &mut Table<'_>, now: Timestamp) -> Applied<Replaced> {
        if table.replace(&self.0, &self.1, &self.2, now)? {
            return Ok(Ok(Replaced::Done(self.2.commit.into())));
        }
        let live = table.find(&self.0)?.map(|entry| entry.filter(|entry| entry.deadline > now));
        Ok(live.map(|live| live.map_or(Replaced::Gone, Replaced::Conflict)))
    }

    fn bytes(&self) -> usize {
        self.2.bytes.len()
    }
}

#[derive(Debug)]
pub(super) struct Touch(pub(super) StoreKey, pub(super) Version, pub(super) Timestamp);

impl Change for Touch {
    type Output = Touched;

    fn apply(&self, table: &mut Table<'_>, now: Timestamp) -> Applied<Touched> {
        if table.touch(&self.0, &self.1, self.2, now)? {
            return Ok(Ok(Touched::Done));
        }
        Ok(table.find(&self.0)?.map(|entry| match entry {
            Some(entry) if entry.deadline > now => Touched::Skipped,
            _ => Touched::Gone,
        }))
    }
}

#[derive(Debug)]
pub(super) struct Delete(pub(super) StoreKey);

impl Change for Delete {
    type Output = ();

    fn apply(&self, table: &mut Table<'_>, _: Timestamp) -> Applied<()> {
        if table.delete(&self.0)? {
            return Ok(Ok(()));
        }
        Ok(table.find(&self.0)?.map(drop))
    }

    /// A page of the table and one of each index.
    fn pages(&self) -> usize {
        3
    }
}

/// Removes some expired sessions.
#[derive(Debug)]
pub(super) struct Sweep;

/// The result of a [`Sweep`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Swept {
    pub(super) removed: u64,
    pub(super) more: bool,
}

impl Change for Sweep {
    type Output = Swept;

    fn apply(&self, table: &mut Table<'_>, now: Timestamp) -> Applied<Swept> {
        let expired = table.expired(now.saturating_sub(GRACE), SWEPT_AT_ONCE)?;
        let (mut removed, mut bytes) = (0, 0);
        for row in expired.iter().copied() {
            table.remove(row)?;
            removed += 1;
            bytes += row.1;
            if bytes >= SWEPT_BYTES {
                break;
            }
        }
        let more = removed < expired.len() || expired.len() == SWEPT_AT_ONCE;
        Ok(Ok(Swept { removed: removed as u64, more }))
    }

    fn pages(&self) -> usize {
        3 * SWEPT_AT_ONCE
    }
}

/// Gives some free pages back to the file system. Its output is whether there are more.
#[derive(Debug)]
pub(super) struct Vacuum;

impl Change for Vacuum {
    type Output = bool;

    fn apply(&self, table: &mut Table<'_>, _: Timestamp) -> Applied<bool> {
        let (pages, free) = table.pages()?;
        if free <= pages / FREE_PAGES {
            return Ok(Ok(false));
        }
        table.vacuum(VACUUMED_AT_ONCE)?;
        // Another answer than fewer free pages means that the file was made without `auto_vacuum`.
        let (_, left) = table.pages()?;
        Ok(Ok(left < free))
    }

    fn pages(&self) -> usize {
        3 * VACUUMED_AT_ONCE
    }
}

/// Does nothing in the table: the file shrinks when the log has been moved into it.
#[derive(Debug)]
pub(super) struct Shrink;

impl Change for Shrink {
    type Output = ();

    const CHECKPOINTS: bool = true;

    fn apply(&self, _: &mut Table<'_>, _: Timestamp) -> Applied<()> {
        Ok(Ok(()))
    }
}

#[cfg(test)]
mod tests;
