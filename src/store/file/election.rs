//! Which server sweeps, and when the last sweep was: whoever holds `locks/sweep`, and what is in it.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::time::Duration;

use super::error::{During, FileError};
use super::files::Files;
use super::lock;
use super::parked::Parked;

/// Twenty digits and a line's end.
const RECORD: u64 = 21;

/// The office of the one who sweeps; to drop it is to leave it.
pub(super) type Elected = Parked<File>;

/// Nobody else sweeps, and the last sweep was long enough ago.
pub(super) fn elect(files: &Files, interval: Duration) -> Result<Option<Elected>, FileError> {
    let record = lock::open(&files.layout.sweep_lock()).during("open the sweep's lock")?;
    if !lock::try_lock(&record).during("lock the sweep")? {
        return Ok(None);
    }
    // What was noted by a clock that was ahead of ours, and what is unreadable, is as good as never.
    let waited = last(&record).and_then(|last| files.clock.now().as_millis().checked_sub(last));
    let is_due = waited.is_none_or(|waited| u128::from(waited) >= interval.as_millis());
    Ok(is_due.then(|| Parked::new(record)))
}

fn last(record: &File) -> Option<u64> {
    let mut line = String::new();
    record.take(RECORD).read_to_string(&mut line).ok()?;
    line.trim().parse().ok()
}

/// Notes that it was done now, and leaves the office.
pub(super) fn note(files: &Files, mut elected: Elected) -> Result<(), FileError> {
    let Some(mut record) = elected.take() else { return Ok(()) };
    let line = format!("{:020}\n", files.clock.now().as_millis());
    let noted = record.rewind().and_then(|()| record.write_all(line.as_bytes()));
    noted.and_then(|()| record.set_len(RECORD)).during("note the sweep")
}
