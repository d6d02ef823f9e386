//! Removes expired sessions, outside of requests.

use std::fs::{self, DirEntry, ReadDir};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::command_runner::CommandRunner;
use super::defer_drop::DeferDrop;
use super::election::{record_sweep, try_elect};
use super::error::{During, FileError, is_absent, was_removed};
use super::folder::Folder;
use super::format::{Damage, Header};
use super::layout::{FileName, SHARDS, is_staged_marker, parse_set_aside};
use super::locked_session::SweepOutcome;
use super::session_file::read_header;
use super::staged_file::remove_if_present;
use crate::abort_on_drop::AbortOnDrop;
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::id::StoreKey;

/// Files that one job on a worker thread inspects.
const BATCH: usize = 64;
/// After each batch the sweeper pauses three times as long as the batch took, and at least this long.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
/// The time for which an expired session is kept, because the servers' clocks may differ.
const GRACE: Duration = Duration::from_secs(60);
/// The age at which a half-written file counts as abandoned. No command takes so long.
const ABANDONED_AFTER: Duration = Duration::from_secs(60 * 60);
/// The time for which a session that was set aside is kept: long enough to find the cause, and not for
/// ever, because there may be personal data in it.
const KEEP_DAMAGED_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The interval at which a server asks whether a sweep is due.
const ASK_EVERY: Duration = Duration::from_secs(60);

/// The counts of one sweep, from [`FileStore::sweep`](super::FileStore::sweep).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use cloakroom::store::{FileStore, SessionStore, Swept};
/// # let folder = std::env::temp_dir().join(format!("cloakroom-swept-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let store = FileStore::open(&folder).await?;
/// let swept = store.sweep().await?;
/// assert_eq!(swept, Swept::default(), "a new store has nothing to sweep");
/// assert_eq!(swept.failed, 0);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Swept {
    /// Sessions that were inspected.
    pub inspected: u64,
    /// Expired sessions that were removed.
    pub removed: u64,
    /// Damaged sessions that were moved to `damaged/`.
    pub set_aside: u64,
    /// Half-written files of killed processes that were removed.
    pub abandoned: u64,
    /// Files in `damaged/` that were removed, 30 days after they were moved there.
    pub discarded: u64,
    /// Files under a session's name that the store has not written: links, sockets, files that cannot
    /// be read. They stay where they are.
    pub foreign: u64,
    /// Files that should have been removed or set aside and were not, for example because their lock
    /// was busy. The next sweep tries again.
    pub failed: u64,
}

/// The action that one file needs.
enum Task {
    Sweep(StoreKey),
    RemoveAbandoned(StoreKey, PathBuf),
    RemoveProbe(PathBuf),
    ReportForeign,
}

/// Goes through all shards once.
pub(super) async fn sweep(runner: &CommandRunner) -> Result<Swept, StoreError> {
    let mut swept = Swept::default();
    for shard in 0..SHARDS {
        let listing =
            runner.run(move |folder| list_shard(folder, shard).map_err(FileError::not_applied));
        let mut remaining = Some(listing.await?);
        while let Some(names) = remaining.take() {
            let began = Instant::now();
            let batch = runner
                .run(move |folder| inspect_batch(folder, names).map_err(FileError::not_applied));
            let batch = batch.await?;
            swept.inspected += batch.sessions;
            for task in batch.tasks {
                carry_out(runner, task, &mut swept).await;
            }
            remaining = batch.remaining;
            tokio::time::sleep((began.elapsed() * 3).max(SHORTEST_PAUSE)).await;
        }
    }
    let others = runner.run(|folder| sweep_other_folders(folder).map_err(FileError::not_applied));
    let others = others.await?;
    swept.abandoned += others.abandoned;
    swept.discarded += others.discarded;
    swept.failed += others.failed;
    Ok(swept)
}

fn list_shard(folder: &Folder, shard: usize) -> Result<DeferDrop<ReadDir>, FileError> {
    fs::read_dir(folder.layout.shard_path(shard)).map(DeferDrop::new).during("list sessions")
}

/// The findings of one job on a worker thread.
struct Batch {
    sessions: u64,
    tasks: Vec<Task>,
    /// The rest of the shard's listing.
    remaining: Option<DeferDrop<ReadDir>>,
}

fn inspect_batch(folder: &Folder, mut names: DeferDrop<ReadDir>) -> Result<Batch, FileError> {
    let mut batch = Batch { sessions: 0, tasks: Vec::new(), remaining: None };
    let Some(mut names) = names.take() else { return Ok(batch) };
    let mut inspected = 0;
    for entry in names.by_ref().take(BATCH) {
        inspected += 1;
        let entry = entry.during("list sessions")?;
        let name = entry.file_name().to_str().map_or(FileName::Foreign, FileName::parse);
        batch.sessions += u64::from(matches!(name, FileName::Session(_)));
        batch.tasks.extend(find_task(folder, name, &entry)?);
    }
    batch.remaining = (inspected == BATCH).then(|| DeferDrop::new(names));
    Ok(batch)
}

fn find_task(folder: &Folder, name: FileName, entry: &DirEntry) -> Result<Option<Task>, FileError> {
    let path = entry.path();
    match name {
        FileName::Session(key) => inspect_session(folder, key, &path),
        FileName::Successor(key) | FileName::Staged(key) => {
            Ok(is_abandoned(entry).then_some(Task::RemoveAbandoned(key, path)))
        }
        FileName::Probe => Ok(is_abandoned(entry).then_some(Task::RemoveProbe(path))),
        FileName::Foreign => Ok(None),
    }
}

/// Decides by a session's header whether it has to be swept.
///
/// This only selects candidates: the decision is made again under the lock, where the whole file is
/// read. Taking every session's lock here would hold up the requests.
fn inspect_session(folder: &Folder, key: StoreKey, path: &Path) -> Result<Option<Task>, FileError> {
    let _guard = folder.lock_against_rename(&key);
    let header = match read_header(path, folder.file_system.owner) {
        Err(error) if is_absent(&error) || was_removed(&error) => return Ok(None),
        Err(error) if concerns_one_file(&error) => {
            tracing::warn!(session = %key, %error, "a file under a session's name cannot be read");
            return Ok(Some(Task::ReportForeign));
        }
        read => read.during("read a session's header")?,
    };
    let is_expired = |header: Header| header.deadline <= folder.clock.now().saturating_sub(GRACE);
    let is_due = match header {
        Ok(header) => is_expired(header),
        Err(damage) => !matches!(damage, Damage::Newer(_)),
    };
    Ok(is_due.then_some(Task::Sweep(key)))
}

/// Returns whether an error is about one file and not about the file system: somebody has put the file
/// there (with other permissions, as a link, as a socket), or the disk has lost it. Such a file must
/// not end the sweep, or the sessions behind it would stay for ever.
fn concerns_one_file(error: &io::Error) -> bool {
    use Errno as E;
    matches!(Errno::from_io_error(error), Some(E::ACCESS | E::PERM | E::LOOP | E::NXIO | E::IO))
}

/// Sweeps the two folders that hold few files: `damaged/`, and the root, where a process that was killed
/// while it opened the store leaves a file. One job lists each of them.
fn sweep_other_folders(folder: &Folder) -> Result<Swept, FileError> {
    let mut swept = Swept::default();
    let now = folder.clock.now();
    let is_old = |then: Timestamp| then.saturating_add(KEEP_DAMAGED_FOR) <= now;
    let damaged = folder.layout.folder_path("damaged");
    (swept.discarded, swept.failed) =
        remove_from(&damaged, |name, _| parse_set_aside(name).is_some_and(is_old))?;
    let is_leftover = |name: &str, entry: &DirEntry| is_staged_marker(name) && is_abandoned(entry);
    let failed;
    (swept.abandoned, failed) = remove_from(folder.layout.root(), is_leftover)?;
    swept.failed += failed;
    Ok(swept)
}

/// Removes the files that `is_due` picks. Returns how many were removed, and how many could not be.
fn remove_from(
    folder: &Path,
    is_due: impl Fn(&str, &DirEntry) -> bool,
) -> Result<(u64, u64), FileError> {
    let (mut removed, mut failed) = (0, 0);
    for entry in fs::read_dir(folder).during("list the store's files")? {
        let entry = entry.during("list the store's files")?;
        if !entry.file_name().to_str().is_some_and(|name| is_due(name, &entry)) {
            continue;
        }
        match remove_if_present(&entry.path()) {
            Ok(()) => removed += 1,
            Err(error) => {
                tracing::debug!(%error, "an old file of the store cannot be removed");
                failed += 1;
            }
        }
    }
    Ok((removed, failed))
}

/// Compares with the file's modification time, which the file system's server sets.
fn is_abandoned(entry: &DirEntry) -> bool {
    let modified = entry.metadata().and_then(|metadata| metadata.modified());
    modified.is_ok_and(|then| then.elapsed().is_ok_and(|age| age > ABANDONED_AFTER))
}

async fn carry_out(runner: &CommandRunner, task: Task, swept: &mut Swept) {
    let count = match task {
        Task::Sweep(key) => match runner.run_locked(key, |session| session.sweep(GRACE)).await {
            Ok(SweepOutcome::Kept) => return,
            Ok(SweepOutcome::Removed) => &mut swept.removed,
            Ok(SweepOutcome::SetAside) => &mut swept.set_aside,
            Err(error) => log_failure(swept, &error),
        },
        Task::RemoveAbandoned(key, path) => {
            match runner.run_locked(key, move |session| session.remove_abandoned(&path)).await {
                Ok(()) => &mut swept.abandoned,
                Err(error) => log_failure(swept, &error),
            }
        }
        Task::RemoveProbe(path) => {
            let remove = move |_: &Folder| {
                remove_if_present(&path).during("remove a probe").map_err(FileError::not_applied)
            };
            match runner.run(remove).await {
                Ok(()) => &mut swept.abandoned,
                Err(error) => log_failure(swept, &error),
            }
        }
        Task::ReportForeign => &mut swept.foreign,
    };
    *count += 1;
}

/// Logs the error and returns the count of failures.
fn log_failure<'a>(swept: &'a mut Swept, error: &StoreError) -> &'a mut u64 {
    let error = error as &dyn std::error::Error;
    tracing::debug!(error, "a session's file could not be swept");
    &mut swept.failed
}

/// Starts the task that sweeps whenever a sweep is due. It ends when the returned value is dropped.
pub(super) fn start(runner: &Arc<CommandRunner>, interval: Duration) -> AbortOnDrop<()> {
    let runner = runner.clone();
    let sweeping = async move {
        loop {
            tokio::time::sleep(interval.min(ASK_EVERY)).await;
            match sweep_if_due(&runner, interval).await {
                Ok(Some(swept)) => tracing::debug!(?swept, "session files swept"),
                Ok(None) => {}
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the sweep of session files failed; it will be repeated");
                }
            }
        }
    };
    AbortOnDrop::new(tokio::spawn(sweeping))
}

/// Sweeps if this server is elected. If the sweep fails it is not recorded, so that it is due again.
async fn sweep_if_due(
    runner: &CommandRunner,
    interval: Duration,
) -> Result<Option<Swept>, StoreError> {
    let elected =
        runner.run(move |folder| try_elect(folder, interval).map_err(FileError::not_applied));
    let Some(elected) = elected.await? else { return Ok(None) };
    let swept = sweep(runner).await?;
    let recorded =
        runner.run(move |folder| record_sweep(folder, elected).map_err(FileError::not_applied));
    recorded.await?;
    Ok(Some(swept))
}
