//! The connections to the server, and the tasks in which commands run.
//!
//! A command waits in a queue, and a task with a connection carries it out; its future only waits for the
//! answer. The future of a command may be left alone for as long as its owner likes (a `select!` loop whose
//! other branch does not yield). If it did the work itself, it would keep a connection or a place in the queue
//! from everybody else for all that time.
//!
//! A task goes on with the next command that waits, on the same connection, and ends when none does. So under
//! load no command has to start a task, nor to get a connection from the pool and give it back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mysql_async::{Conn, DriverError, Error, Opts, Pool};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::Instrument;

use super::exchange::{Link, Request, carry_out};
use super::failure::{Failed, Hint, classify_opening};
use super::job::{Job, Outcome, Reply, too_late};
use super::queue::{Queue, Turn};
use crate::backoff::Backoff;
use crate::entropy;
use crate::poison::IgnorePoison;
use crate::store::failure::Failure;

/// The longest time for opening a connection: the socket, TLS, the login and the first statements.
const OPENING_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest time for taking leave of the server.
const CLOSING_TIMEOUT: Duration = Duration::from_millis(500);
/// Pauses between two attempts to connect to a server that has no connection left for us.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(400));

/// After so many commands a task gives its connection back, so that the pool finds out whether it is too old.
const MOST_COMMANDS: u32 = 64;
/// How often a command may lose the task that would have served it.
const MOST_RUNTIMES: u32 = 3;

pub(super) struct Connections {
    /// Names the server in errors.
    described: String,
    opts: Opts,
    command_timeout: Duration,
    queue: Arc<Queue<Job>>,
    pool: Mutex<Generation>,
}

/// The driver's pool, which keeps connections that nobody uses, and looks whether one is still open
/// before it hands it out. The number grows with each new pool.
#[derive(Clone)]
struct Generation {
    number: u64,
    pool: Pool,
}

/// A connection in use.
struct Lease {
    link: Link,
    generation: u64,
    commands: u32,
}

impl Connections {
    pub(super) fn new(
        described: String,
        opts: Opts,
        most: usize,
        command_timeout: Duration,
    ) -> Self {
        let pool = Mutex::new(Generation { number: 0, pool: Pool::new(opts.clone()) });
        Self { described, opts, command_timeout, queue: Arc::new(Queue::new(most)), pool }
    }

    /// Returns the moment until which a command that begins now has to be answered.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.command_timeout
    }

    /// Sends a request once and returns its answers; failures name the server.
    ///
    /// If the future is dropped, a request that waits for a connection is not sent any more. One that
    /// was sent goes on until it is answered, so that its connection can be used again.
    pub(super) async fn send(self: &Arc<Self>, mut request: Request, deadline: Instant) -> Outcome {
        for _ in 0..MOST_RUNTIMES {
            let (job, ticket) = Job::new(request, deadline);
            if let Some(turn) = self.queue.push(job) {
                tokio::spawn(self.clone().serve(turn));
            }
            match ticket.reply().await {
                Reply::Outcome(outcome) => {
                    return outcome.map_err(|failed| failed.at(&self.described));
                }
                // The task was one of another runtime, which has ended.
                Reply::Unserved(unserved) => request = unserved,
            }
        }
        Err(Failed::pool_ended().at(&self.described))
    }

    /// Carries out what waits, until nothing does.
    async fn serve(self: Arc<Self>, mut turn: Turn<Job>) {
        let (mut kept, mut attempts) = (None, 0);
        let mut next = turn.next();
        while let Some(job) = next {
            let outcome = match self.lease_again(kept.take(), &job).await {
                Ok(lease) => {
                    attempts = 0;
                    self.carry_out(lease, &job, &mut kept).await
                }
                Err(failed) => {
                    attempts += 1;
                    if let Some(pause) = pause_after(&failed, attempts, job.deadline()) {
                        turn.put_back(job);
                        sleep(pause).await;
                        next = turn.next();
                        continue;
                    }
                    Err(failed)
                }
            };
            next = turn.next();
            if next.is_none() {
                // Before the answer, so that the caller's next command finds the connection in the pool.
                kept = None;
            }
            job.answer(outcome);
        }
    }

    /// Carries out a command that is still wanted, and keeps the connection if it can be used again.
    async fn carry_out(&self, mut lease: Lease, job: &Job, kept: &mut Option<Lease>) -> Outcome {
        let is_late = Instant::now() >= job.deadline();
        let Some(request) = job.take().filter(|_| !is_late) else {
            *kept = Some(lease);
            return Err(too_late());
        };
        lease.commands += 1;
        let answers = timeout_at(job.deadline(), carry_out(&mut lease.link, request)).await;
        // If the server has died without a word, the idle connections would each cost somebody as long.
        let answers = answers.unwrap_or_else(|_| {
            Err(Failed::indeterminate("the server did not answer in time").close_all())
        });
        let failed = match answers {
            Ok(answers) => {
                *kept = Some(lease);
                return Ok(answers);
            }
            Err(failed) => failed,
        };
        if failed.server == Hint::CloseAll {
            self.close_all(lease.generation);
        }
        // Somebody else's statement must not come behind one that may still be running, nor behind
        // an open transaction.
        if matches!(failed.failure, Failure::Indeterminate(_)) || failed.server == Hint::Close {
            tokio::spawn(close(lease.link.into_conn()));
        } else {
            *kept = Some(lease);
        }
        Err(failed)
    }

    /// Goes on with a connection, unless it has to go back to its pool.
    async fn lease_again(&self, kept: Option<Lease>, job: &Job) -> Result<Lease, Failed> {
        match kept {
            Some(lease) if self.is_usable(&lease) => Ok(lease),
            old => {
                drop(old);
                self.lease(job).await
            }
        }
    }

    fn is_usable(&self, lease: &Lease) -> bool {
        lease.commands < MOST_COMMANDS
            && lease.generation == self.pool.lock().ignore_poison().number
    }

    /// Waits for a connection. A command that was given up meanwhile gets none, so that nothing is opened
    /// for it.
    async fn lease(&self, job: &Job) -> Result<Lease, Failed> {
        let mut is_again = false;
        loop {
            if !job.is_wanted() {
                return Err(Failed::unavailable("nobody waits for the answer any more"));
            }
            let current = self.current();
            let failed = match self.open(&current.pool).instrument(job.span().clone()).await {
                Ok(conn) => {
                    let link = Link::new(conn);
                    return Ok(Lease { link, generation: current.number, commands: 0 });
                }
                Err(failed) => failed,
            };
            match failed.server {
                Hint::RenewPool if !is_again => self.close_all(current.number),
                Hint::CloseAll => {
                    self.close_all(current.number);
                    return Err(failed);
                }
                _ => return Err(failed),
            }
            is_again = true;
        }
    }

    /// Takes an idle connection, or opens one.
    async fn open(&self, pool: &Pool) -> Result<Conn, Failed> {
        // Shorter than the command's own time, so that it is known that nothing was sent.
        let limit = OPENING_TIMEOUT.min(self.command_timeout / 3 * 2);
        let pool = pool.clone();
        let mut opening = Box::pin(async move { pool.get_conn().await });
        let opened = timeout(limit, &mut opening).await;
        if opened.is_err() {
            // It goes on, and the pool gets the connection: with a server that takes longer than `limit` for a
            // login, each command would otherwise begin one that nobody waits for.
            tokio::spawn(timeout(OPENING_TIMEOUT, opening));
        }
        let failed = match opened {
            Ok(Ok(conn)) => return Ok(conn),
            Ok(Err(Error::Driver(DriverError::PoolDisconnected))) => {
                return Err(Failed::pool_ended());
            }
            Ok(Err(error)) => classify_opening(error),
            Err(_) => Failed::unavailable("the server did not answer in time"),
        };
        tracing::debug!(server = %self.described, failure = ?failed.failure, "no connection");
        Err(failed)
    }

    fn current(&self) -> Generation {
        self.pool.lock().ignore_poison().clone()
    }

    /// Begins a new pool. The old one closes its connections: those that are idle now, the others when
    /// they are given back.
    fn close_all(&self, generation: u64) {
        let mut pool = self.pool.lock().ignore_poison();
        if pool.number == generation {
            *pool = Generation { number: generation + 1, pool: Pool::new(self.opts.clone()) };
        }
    }
}

/// Returns how long a task waits for the connections of others, if its command has the time.
fn pause_after(failed: &Failed, attempts: u32, deadline: Instant) -> Option<Duration> {
    let pause = PAUSES.pause(attempts, entropy::for_a_pause(entropy::operating_system));
    let waits = failed.server == Hint::WaitForConnection && Instant::now() + pause < deadline;
    waits.then_some(pause)
}

async fn close(conn: Conn) {
    drop(timeout(CLOSING_TIMEOUT, conn.disconnect()).await);
}
