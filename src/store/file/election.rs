//! Elects the server that sweeps: the one that holds the lock on `locks/sweep`.
//!
//! The file also holds the time of the last sweep, so that the interval is one for all servers
//! together. A timer of each server's own would sweep once per server and interval.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::time::Duration;

use super::defer_drop::DeferDrop;
use super::error::{During, FileError};
use super::flock::{open_lock_file, try_lock};
use super::folder::Folder;

/// The length of the file: twenty digits and a line feed.
const RECORD: u64 = 21;

/// The locked file. This server stays the elected one until it is dropped.
pub(super) type Elected = DeferDrop<File>;

/// Returns the lock if no other server sweeps and the last sweep was at least `interval` ago.
pub(super) fn try_elect(folder: &Folder, interval: Duration) -> Result<Option<Elected>, FileError> {
    let record =
        open_lock_file(&folder.layout.sweep_lock_path()).during("open the sweep's lock")?;
    let metadata = record.metadata().during("look at the sweep's lock")?;
    if let Err(exposure) = folder.file_system.owner.check(&metadata) {
        return Err(FileError::Exposed { path: "`locks/sweep` in it".to_owned(), exposure });
    }
    if !try_lock(&record).during("lock the sweep")? {
        return Ok(None);
    }
    // A time that cannot be read, or that a clock ahead of ours has written, counts as never.
    let waited =
        read_last_sweep(&record).and_then(|last| folder.clock.now().as_millis().checked_sub(last));
    let is_due = waited.is_none_or(|waited| u128::from(waited) >= interval.as_millis());
    Ok(is_due.then(|| DeferDrop::new(record)))
}

fn read_last_sweep(record: &File) -> Option<u64> {
    let mut line = String::new();
    record.take(RECORD).read_to_string(&mut line).ok()?;
    line.trim().parse().ok()
}

/// Writes down that a sweep has ended now, and releases the lock.
pub(super) fn record_sweep(folder: &Folder, mut elected: Elected) -> Result<(), FileError> {
    let Some(mut record) = elected.take() else { return Ok(()) };
    let line = format!("{:020}\n", folder.clock.now().as_millis());
    let written = record.rewind().and_then(|()| record.write_all(line.as_bytes()));
    written.and_then(|()| record.set_len(RECORD)).during("record the sweep")
}
