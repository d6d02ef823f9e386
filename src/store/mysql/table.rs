//! The table on the server, as the commands, the sweeper and the checks see it.

use std::sync::Arc;

use tokio::time::Instant;

use super::connections::Connections;
use super::exchange::{Answer, Answers, Request, Statement};
use super::failure::Hint;
use super::row::{key_value, time_value, version_value};
use super::statements::{FOUND_FOREIGN, Statements};
use crate::clock::{Clock, Timestamp};
use crate::id::StoreKey;
use crate::store::entry::{NewEntry, Version};
use crate::store::failure::Failure;

/// How often a command is sent that the server undoes each time to end a deadlock. Each round lets at least one
/// of those who wait for each other go on, so more would only hide a server that never does.
const MOST_ATTEMPTS: u32 = 5;

/// The table, and the connections to it.
pub(super) struct Table {
    pub(super) connections: Arc<Connections>,
    pub(super) statements: Statements,
    pub(super) name: String,
    pub(super) clock: Clock,
}

impl Table {
    /// Sends a request, and again if the server has undone its statement to end a deadlock. The sweeper locks several
    /// rows, and so may a transaction of another program. A statement is all of its transaction, so nothing else was
    /// undone with it.
    pub(super) async fn send(
        &self,
        request: impl Fn() -> Request,
        deadline: Instant,
    ) -> Result<Answers, Failure> {
        let mut attempts = 1;
        loop {
            match self.connections.send(request(), deadline).await {
                Err(failed) if failed.server == Hint::Repeat && attempts < MOST_ATTEMPTS => {
                    attempts += 1;
                }
                outcome => return outcome.map_err(|failed| failed.failure),
            }
        }
    }

    /// Writes an entry where none is live. Returns what the server has found, and the row if it is none
    /// that a create understands.
    pub(super) async fn create(
        &self,
        key: &StoreKey,
        new: &NewEntry,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Answers, Failure> {
        let version = Version::from(new.commit);
        let now = time_value(now);
        let request = || {
            let values = vec![
                key_value(key),
                version_value(&version),
                time_value(new.deadline),
                mysql_async::Value::Bytes(new.bytes.to_vec()),
                now.clone(),
                now.clone(),
                now.clone(),
            ];
            let first = Statement::new(&self.statements.create, values);
            let is_foreign = |answer: &Answer| answer.found == FOUND_FOREIGN;
            Request::with_look(first, is_foreign, self.load(key))
        };
        self.send(request, deadline).await
    }

    /// Returns the statement that reads a row, live or not.
    pub(super) fn load(&self, key: &StoreKey) -> Statement {
        Statement::new(&self.statements.load, vec![key_value(key)])
    }
}
