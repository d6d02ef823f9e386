//! The connections to the server, and the task in which each command runs.
//!
//! Each command runs in a task of its own, and its future only waits for the answer. The future of a
//! command may be left alone for as long as its owner likes (a `select!` loop whose other branch does not
//! yield). If it did the work itself, it would keep a connection or a place in the queue from everybody
//! else for all that time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mysql_async::{Conn, DriverError, Error, Opts, Pool};
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::Instrument;

use super::exchange::{Answers, Request, carry_out};
use super::failure::{Failed, Hint, classify_opening};
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

pub(super) struct Connections {
    /// Names the server in errors.
    described: String,
    opts: Opts,
    command_timeout: Duration,
    permits: Semaphore,
    pool: Mutex<Generation>,
}

/// The driver's pool, which keeps connections that nobody uses, and looks whether one is still open
/// before it hands it out. The number grows with each new pool.
#[derive(Clone)]
struct Generation {
    number: u64,
    pool: Pool,
}

/// A connection in use. The connection goes back before the permit does.
struct Lease<'a> {
    conn: Conn,
    generation: u64,
    _permit: SemaphorePermit<'a>,
}

type Outcome = Result<Answers, Failure>;

impl Connections {
    pub(super) fn new(
        described: String,
        opts: Opts,
        most: usize,
        command_timeout: Duration,
    ) -> Self {
        let pool = Mutex::new(Generation { number: 0, pool: Pool::new(opts.clone()) });
        Self { described, opts, command_timeout, permits: Semaphore::new(most), pool }
    }

    /// Returns the moment until which a command that begins now has to be answered.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.command_timeout
    }

    /// Sends a request once and returns its answers; failures name the server.
    ///
    /// If the future is dropped, a request that waits for a connection is not sent any more. One that
    /// was sent goes on until it is answered, so that its connection can be used again.
    pub(super) async fn send(self: &Arc<Self>, request: Request, deadline: Instant) -> Outcome {
        let (asker, outcome) = oneshot::channel();
        tokio::spawn(self.clone().run(request, deadline, asker).in_current_span());
        let outcome = outcome.await.unwrap_or_else(|_| {
            Err(Failure::indeterminate("the command ended with its runtime, without an answer"))
        });
        outcome.map_err(|failure| failure.at(&self.described))
    }

    async fn run(
        self: Arc<Self>,
        request: Request,
        deadline: Instant,
        asker: oneshot::Sender<Outcome>,
    ) {
        let lease = timeout_at(deadline, self.lease(deadline, &asker)).await;
        let lease =
            lease.unwrap_or_else(|_| Err(Failed::unavailable("no connection was free in time")));
        let outcome = match lease {
            Ok(_) if asker.is_closed() => return,
            Ok(lease) => self.carry_out(lease, request, deadline).await,
            Err(failed) => Err(failed.failure),
        };
        // Nobody may be waiting any more.
        drop(asker.send(outcome));
    }

    async fn carry_out(
        &self,
        mut lease: Lease<'_>,
        request: Request,
        deadline: Instant,
    ) -> Outcome {
        let answers = timeout_at(deadline, carry_out(&mut lease.conn, request)).await;
        // If the server has died without a word, the idle connections would each cost somebody as long.
        let answers = answers.unwrap_or_else(|_| {
            Err(Failed::indeterminate("the server did not answer in time").close_all())
        });
        answers.map_err(|failed| {
            if failed.server == Hint::CloseAll {
                self.close_all(lease.generation);
            }
            // Somebody else's statement must not come behind one that may still be running, nor behind
            // an open transaction.
            if matches!(failed.failure, Failure::Indeterminate(_)) || failed.server == Hint::Close {
                tokio::spawn(close(lease.conn));
            }
            failed.failure
        })
    }

    /// Waits for a connection. A command that was given up meanwhile gets none, so that nothing is opened
    /// for it.
    async fn lease(
        &self,
        deadline: Instant,
        asker: &oneshot::Sender<Outcome>,
    ) -> Result<Lease<'_>, Failed> {
        let permit = self.permits.acquire().await;
        let permit = permit.map_err(|_| Failed::unavailable("the store was closed"))?;
        let mut attempts = 0;
        loop {
            if asker.is_closed() {
                return Err(Failed::unavailable("nobody waits for the answer any more"));
            }
            let current = self.current();
            let failed = match self.open(&current.pool).await {
                Ok(conn) => {
                    return Ok(Lease { conn, generation: current.number, _permit: permit });
                }
                Err(failed) => failed,
            };
            attempts += 1;
            let pause = PAUSES.pause(attempts, entropy::for_a_pause(entropy::operating_system));
            match failed.server {
                Hint::WaitForConnection if Instant::now() + pause < deadline => sleep(pause).await,
                Hint::RenewPool if attempts == 1 => self.close_all(current.number),
                Hint::CloseAll => {
                    self.close_all(current.number);
                    return Err(failed);
                }
                _ => return Err(failed),
            }
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

async fn close(conn: Conn) {
    drop(timeout(CLOSING_TIMEOUT, conn.disconnect()).await);
}
