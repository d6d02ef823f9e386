//! The table on the server, as the commands, the sweeper and the checks see it.

use std::sync::Arc;

use tokio::time::Instant;

use super::connections::Connections;
use super::exchange::{Answer, Answers, Request, Statement};
use super::row::{key_value, time_value, version_value};
use super::statements::{FOUND_FOREIGN, Statements};
use crate::clock::{Clock, Timestamp};
use crate::id::StoreKey;
use crate::store::entry::{NewEntry, Version};
use crate::store::failure::Failure;

/// The table, and the connections to it.
pub(super) struct Table {
    pub(super) connections: Arc<Connections>,
    pub(super) statements: Statements,
    pub(super) name: String,
    pub(super) clock: Clock,
}

impl Table {
    pub(super) async fn send(
        &self,
        request: Request,
        deadline: Instant,
    ) -> Result<Answers, Failure> {
        self.connections.send(request, deadline).await
    }

    /// Writes an entry where none is live. Returns what the server has found, and the row if it is none
    /// that a create understands.
    pub(super) async fn create(
        &self,
        key: &StoreKey,
        new: &NewEntry,
        now: Timestamp,
    ) -> Result<Answers, Failure> {
        let version = Version::from(new.commit);
        let now = time_value(now);
        let values = vec![
            key_value(key),
            version_value(&version),
            time_value(new.deadline),
            mysql_async::Value::Bytes(new.bytes.to_vec()),
            now.clone(),
            now.clone(),
            now,
        ];
        let first = Statement::new(&self.statements.create, values);
        let is_foreign = |answer: &Answer| answer.found == FOUND_FOREIGN;
        let request = Request::with_look(first, is_foreign, self.load(key));
        self.send(request, self.connections.deadline()).await
    }

    /// Returns the statement that reads a row, live or not.
    pub(super) fn load(&self, key: &StoreKey) -> Statement {
        Statement::new(&self.statements.load, vec![key_value(key)])
    }
}
