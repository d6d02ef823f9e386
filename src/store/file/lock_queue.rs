//! The lock of a session: one task of one process on one host may change it.
//!
//! There are three locks, one behind the other. Within the process, the tasks of a session take turns,
//! and the sessions of a stripe of keys queue, which costs no system call. The task at the head of the
//! queue then takes the stripe's lock file with `flock`, which excludes other processes and hosts.
//! Without the queue, tasks of one process would compete for the lock file with requests to the server.
//!
//! The lock file stays open between two uses. When a process dies, the kernel frees its lock; when a
//! whole host dies, the NFS server does after the lease.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::defer_drop::DeferDrop;
use super::file_id::FileId;
use super::flock::{open_lock_file, try_lock, unlock};
use super::layout::{Layout, STRIPES, choose_stripe};
use super::owner::{Exposure, Owner};
use super::session_turns::{SessionTurn, SessionTurns};
use crate::id::StoreKey;

/// The longest that a held lock is relied on. An NFS server lends a lock for as long as it hears from the
/// client, usually 90 s. After this time (the process was stopped, or the machine slept) the lock may
/// already be somebody else's.
const TRUSTED_FOR: Duration = Duration::from_secs(20);
/// The longest that a process passes a lock on among its own tasks before it leaves the lock to others.
const LONGEST_STREAK: Duration = Duration::from_millis(150);
/// The same while other processes want the lock too. With several busy processes, one that wants the lock
/// for a single command waits for the streaks of all the others.
const CONTENDED_STREAK: Duration = Duration::from_millis(40);
/// The time for which others that were met count as wanting the lock still.
const CONTENDED_FOR: Duration = Duration::from_secs(1);
/// The time for which it leaves the lock to others. Longer than they pause between two attempts; without this
/// pause a busy process would keep the lock for ever.
pub(super) const YIELD_TIME: Duration = Duration::from_millis(20);

/// The queues of one process for the lock files of one folder.
#[derive(Debug)]
pub(super) struct LockQueues {
    turns: Arc<SessionTurns>,
    stripes: Vec<Arc<Mutex<Stripe>>>,
}

/// The state of one lock file. Tasks queue for the mutex around it, which serves them in order.
#[derive(Debug)]
struct Stripe {
    /// Opened at the first use.
    file: DeferDrop<LockFile>,
    fairness: Fairness,
}

#[derive(Debug)]
struct LockFile {
    file: File,
    id: FileId,
}

impl Default for LockQueues {
    fn default() -> Self {
        let stripe = || Stripe { file: DeferDrop::EMPTY, fairness: Fairness::default() };
        let stripes = (0..STRIPES).map(|_| Arc::new(Mutex::new(stripe()))).collect();
        Self { turns: Arc::default(), stripes }
    }
}

impl LockQueues {
    /// Waits to be at the head of the queue for this key's lock.
    pub(super) async fn wait(&self, layout: &Layout, owner: Owner, key: &StoreKey) -> QueueHead {
        let turn = self.turns.clone().wait(*key).await;
        let stripe = choose_stripe(key);
        let locked = self.stripes[stripe].clone().lock_owned().await;
        QueueHead { path: layout.lock_path(stripe), owner, stripe: locked, _turn: turn }
    }
}

impl Drop for LockQueues {
    /// Closes all files in one job: on a mount that hangs, each would otherwise keep a thread.
    fn drop(&mut self) {
        let take = |stripe: &Arc<Mutex<Stripe>>| stripe.try_lock().ok()?.file.take();
        let files: Vec<_> = self.stripes.iter().filter_map(take).collect();
        if !files.is_empty() {
            drop(DeferDrop::new(files));
        }
    }
}

/// The head of this process's queue for one lock file. The next task moves up when it is dropped.
pub(super) struct QueueHead {
    path: PathBuf,
    owner: Owner,
    stripe: OwnedMutexGuard<Stripe>,
    _turn: SessionTurn,
}

/// The result of one attempt to take the lock.
pub(super) enum LockAttempt {
    Acquired(LockGuard),
    /// Another process holds it. The task keeps its place in the queue.
    Busy(QueueHead),
}

impl QueueHead {
    /// Returns how long to leave the lock to other processes before the first attempt, if at all.
    pub(super) fn pause_before(&mut self) -> Option<Duration> {
        self.stripe.fairness.pause_before(Instant::now())
    }

    /// Takes the lock if nobody holds it. Blocks for as long as the server takes to answer.
    pub(super) fn try_lock(mut self) -> io::Result<LockAttempt> {
        // The time counts from the question: an answer can come so late that the lease it grants is
        // already over.
        let (mut since, mut attempt) = (Stopwatch::start(), self.attempt());
        if !matches!(attempt, Ok(Some(_))) {
            // The server may no longer know the open file, or the file has lost its name: a process
            // that came now would open another file, and the two would not exclude each other.
            drop(self.stripe.file.take());
            (since, attempt) = (Stopwatch::start(), self.attempt());
        }
        if !matches!(attempt, Ok(Some(_))) {
            // The lock may have been granted all the same, and would be held until the file is closed.
            drop(self.stripe.file.take());
        }
        match attempt? {
            Some(true) => {
                let guard = LockGuard { head: self, since, trusted_for: TRUSTED_FOR };
                Ok(LockAttempt::Acquired(guard))
            }
            Some(false) => {
                self.stripe.fairness.met_others(Instant::now());
                Ok(LockAttempt::Busy(self))
            }
            None => Err(io::Error::other("the lock file was removed or replaced twice in a row")),
        }
    }

    /// Returns whether the lock is ours now, or `None` if the locked file no longer has its name.
    fn attempt(&mut self) -> io::Result<Option<bool>> {
        if self.stripe.file.get().is_none() {
            let file = open_lock_file(&self.path)?;
            let metadata = file.metadata()?;
            // Another user could hold the lock of a file of their own for ever.
            self.owner.check(&metadata).map_err(refuse_lock_file)?;
            let id = FileId::from_metadata(&metadata);
            self.stripe.file = DeferDrop::new(LockFile { file, id });
        }
        let Some(LockFile { file, id }) = self.stripe.file.get() else { return Ok(None) };
        if !try_lock(file)? {
            return Ok(Some(false));
        }
        Ok(has_name(&self.path, *id)?.then_some(true))
    }
}

fn refuse_lock_file(exposure: Exposure) -> io::Error {
    io::Error::other(format!("the lock file cannot be trusted, because {exposure}"))
}

/// Returns whether `path` still names this file. A file that was removed stays usable for those who
/// have it open.
///
/// Called under the lock, because taking a lock makes an NFS client forget what it has cached of the
/// file.
fn has_name(path: &Path, id: FileId) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(FileId::from_metadata(&found) == id && found.nlink() > 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// A held lock. Dropping it frees the lock and lets the next task of the queue try.
pub(super) struct LockGuard {
    head: QueueHead,
    since: Stopwatch,
    trusted_for: Duration,
}

impl LockGuard {
    #[cfg(test)]
    pub(super) fn trust_for(&mut self, limit: Duration) {
        self.trusted_for = limit;
    }

    /// Returns how long the lock has been held, if that is longer than it can be relied on.
    pub(super) fn held_too_long(&self) -> Option<Duration> {
        Some(self.since.elapsed()).filter(|held| *held > self.trusted_for)
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        let stripe = &mut *self.head.stripe;
        let unlocked = stripe.file.get().map(|held| unlock(&held.file));
        if !matches!(unlocked, Some(Ok(()))) {
            // Closing the file is the other way to give the lock back.
            drop(stripe.file.take());
        }
        stripe.fairness.released(Instant::now());
    }
}

/// Measures time by two clocks and reports the longer: the monotonic one may stand still while the
/// machine sleeps, and the system's may be set.
struct Stopwatch(Instant, SystemTime);

impl Stopwatch {
    fn start() -> Self {
        Self(Instant::now(), SystemTime::now())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed().max(self.1.elapsed().unwrap_or_default())
    }
}

/// Notices when this process has passed a lock on among its own tasks for too long.
#[derive(Debug, Default)]
struct Fairness {
    streak_began: Option<Instant>,
    last_release: Option<Instant>,
    /// When another process was last found to hold the lock.
    others_met: Option<Instant>,
}

impl Fairness {
    fn pause_before(&mut self, now: Instant) -> Option<Duration> {
        let since = |then: Instant| now.saturating_duration_since(then);
        if self.last_release.is_none_or(|last| since(last) >= YIELD_TIME) {
            // Nobody of this process wanted the lock for a while: others had their chance.
            self.streak_began = None;
        }
        let is_contended = self.others_met.is_some_and(|met| since(met) < CONTENDED_FOR);
        let longest = if is_contended { CONTENDED_STREAK } else { LONGEST_STREAK };
        let pauses = self.streak_began.is_some_and(|began| since(began) >= longest);
        if pauses {
            self.streak_began = None;
        }
        pauses.then_some(YIELD_TIME)
    }

    fn met_others(&mut self, now: Instant) {
        self.others_met = Some(now);
    }

    fn released(&mut self, now: Instant) {
        self.streak_began.get_or_insert(now);
        self.last_release = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_passes_a_lock_on_for_long_leaves_it_to_others_for_a_moment() {
        let (began, mut fairness) = (Instant::now(), Fairness::default());
        let mut pauses_at = |millis: u64| {
            let now = began + Duration::from_millis(millis);
            let pause = fairness.pause_before(now);
            fairness.released(now + Duration::from_millis(1));
            pause
        };
        let paused: Vec<u64> = (0..400).step_by(10).filter(|at| pauses_at(*at).is_some()).collect();
        assert_eq!(paused, [160, 320]);
        // A process that takes the lock now and then leaves enough time between anyway.
        assert!((1_000..9_000).step_by(50).all(|at| pauses_at(at).is_none()));
    }

    #[test]
    fn a_process_leaves_the_lock_sooner_while_others_want_it() {
        let (began, mut fairness) = (Instant::now(), Fairness::default());
        fairness.met_others(began);
        let mut pauses_at = |millis: u64| {
            let now = began + Duration::from_millis(millis);
            let pause = fairness.pause_before(now);
            fairness.released(now + Duration::from_millis(1));
            pause
        };
        let paused: Vec<u64> =
            (0..1_400).step_by(10).filter(|at| pauses_at(*at).is_some()).collect();
        assert_eq!(paused[..3], [50, 100, 150]);
        assert!(paused.ends_with(&[950, 1_110, 1_270]), "a second later it takes its time again");
    }
}
