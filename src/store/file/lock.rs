//! Who may change a session: one task of one process on one host.
//!
//! Two locks, one behind the other. Within the process tasks stand in line for a stripe of keys,
//! which costs nothing; who is at the head of the line holds the stripe's lock file with `flock`,
//! which Linux turns into a lock of the whole file on the NFS server. The lock file stays open
//! between two uses; the kernel, or the server after the lease, frees the lock of a process that
//! died.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::layout::{Layout, STRIPES, stripe_of};
use crate::id::StoreKey;

/// A server lends a lock for as long as it hears from the client, 90 s as a rule. What was held for
/// longer than this, because the process was stopped, may already be somebody else's.
const TRUSTED_FOR: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(super) struct Stripes(Vec<Stripe>);

#[derive(Debug)]
struct Stripe {
    path: PathBuf,
    line: Arc<Mutex<Option<File>>>,
}

impl Stripes {
    pub(super) fn new(layout: &Layout) -> Self {
        let stripe = |number| Stripe { path: layout.lock(number), line: Arc::default() };
        Self((0..STRIPES).map(stripe).collect())
    }

    /// Waits to be at the head of this process's line.
    pub(super) async fn turn(&self, key: &StoreKey) -> Turn {
        let stripe = &self.0[stripe_of(key)];
        let file = stripe.line.clone().lock_owned().await;
        Turn { path: stripe.path.clone(), file }
    }
}

/// The head of this process's line.
pub(super) struct Turn {
    path: PathBuf,
    /// Opened at the first use.
    file: OwnedMutexGuard<Option<File>>,
}

/// What came of trying.
pub(super) enum Tried {
    Held(Held),
    /// Another process has it. NFS has no quick way to wait for a lock: the client itself asks again
    /// once a second and more rarely.
    Busy(Turn),
}

impl Turn {
    /// Takes the lock if nobody has it. Blocks for as long as the server takes to answer.
    pub(super) fn try_hold(mut self) -> io::Result<Tried> {
        match self.attempt() {
            Err(_) => {
                // The file handle may be one that the server no longer knows.
                *self.file = None;
                self.attempt()
            }
            tried => tried,
        }
        .map(|held| {
            let since = Instant::now();
            if held { Tried::Held(Held { turn: self, since }) } else { Tried::Busy(self) }
        })
    }

    fn attempt(&mut self) -> io::Result<bool> {
        let file = match &mut *self.file {
            Some(file) => file,
            closed => closed.insert(open(&self.path)?),
        };
        try_lock(file)
    }
}

/// The lock, until it is dropped.
pub(super) struct Held {
    turn: Turn,
    since: Instant,
}

impl Held {
    /// How long it has been held, when that is longer than it can be relied on.
    pub(super) fn overdue(&self) -> Option<Duration> {
        Some(self.since.elapsed()).filter(|held| *held > TRUSTED_FOR)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let unlocked = self.turn.file.as_ref().map(|file| flock(file, FlockOperation::Unlock));
        if !matches!(unlocked, Some(Ok(()))) {
            // To close it is the other way to give the lock back.
            *self.turn.file = None;
        }
    }
}

pub(super) fn open(path: &Path) -> io::Result<File> {
    // NFS grants an exclusive lock only on what is open for writing.
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
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
