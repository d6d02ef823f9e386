//! One open connection, on which any number of commands are under way at once.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::{Client, Error, Row, Statement};

use super::call::Call;
use super::failure::{self, Problem};
use super::statements::{Kind, Statements};
use crate::abort_on_drop::AbortOnDrop;

/// The most commands that are under way on one connection. Commands are answered in turn, so a longer queue
/// would not be faster; while the server hangs, everything in it is kept in memory.
const MOST_UNDER_WAY: usize = 128;

/// The SQLSTATEs of a prepared statement that the server does not have any more, or whose table has changed.
/// The statement was not run.
const STATEMENT_LOST: [&str; 2] = ["26000", "0A000"];

/// The answer to a command, which goes to whoever asked.
pub(super) type Answer = Result<Vec<Row>, Problem>;

/// An open connection. Dropping it closes it.
pub(super) struct Link {
    client: Client,
    driver: AbortOnDrop<()>,
    statements: Arc<Statements>,
    /// The statements that this connection has prepared. Empty behind a pooler.
    prepared: [OnceLock<Statement>; 5],
    is_unnamed: AtomicBool,
    is_closed: AtomicBool,
    places: Arc<Semaphore>,
    opened: Instant,
    /// When the server answered last, in milliseconds after `opened`.
    heard: AtomicU64,
    pub(super) server: String,
}

impl Link {
    pub(super) fn new(
        client: Client,
        driver: AbortOnDrop<()>,
        statements: Arc<Statements>,
        server: String,
    ) -> Self {
        Self {
            client,
            driver,
            statements,
            prepared: Default::default(),
            is_unnamed: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            places: Arc::new(Semaphore::new(MOST_UNDER_WAY)),
            opened: Instant::now(),
            heard: AtomicU64::new(0),
            server,
        }
    }

    /// Prepares the statements of these kinds, all in one round trip.
    pub(super) async fn prepare(&self, kinds: &[Kind]) -> Result<(), Problem> {
        for &kind in kinds {
            let text = self.statements.text(kind);
            let statement = self.client.prepare_typed(text, &kind.types()).await;
            let statement = statement.map_err(Problem::of_statement)?;
            // Nobody else has this connection yet.
            let _ = self.prepared[kind as usize].set(statement);
        }
        Ok(())
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire) || self.client.is_closed()
    }

    /// Closes the connection. Whoever still waits on it learns that the answer is lost.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.driver.abort_handle().abort();
    }

    /// Waits for a place among the commands that are under way.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().acquire_owned().await.ok()
    }

    /// Sends a command and hands its answer over, or that there was none by `deadline`.
    ///
    /// It runs in a task of its own and keeps its place until the answer is there, whether or not somebody
    /// still waits for it: until then the server, or the driver's queue, has the command. On a connection
    /// that stays silent, no answer will come, and it is closed.
    pub(super) async fn carry_out(
        &self,
        call: Call,
        deadline: Instant,
        patience: Duration,
        asked: oneshot::Sender<Answer>,
    ) {
        let begun = self.now();
        let mut sending = std::pin::pin!(self.send(&call));
        if let Ok(answer) = timeout_at(deadline, &mut sending).await {
            self.heard(&answer);
            // Whoever asked may have gone.
            let _ = asked.send(answer);
            return;
        }
        let _ = asked.send(Err(Problem::lost("no answer within the time-out").at(&self.server)));
        let mut silent_since = begun;
        while self.heard.load(Ordering::Relaxed) > silent_since {
            silent_since = self.now();
            if let Ok(answer) = timeout(patience, &mut sending).await {
                self.heard(&answer);
                return;
            }
        }
        self.close();
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn heard(&self, answer: &Answer) {
        match answer {
            Err(problem) if problem.is_lost() => self.close(),
            Err(problem) if problem.code() == Some("25006") => self.close(),
            _ => drop(self.heard.fetch_max(self.now(), Ordering::Relaxed)),
        }
    }

    async fn send(&self, call: &Call) -> Answer {
        let answer = self.run(call).await.map_err(Problem::of_statement);
        let is_read_only =
            |rows: &Vec<Row>| call.kind == Kind::Load && rows.iter().any(says_read_only);
        match answer {
            Ok(rows) if is_read_only(&rows) => Err(Problem::read_only().at(&self.server)),
            Ok(rows) => Ok(rows),
            Err(problem) => Err(problem.at(&self.server)),
        }
    }

    async fn run(&self, call: &Call) -> Result<Vec<Row>, Error> {
        let prepared = self.prepared[call.kind as usize].get();
        let prepared = prepared.filter(|_| !self.is_unnamed.load(Ordering::Relaxed));
        let Some(statement) = prepared else {
            return call.run_unnamed(&self.client, &self.statements).await;
        };
        match call.run_prepared(&self.client, statement).await {
            Err(error) if failure::refused_with(&error, &STATEMENT_LOST) => {
                self.is_unnamed.store(true, Ordering::Relaxed);
                call.run_unnamed(&self.client, &self.statements).await
            }
            answer => answer,
        }
    }
}

/// Does what comes before a command is handed over. Returns `None` as soon as nobody waits for the command's
/// answer any more, so that it is not sent.
pub(super) async fn while_wanted<F: Future>(
    asked: &mut oneshot::Sender<Answer>,
    work: F,
) -> Option<F::Output> {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|context| match asked.poll_closed(context) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => work.as_mut().poll(context).map(Some),
    })
    .await
}

/// Returns whether this is the row by which a read-only server answers a load: all its columns are null.
pub(super) fn says_read_only(row: &Row) -> bool {
    let has_version = row.try_get::<_, Option<&[u8]>>("version").is_ok_and(|it| it.is_some());
    !has_version && row.try_get::<_, Option<i64>>("deadline").is_ok_and(|it| it.is_none())
}
