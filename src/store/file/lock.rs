//! Who may change a session: one task of one process on one host.
//!
//! Two locks, one behind the other. Within the process tasks stand in line for a stripe of keys,
//! which costs nothing; who is at the head of the line holds the stripe's lock file with `flock`,
//! which Linux turns into a lock of the whole file on the NFS server. The lock file stays open
//! between two uses; the kernel, or the server after the lease, frees the lock of a process that
//! died.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::layout::{Layout, STRIPES, stripe_of};
use super::parked::Parked;
use crate::id::StoreKey;

/// A server lends a lock for as long as it hears from the client, 90 s as a rule. What was held for
/// longer than this, because the process was stopped, may already be somebody else's.
const TRUSTED_FOR: Duration = Duration::from_secs(20);
/// For so long a process passes a lock on among its own tasks before it leaves it to others,
const STRETCH: Duration = Duration::from_millis(150);
/// and for so long it leaves it: longer than others wait between two tries.
pub(super) const REST: Duration = Duration::from_millis(20);

/// The lines of one process for the locks of one folder.
#[derive(Debug)]
pub(super) struct Lines(Vec<Arc<Mutex<Line>>>);

#[derive(Debug)]
struct Line {
    /// Opened at the first use.
    file: Parked<LockFile>,
    pace: Pace,
}

#[derive(Debug)]
struct LockFile {
    file: File,
    /// Device and inode.
    identity: (u64, u64),
}

impl Default for Lines {
    fn default() -> Self {
        let line = || Line { file: Parked::EMPTY, pace: Pace::default() };
        Self((0..STRIPES).map(|_| Arc::new(Mutex::new(line()))).collect())
    }
}

impl Lines {
    /// Waits to be at the head of this process's line.
    pub(super) async fn turn(&self, layout: &Layout, key: &StoreKey) -> Turn {
        let stripe = stripe_of(key);
        let line = self.0[stripe].clone().lock_owned().await;
        Turn { path: layout.lock(stripe), line }
    }
}

impl Drop for Lines {
    /// All files together, because on a mount that hangs each would keep a thread.
    fn drop(&mut self) {
        let take = |line: &Arc<Mutex<Line>>| line.try_lock().ok()?.file.take();
        let files: Vec<_> = self.0.iter().filter_map(take).collect();
        if !files.is_empty() {
            drop(Parked::new(files));
        }
    }
}

/// The head of this process's line.
pub(super) struct Turn {
    path: PathBuf,
    line: OwnedMutexGuard<Line>,
}

/// What came of trying.
pub(super) enum Tried {
    Held(Held),
    /// Another process has it. NFS has no quick way to wait for a lock: the client itself asks again
    /// once a second and more rarely.
    Busy(Turn),
}

impl Turn {
    /// How long to leave the lock to other processes first.
    pub(super) fn rest(&mut self) -> Option<Duration> {
        self.line.pace.rest(Instant::now())
    }

    /// Takes the lock if nobody has it. Blocks for as long as the server takes to answer.
    pub(super) fn try_hold(mut self) -> io::Result<Tried> {
        // An answer may come so late that what it grants is over: the time counts from the question.
        let (mut since, mut tried) = (Moment::now(), self.attempt());
        if !matches!(tried, Ok(Some(_))) {
            // Closes what the server no longer knows, or what has lost its name: who comes now would
            // open another file, and we would no longer exclude each other.
            drop(self.line.file.take());
            (since, tried) = (Moment::now(), self.attempt());
        }
        if !matches!(tried, Ok(Some(_))) {
            // It may have been got all the same, and would be kept for as long as the file is open.
            drop(self.line.file.take());
        }
        match tried? {
            Some(true) => Ok(Tried::Held(Held { turn: self, since, trusted_for: TRUSTED_FOR })),
            Some(false) => Ok(Tried::Busy(self)),
            None => Err(io::Error::other("the lock file was replaced again and again")),
        }
    }

    /// Whether the lock is ours now; `None` if what was locked is not what has the name.
    fn attempt(&mut self) -> io::Result<Option<bool>> {
        if self.line.file.get().is_none() {
            let file = open(&self.path)?;
            let metadata = file.metadata()?;
            let identity = (metadata.dev(), metadata.ino());
            self.line.file = Parked::new(LockFile { file, identity });
        }
        let Some(LockFile { file, identity }) = self.line.file.get() else { return Ok(None) };
        if !try_lock(file)? {
            return Ok(Some(false));
        }
        Ok(has_name(&self.path, *identity)?.then_some(true))
    }
}

/// A file that is removed stays what it is to those who have it open. Asked under the lock, because
/// that makes an NFS client forget what it knows of the file.
fn has_name(path: &Path, identity: (u64, u64)) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == identity && there.nlink() > 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The lock, until it is dropped.
pub(super) struct Held {
    turn: Turn,
    since: Moment,
    trusted_for: Duration,
}

impl Held {
    #[cfg(test)]
    pub(super) fn trust_for(&mut self, limit: Duration) {
        self.trusted_for = limit;
    }

    /// How long it has been held, when that is longer than it can be relied on.
    pub(super) fn overdue(&self) -> Option<Duration> {
        Some(self.since.elapsed()).filter(|held| *held > self.trusted_for)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let line = &mut *self.turn.line;
        let unlocked = line.file.get().map(|held| flock(&held.file, FlockOperation::Unlock));
        if !matches!(unlocked, Some(Ok(()))) {
            // To close it is the other way to give the lock back.
            drop(line.file.take());
        }
        line.pace.released(Instant::now());
    }
}

/// By two clocks, of which the longer time counts: one stands still while the machine sleeps, the
/// other is set.
struct Moment(Instant, SystemTime);

impl Moment {
    fn now() -> Self {
        Self(Instant::now(), SystemTime::now())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed().max(self.1.elapsed().unwrap_or_default())
    }
}

/// Since when a process has passed a lock on without a pause.
#[derive(Debug, Default)]
struct Pace {
    since: Option<Instant>,
    released: Option<Instant>,
}

impl Pace {
    fn rest(&mut self, now: Instant) -> Option<Duration> {
        let since = |then: Instant| now.saturating_duration_since(then);
        if self.released.is_none_or(|last| since(last) >= REST) {
            self.since = None;
        }
        let rests = self.since.is_some_and(|began| since(began) >= STRETCH);
        if rests {
            self.since = None;
        }
        rests.then_some(REST)
    }

    fn released(&mut self, now: Instant) {
        self.since.get_or_insert(now);
        self.released = Some(now);
    }
}

/// Follows no link out of the folder.
pub(super) fn open(path: &Path) -> io::Result<File> {
    // NFS grants an exclusive lock only on what is open for writing.
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()).open(path)
}

/// Whether the lock is now ours.
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            // EAGAIN and EWOULDBLOCK are the same; some servers' refusal arrives as EACCES.
            Err(Errno::AGAIN | Errno::ACCESS) => return Ok(false),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_passed_on_for_long_is_left_to_others_for_a_moment() {
        let (began, mut pace) = (Instant::now(), Pace::default());
        let mut rests = |at: u64| {
            let now = began + Duration::from_millis(at);
            let rest = pace.rest(now);
            pace.released(now + Duration::from_millis(1));
            rest
        };
        let rested: Vec<u64> = (0..400).step_by(10).filter(|at| rests(*at).is_some()).collect();
        assert_eq!(rested, [160, 320]);
        // Who comes now and then has left it to others anyway.
        assert!((1_000..9_000).step_by(50).all(|at| rests(at).is_none()));
    }
}
