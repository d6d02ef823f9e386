//! Runs the commands of a store: on a worker thread, under the session's lock where they need it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::deadline::CommandDeadline;
use super::error::{CommandError, During, FileError};
use super::folder::Folder;
use super::lock_queue::{LockAttempt, QueueHead, YIELD_TIME};
use super::locked_session::LockedSession;
use super::options::Options;
use super::worker_pool::WorkerPool;
use crate::abort_on_drop::AbortOnDrop;
use crate::backoff::Backoff;
use crate::entropy;
use crate::error::StoreError;
use crate::id::StoreKey;

/// Pauses between two attempts at a lock that another process holds. They are short against the time
/// that a holder needs on EFS, and each attempt is one request to the server.
const LEAST_PAUSE: Duration = Duration::from_micros(500);
const LONGEST_PAUSE: Duration = Duration::from_millis(16);
const PAUSES: Backoff = Backoff::new(LEAST_PAUSE, LONGEST_PAUSE);
/// A command that has waited so long at the head of its queue asks more often, so that it is likely to
/// be the next when several processes want the lock. All of them asking so often all the time would be
/// ten times the requests.
const EAGER_AFTER: Duration = Duration::from_millis(200);
const EAGER_PAUSES: Backoff = Backoff::new(LEAST_PAUSE, Duration::from_millis(2));
// Otherwise a process that leaves the lock to others would come back before they ask again.
const _: () = assert!(LONGEST_PAUSE.as_millis() < YIELD_TIME.as_millis());

const OTHER_PROCESS: &str = "another process to release the session's lock";
const THIS_PROCESS: &str = "this process's earlier commands on the session's lock";

/// The part of a store that all its clones and its sweeper share.
#[derive(Debug)]
pub(super) struct CommandRunner {
    pub(super) options: Options,
    pub(super) folder: Arc<Folder>,
    workers: WorkerPool,
}

impl CommandRunner {
    pub(super) fn new(options: Options, folder: Folder, workers: WorkerPool) -> Self {
        Self { options, folder: Arc::new(folder), workers }
    }

    /// Runs a job that needs no lock.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Folder) -> Result<T, CommandError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let folder = self.folder.clone();
        let result = self.workers.run(self.deadline(), move || job(&folder)).await;
        result.and_then(|result| result).map_err(|error| self.store_error(error))
    }

    /// Runs a job under the session's lock. Waiting for the lock takes no thread.
    ///
    /// If the caller is dropped while the command waits, nothing has happened. If it is dropped later,
    /// the job still runs to its end and gives the lock back.
    ///
    /// The command waits in a task of its own. In the caller's task, a command that is not polled (its
    /// client has stopped reading the response, for example) would keep its place in the queue, hold up
    /// all behind it, and never see its deadline pass.
    pub(super) async fn run_locked<T: Send + 'static>(
        &self,
        key: StoreKey,
        job: impl FnOnce(&LockedSession<'_>) -> Result<T, CommandError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (folder, workers) = (self.folder.clone(), self.workers.clone());
        let command = LockedCommand { folder, workers, deadline: self.deadline(), key };
        let running = AbortOnDrop::new(tokio::spawn(command.run(job)));
        let result = running.await.map_err(|lost| FileError::Lost(lost).maybe_applied());
        result.and_then(|result| result).map_err(|error| self.store_error(error))
    }

    fn deadline(&self) -> CommandDeadline {
        CommandDeadline::after(self.options.command_timeout)
    }

    fn store_error(&self, error: CommandError) -> StoreError {
        error.in_folder(&self.options.root)
    }
}

/// A command on its way to its session's lock.
struct LockedCommand {
    folder: Arc<Folder>,
    workers: WorkerPool,
    deadline: CommandDeadline,
    key: StoreKey,
}

impl LockedCommand {
    async fn run<T: Send + 'static>(
        self,
        job: impl FnOnce(&LockedSession<'_>) -> Result<T, CommandError> + Send + 'static,
    ) -> Result<T, CommandError> {
        let (deadline, key) = (self.deadline, self.key);
        let mut waiting = (self.wait_in_queue().await.map_err(FileError::not_applied)?, job);
        let (mut attempts, at_the_head_since) = (0, Instant::now());
        loop {
            let folder = self.folder.clone();
            let attempt = move || try_job(&folder, key, waiting.0, waiting.1);
            match self.workers.run(deadline, attempt).await? {
                JobAttempt::Done(result) => return result,
                JobAttempt::LockBusy(head, job) => waiting = (head, job),
            }
            attempts += 1;
            let pauses =
                if at_the_head_since.elapsed() < EAGER_AFTER { PAUSES } else { EAGER_PAUSES };
            let pause = pauses.pause(attempts, entropy::for_a_pause(entropy::operating_system));
            let paused = deadline.wait_for(OTHER_PROCESS, tokio::time::sleep(pause)).await;
            paused.map_err(FileError::not_applied)?;
        }
    }

    async fn wait_in_queue(&self) -> Result<QueueHead, FileError> {
        let Folder { layout, locks, file_system, .. } = &*self.folder;
        let queued = locks.queues.wait(layout, file_system.owner, &self.key);
        let mut head = self.deadline.wait_for(THIS_PROCESS, queued).await?;
        if let Some(pause) = head.pause_before() {
            self.deadline.wait_for(OTHER_PROCESS, tokio::time::sleep(pause)).await?;
        }
        Ok(head)
    }
}

/// The result of one visit to a worker thread. Trying the lock and running the job are one visit,
/// because a second one would lengthen the time that the lock is held.
enum JobAttempt<T, J> {
    Done(Result<T, CommandError>),
    LockBusy(QueueHead, J),
}

fn try_job<T, J>(folder: &Folder, key: StoreKey, head: QueueHead, job: J) -> JobAttempt<T, J>
where
    J: FnOnce(&LockedSession<'_>) -> Result<T, CommandError>,
{
    match head.try_lock().during("lock a session") {
        Ok(LockAttempt::Acquired(lock)) => {
            JobAttempt::Done(job(&LockedSession::new(folder, key, &lock)))
        }
        Ok(LockAttempt::Busy(head)) => JobAttempt::LockBusy(head, job),
        Err(error) => JobAttempt::Done(Err(error.not_applied())),
    }
}
