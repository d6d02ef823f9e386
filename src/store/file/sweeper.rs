//! Removes what has expired, off the request path.

use std::fs::{self, DirEntry, ReadDir};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::election::{elect, note};
use super::error::{During, FileError, is_absent, is_gone};
use super::files::{Files, read_head};
use super::format::{self, Damage, Header};
use super::layout::{Name, SHARDS};
use super::locked::Sweep;
use super::parked::Parked;
use super::shared::Shared;
use crate::abort_on_drop::AbortOnDrop;
use crate::error::StoreError;
use crate::id::StoreKey;

/// Names that are looked at in one go.
const STEP: usize = 64;
/// After each go it rests three times as long as the go took, and at least this.
const SHORTEST_REST: Duration = Duration::from_millis(5);
/// An expired session stays for so long, because the servers' clocks may differ.
const GRACE: Duration = Duration::from_secs(60);
/// No command takes that long, so whoever staged this file will not come back to it.
const ABANDONED: Duration = Duration::from_secs(60 * 60);
/// How often a server asks whether a sweep is due.
const ASK_EVERY: Duration = Duration::from_secs(60);

/// What a sweep has met and done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Swept {
    /// Sessions that were looked at.
    pub seen: u64,
    /// Expired sessions that were removed.
    pub removed: u64,
    /// Damaged sessions that were moved to `damaged/`.
    pub set_aside: u64,
    /// Half-written files of killed processes that were removed.
    pub abandoned: u64,
    /// Files under a session's name that are none of ours: links, sockets, files that cannot be read.
    /// They stay.
    pub foreign: u64,
    /// Files that were to go and stayed, because their lock was busy, say. The next sweep tries again.
    pub failed: u64,
}

/// What is to be done about a file.
enum Task {
    Sweep(StoreKey),
    Remove(StoreKey, PathBuf),
    /// Nothing, but somebody should know.
    Report,
}

pub(super) async fn sweep(shared: &Shared) -> Result<Swept, StoreError> {
    let mut swept = Swept::default();
    for shard in 0..SHARDS {
        let listing = shared.on_files(move |files| list(files, shard)).await?;
        let mut listing = Some(listing.map_err(FileError::unavailable)?);
        while let Some(names) = listing.take() {
            let began = Instant::now();
            let step = shared.on_files(move |files| step(files, names)).await?;
            let step = step.map_err(FileError::unavailable)?;
            swept.seen += step.seen;
            for task in step.tasks {
                carry_out(shared, task, &mut swept).await;
            }
            listing = step.rest;
            tokio::time::sleep((began.elapsed() * 3).max(SHORTEST_REST)).await;
        }
    }
    Ok(swept)
}

fn list(files: &Files, shard: usize) -> Result<Parked<ReadDir>, FileError> {
    fs::read_dir(files.layout.shard(shard)).map(Parked::new).during("list sessions")
}

struct Step {
    seen: u64,
    tasks: Vec<Task>,
    /// The names that were not looked at yet.
    rest: Option<Parked<ReadDir>>,
}

fn step(files: &Files, mut names: Parked<ReadDir>) -> Result<Step, FileError> {
    let mut step = Step { seen: 0, tasks: Vec::new(), rest: None };
    let Some(mut names) = names.take() else { return Ok(step) };
    let mut looked_at = 0;
    for entry in names.by_ref().take(STEP) {
        looked_at += 1;
        let entry = entry.during("list sessions")?;
        let name = entry.file_name().to_str().map_or(Name::Foreign, Name::of);
        step.seen += u64::from(matches!(name, Name::Session(_)));
        step.tasks.extend(task(files, name, &entry)?);
    }
    step.rest = (looked_at == STEP).then(|| Parked::new(names));
    Ok(step)
}

fn task(files: &Files, name: Name, entry: &DirEntry) -> Result<Option<Task>, FileError> {
    let path = entry.path();
    match name {
        Name::Session(key) => weigh(files, key, &path),
        Name::Next(key) | Name::Staged(key) => {
            Ok(is_abandoned(entry).then_some(Task::Remove(key, path)))
        }
        Name::Foreign => Ok(None),
    }
}

/// Whether the session is to go, judged by its first bytes. What is done about it is decided again
/// under the lock, where all of it is read.
fn weigh(files: &Files, key: StoreKey, path: &Path) -> Result<Option<Task>, FileError> {
    let _reading = files.reading(&key);
    let (head, length) = match read_head(path) {
        Err(error) if is_absent(&error) || is_gone(&error) => return Ok(None),
        Err(error) if is_its_own(&error) => {
            tracing::warn!(session = %key, %error, "a file among the sessions is not one of them");
            return Ok(Some(Task::Report));
        }
        read => read.during("read a session's header")?,
    };
    let expired = |header: Header| header.deadline <= files.clock.now().saturating_sub(GRACE);
    let is_due = match format::peek(&head, length) {
        Ok(header) => expired(header),
        Err(damage) => !matches!(damage, Damage::Newer(_)),
    };
    Ok(is_due.then_some(Task::Sweep(key)))
}

/// Whether it is this file that is wrong: it was put here by hand (permissions, a link, a socket), or
/// the disk no longer has it. The sessions behind it are to be swept all the same.
fn is_its_own(error: &io::Error) -> bool {
    use Errno as E;
    matches!(Errno::from_io_error(error), Some(E::ACCESS | E::PERM | E::LOOP | E::NXIO | E::IO))
}

/// By the times of the file system, which its server gives.
fn is_abandoned(entry: &DirEntry) -> bool {
    let age = entry.metadata().and_then(|metadata| metadata.modified());
    age.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > ABANDONED))
}

async fn carry_out(shared: &Shared, task: Task, swept: &mut Swept) {
    let count = match task {
        Task::Sweep(key) => match shared.locked(key, |session| session.sweep(GRACE)).await {
            Ok(Sweep::Left) => return,
            Ok(Sweep::Removed) => &mut swept.removed,
            Ok(Sweep::SetAside) => &mut swept.set_aside,
            Err(error) => failed(swept, &error),
        },
        Task::Remove(key, path) => {
            match shared.locked(key, move |session| session.remove_staged(&path)).await {
                Ok(()) => &mut swept.abandoned,
                Err(error) => failed(swept, &error),
            }
        }
        Task::Report => &mut swept.foreign,
    };
    *count += 1;
}

fn failed<'a>(swept: &'a mut Swept, error: &StoreError) -> &'a mut u64 {
    let error = error as &dyn std::error::Error;
    tracing::debug!(error, "a session file that was to be swept stays");
    &mut swept.failed
}

/// Sweeps whenever it is due, until it is aborted.
pub(super) fn start(shared: &Arc<Shared>, interval: Duration) -> AbortOnDrop<()> {
    let shared = shared.clone();
    let sweeping = async move {
        loop {
            tokio::time::sleep(interval.min(ASK_EVERY)).await;
            match sweep_if_due(&shared, interval).await {
                Ok(Some(swept)) => tracing::debug!(?swept, "session files swept"),
                Ok(None) => {}
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "session files not swept");
                }
            }
        }
    };
    AbortOnDrop::new(tokio::spawn(sweeping))
}

/// One server at a time sweeps, and leaves behind when it was done.
async fn sweep_if_due(shared: &Shared, interval: Duration) -> Result<Option<Swept>, StoreError> {
    let elected = shared.on_files(move |files| elect(files, interval)).await?;
    let Some(elected) = elected.map_err(FileError::unavailable)? else { return Ok(None) };
    let swept = sweep(shared).await?;
    let noted = shared.on_files(move |files| note(files, elected)).await?;
    noted.map_err(FileError::unavailable)?;
    Ok(Some(swept))
}
