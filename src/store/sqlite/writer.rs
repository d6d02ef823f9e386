//! The thread that writes.
//!
//! It takes the database's lock first and only then the commands that wait: a command that waits for
//! another process's lock is still in the queue, so its caller can withdraw it and knows that it was
//! not applied. What waits by then, and what arrives while these commands are carried out, is committed as
//! one transaction (at most 64 commands), because a commit costs one `fsync`, however many commands are in it.

use std::iter;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::busy::{self, LEAVE_ALONE};
use super::checkpoint::Checkpoints;
use super::connection::{Opened, open_to_write};
use super::error::{During, SqliteError, commit_was_refused, leaves_connection_sound};
use super::jobs::WriteJob;
use super::options::Options;
use super::place::{FileId, Place};
use super::queue::Queue;
use super::table::Table;
use crate::clock::Clock;
use crate::error::StoreError;

/// The most commands in one transaction.
const BATCH: usize = 64;
/// The most pages in one transaction, which are 8 MB. One command may have more.
const BATCH_PAGES: usize = 2_048;
/// About how many pages a transaction changes for all of its commands together: deadlines that were set at the same
/// time are neighbours in the index.
const SHARED_PAGES: usize = 1;
/// The time after which a thread that never had to wait for commands leaves the lock to other processes
/// for a moment. They would otherwise have to ask exactly between two of its transactions.
const LEAVE_AFTER: Duration = Duration::from_millis(50);
/// The longest that a checkpoint waits for the lock.
const CHECKPOINT_WAIT: Duration = Duration::from_millis(500);

type Job = Box<dyn WriteJob>;

/// The queue of the writing thread.
pub(super) type Writes = Queue<Job>;

/// Everything that the thread needs.
pub(super) struct Writer {
    place: Place,
    options: Options,
    queue: Arc<Writes>,
}

/// The connection has to be opened again.
struct Reopen;

impl Writer {
    pub(super) fn new(place: Place, options: Options, queue: Arc<Writes>) -> Self {
        Self { place, options, queue }
    }

    /// Serves the queue until it is closed.
    pub(super) fn run(self) {
        while self.queue.wait() {
            self.refuse_late();
            let Some(deadline) = self.first_deadline() else { continue };
            busy::give_up_at(deadline);
            let served = open_to_write(&self.place, self.options.synchronous).and_then(|opened| {
                let checkpoints = Checkpoints::open(&self.place)?;
                self.serve(&opened, checkpoints)
            });
            match served {
                Ok(()) => {}
                Err(error) if error.is_busy() => busy::pause(),
                Err(error) => self.refuse_waiting(&self.place.error(error)),
            }
        }
    }

    /// Commits what waits, again and again, until the queue is closed or the connection is useless.
    fn serve(&self, opened: &Opened, checkpoints: Checkpoints) -> Result<(), SqliteError> {
        let table = Table::prepare(&opened.connection).during("prepare its statements")?;
        let (place, clock, file) = (&self.place, &self.options.clock, opened.file);
        let mut session = Connected { place, clock, file, table, checkpoints };
        let mut busy_since = None;
        loop {
            if self.queue.is_empty() {
                busy_since = None;
            }
            if !self.queue.wait() {
                return Ok(());
            }
            self.refuse_late();
            let Some(deadline) = self.first_deadline() else { continue };
            if !place.is_still(session.file) {
                return Ok(());
            }
            let since = *busy_since.get_or_insert_with(Instant::now);
            if self.commit_waiting(&mut session, deadline).is_err() {
                return Ok(());
            }
            if since.elapsed() > LEAVE_AFTER {
                thread::sleep(LEAVE_ALONE);
                busy_since = None;
            }
        }
    }

    /// Takes the lock, then the commands that wait, and commits them.
    fn commit_waiting(&self, session: &mut Connected<'_>, deadline: Instant) -> Result<(), Reopen> {
        busy::give_up_at(deadline);
        match session.table.begin().during("lock it") {
            Ok(()) => {}
            // The first command is late by now, or SQLite did not wait.
            Err(error) if error.is_busy() => {
                busy::pause();
                return Ok(());
            }
            Err(error) => {
                self.refuse_waiting(&self.place.error(error));
                return Err(Reopen);
            }
        }
        let (mut taken, mut pages) = (0, 0);
        session.carry_out(iter::from_fn(|| {
            if taken == BATCH || pages >= BATCH_PAGES {
                return None;
            }
            let job = self.take()?;
            taken += 1;
            pages += job.pages();
            Some(job)
        }))
    }

    /// Takes the next command that somebody still waits for.
    fn take(&self) -> Option<Job> {
        while let Some(job) = self.queue.pop_if(|_| true) {
            if job.ticket().is_late() {
                self.refuse(job);
            } else if job.is_wanted() && job.ticket().take() {
                return Some(job);
            }
        }
        None
    }

    /// Answers the commands at the head of the queue that have waited for too long, and drops those that
    /// nobody waits for.
    fn refuse_late(&self) {
        let is_stale = |job: &Job| job.ticket().is_late() || !job.is_wanted();
        while let Some(job) = self.queue.pop_if(is_stale) {
            self.refuse(job);
        }
    }

    fn refuse(&self, job: Job) {
        if job.ticket().withdraw() {
            let error = SqliteError::TimedOut(job.ticket().timeout());
            job.fail(self.place.error(error));
        }
    }

    /// Answers everything that waits. All of it is taken out first: whoever has got an answer may mend what is wrong, and
    /// send a command that this error is no longer true for.
    fn refuse_waiting(&self, error: &StoreError) {
        let waiting: Vec<Job> = iter::from_fn(|| self.queue.pop_if(|_| true)).collect();
        for job in waiting {
            if job.ticket().withdraw() {
                job.fail(error.clone());
            }
        }
    }

    fn first_deadline(&self) -> Option<Instant> {
        self.queue.first(|job| job.ticket().deadline())
    }
}

/// The writing thread while its connection is open.
struct Connected<'c> {
    place: &'c Place,
    clock: &'c Clock,
    file: FileId,
    table: Table<'c>,
    checkpoints: Checkpoints,
}

/// A transaction that was not committed.
enum Undone {
    /// Nothing of it is or will be applied.
    Refused(rusqlite::Error),
    /// Its COMMIT failed, and may have been applied.
    InDoubt(rusqlite::Error),
}

impl Connected<'_> {
    /// Commits the commands together, inside the transaction that has begun. If that fails they are tried
    /// one by one, so that none fails because of another.
    ///
    /// Each command is asked for when the one before it has been carried out: those that arrive meanwhile are in
    /// time for this commit.
    fn carry_out(&mut self, waiting: impl Iterator<Item = Job>) -> Result<(), Reopen> {
        let mut jobs = Vec::new();
        match self.commit(waiting, &mut jobs) {
            Ok(()) => self.confirm(jobs),
            Err(Undone::InDoubt(error)) => {
                fail_all(jobs, &self.place.doubt(SqliteError::sql("commit", error)));
                Err(Reopen)
            }
            Err(Undone::Refused(error)) if jobs.len() == 1 => self.refuse(jobs, error),
            Err(Undone::Refused(_)) => self.carry_out_singly(jobs),
        }
    }

    fn carry_out_singly(&mut self, jobs: Vec<Job>) -> Result<(), Reopen> {
        let mut jobs = jobs.into_iter();
        while let Some(job) = jobs.next() {
            busy::give_up_at(job.ticket().deadline());
            let ended = match self.table.begin() {
                Ok(()) => self.carry_out(std::iter::once(job)),
                Err(error) => self.refuse(vec![job], error),
            };
            if ended.is_err() {
                fail_all(jobs.collect(), &self.place.error(SqliteError::Reopening));
                return Err(Reopen);
            }
        }
        Ok(())
    }

    /// Runs the commands, adds them to `jobs`, and commits them. The transaction has ended in any case.
    fn commit(
        &mut self,
        waiting: impl Iterator<Item = Job>,
        jobs: &mut Vec<Job>,
    ) -> Result<(), Undone> {
        for mut job in waiting {
            // For each one anew: the session may have expired while the others were carried out.
            let ran = job.run(&mut self.table, self.clock.now());
            jobs.push(job);
            ran.map_err(|error| self.undo(error))?;
        }
        match self.table.commit() {
            Ok(()) => Ok(()),
            Err(error) if commit_was_refused(&error) => Err(self.undo(error)),
            Err(error) => Err(Undone::InDoubt(error)),
        }
    }

    /// Undoes the transaction. What was not committed is never applied, whether or not that succeeds.
    fn undo(&self, error: rusqlite::Error) -> Undone {
        match self.table.roll_back() {
            Ok(()) => Undone::Refused(error),
            Err(worse) => Undone::Refused(worse),
        }
    }

    /// Answers commands that were certainly not applied.
    fn refuse(&self, jobs: Vec<Job>, error: rusqlite::Error) -> Result<(), Reopen> {
        let is_sound = leaves_connection_sound(&error);
        fail_all(jobs, &self.place.error(SqliteError::sql("write to it", error)));
        if is_sound { Ok(()) } else { Err(Reopen) }
    }

    /// Answers commands that were committed, unless the file is not there any more: then nobody will find
    /// them.
    fn confirm(&mut self, jobs: Vec<Job>) -> Result<(), Reopen> {
        if !self.place.is_still(self.file) {
            fail_all(jobs, &self.place.doubt(SqliteError::Moved));
            return Err(Reopen);
        }
        self.checkpoints.count(SHARED_PAGES + jobs.iter().map(|job| job.pages()).sum::<usize>());
        let is_asked = jobs.iter().any(|job| job.checkpoints());
        jobs.into_iter().for_each(|job| job.confirm());
        if is_asked || self.checkpoints.is_due() {
            self.checkpoint();
        }
        // A checkpoint that could not give the lock back would keep all other processes out.
        if self.table.is_idle() { Ok(()) } else { Err(Reopen) }
    }

    fn checkpoint(&mut self) {
        let give_up_at = Instant::now() + CHECKPOINT_WAIT;
        match self.checkpoints.run(&mut self.table, give_up_at) {
            Ok(()) => {}
            Err(error) if error.is_busy() => {
                tracing::debug!(
                    "another process is writing; the log of the session database is emptied later"
                );
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(
                    error,
                    "the log of the session database cannot be emptied, and grows"
                );
            }
        }
    }
}

fn fail_all(jobs: Vec<Job>, error: &StoreError) {
    jobs.into_iter().for_each(|job| job.fail(error.clone()));
}
