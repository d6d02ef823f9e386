//! Commands on the connections of a pool that the app has already.
//!
//! The pool decides how its connections are made, so nothing is known of them: there may be a pooler behind
//! it. Statements are therefore sent with their text, and no setting of a connection is relied on.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Object, Pool, PoolError};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::Row;

use super::call::Call;
use super::failure::{Problem, misconfigured};
use super::link::{Answer, says_read_only, while_wanted};
use super::statements::{Kind, Statements};

const NAME: &str = "the PostgreSQL server of the app's pool";

/// A pool, of which each command takes a connection for itself.
pub(super) struct Pooled {
    pool: Pool,
    statements: Arc<Statements>,
}

impl Pooled {
    pub(super) fn new(pool: Pool, statements: Arc<Statements>) -> Arc<Self> {
        Arc::new(Self { pool, statements })
    }

    pub(super) fn statements(&self) -> &Arc<Statements> {
        &self.statements
    }

    /// Sends a command, as [`Lane::send`](super::lane::Lane::send) does.
    pub(super) async fn send(self: &Arc<Self>, call: Call, deadline: Instant) -> Answer {
        let (asked, answer) = oneshot::channel();
        // In a task of its own, so that a future that nobody polls does not keep a connection.
        tokio::spawn(self.clone().serve(call, deadline, asked));
        answer.await.unwrap_or_else(|_| Err(Problem::lost("the runtime is shutting down")))
    }

    /// Takes a connection out of the pool for a while.
    pub(super) async fn take(&self, patience: Duration) -> Result<Object, Problem> {
        let taken = timeout_at(Instant::now() + patience, self.pool.get()).await;
        taken.map_err(|_| late())?.map_err(of_pool).map_err(|problem| problem.at(NAME))
    }

    async fn serve(
        self: Arc<Self>,
        call: Call,
        deadline: Instant,
        mut asked: oneshot::Sender<Answer>,
    ) {
        let taking = timeout_at(deadline, self.pool.get());
        let Some(taken) = while_wanted(&mut asked, taking).await else { return };
        let connection = match taken {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return drop(asked.send(Err(of_pool(error).at(NAME)))),
            Err(_) => return drop(asked.send(Err(late().at(NAME)))),
        };
        let answer = self.answer(&connection, &call, deadline).await;
        let is_unusable = |problem: &Problem| problem.is_lost() || problem.code() == Some("25006");
        // A connection on which an answer is still under way must not go back to the pool.
        if answer.as_ref().err().is_some_and(is_unusable) {
            drop(Object::take(connection));
        }
        let _ = asked.send(answer.map_err(|problem| problem.at(NAME)));
    }

    async fn answer(&self, connection: &Object, call: &Call, deadline: Instant) -> Answer {
        let running = call.run_unnamed(connection, &self.statements);
        let rows = timeout_at(deadline, running)
            .await
            .map_err(|_| Problem::lost("no answer within the time-out"))?
            .map_err(Problem::of_statement)?;
        let is_read_only = |row: &Row| call.kind == Kind::Load && says_read_only(row);
        match rows.iter().any(is_read_only) {
            true => Err(Problem::read_only()),
            false => Ok(rows),
        }
    }
}

fn late() -> Problem {
    Problem::not_sent("the command waited in vain for a connection of the pool, and was not sent")
}

fn of_pool(error: PoolError) -> Problem {
    match error {
        PoolError::Backend(error) => Problem::of_connecting(error),
        PoolError::Timeout(_) => late(),
        PoolError::Closed => misconfigured("the app has closed the pool").into(),
        PoolError::NoRuntimeSpecified => misconfigured("the app's pool has no runtime").into(),
        // Its text may be about anything that the app does there.
        PoolError::PostCreateHook(_) => Problem::not_sent("a hook of the app's pool has failed"),
    }
}
