//! One command on a connection: a statement, and sometimes a second one that reads what is there.

use std::sync::Arc;

use mysql_async::consts::StatusFlags;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Row, Statement as Prepared, Value};

use super::failure::{Failed, classify};
use super::row;

/// A connection, and the statements that it is known to have prepared.
///
/// The driver finds a prepared statement by its text, which it reads through for the names of parameters each
/// time.
pub(super) struct Link {
    conn: Conn,
    prepared: Vec<(Arc<str>, Prepared)>,
}

/// A statement and its parameters.
pub(super) struct Statement {
    pub(super) text: Arc<str>,
    pub(super) values: Vec<Value>,
}

/// The statements of one command.
pub(super) struct Request {
    pub(super) first: Statement,
    pub(super) look: Option<Look>,
}

/// A statement that reads the row, if the first one has changed nothing.
pub(super) struct Look {
    pub(super) is_needed: fn(&Answer) -> bool,
    pub(super) statement: Statement,
}

/// The answer to one statement.
pub(super) struct Answer {
    pub(super) rows: Vec<Row>,
    /// The rows that were inserted, changed or deleted.
    pub(super) affected: u64,
    /// The number that `create` leaves; 0 if there is none.
    pub(super) found: u64,
}

/// The answers to a request.
pub(super) struct Answers {
    pub(super) first: Answer,
    pub(super) looked: Option<Answer>,
}

impl Link {
    pub(super) fn new(conn: Conn) -> Self {
        Self { conn, prepared: Vec::new() }
    }

    pub(super) fn into_conn(self) -> Conn {
        self.conn
    }

    /// Prepares a statement, unless this connection has.
    async fn prepare(&mut self, text: &Arc<str>) -> Result<Prepared, Failed> {
        let known = self.prepared.iter().find(|(known, _)| Arc::ptr_eq(known, text));
        if let Some((_, prepared)) = known {
            return Ok(prepared.clone());
        }
        // Preparing a statement changes nothing. The driver keeps what a connection has prepared.
        let prepared = self.conn.prep(&**text).await;
        let prepared = prepared.map_err(|error| classify(error).without_doubt())?;
        self.prepared.push((text.clone(), prepared.clone()));
        Ok(prepared)
    }
}

impl Statement {
    pub(super) fn new(text: &Arc<str>, values: Vec<Value>) -> Self {
        Self { text: text.clone(), values }
    }
}

impl Request {
    pub(super) fn with_look(
        first: Statement,
        is_needed: fn(&Answer) -> bool,
        statement: Statement,
    ) -> Self {
        Self { first, look: Some(Look { is_needed, statement }) }
    }

    pub(super) fn single(first: Statement) -> Self {
        Self { first, look: None }
    }
}

/// Sends a request. Each statement is sent once and commits by itself.
pub(super) async fn carry_out(link: &mut Link, request: Request) -> Result<Answers, Failed> {
    let first = execute(link, request.first).await?;
    let looked = match request.look {
        // The first statement is known to have changed nothing, so an answer that is lost now leaves no
        // doubt about the command.
        Some(look) if (look.is_needed)(&first) => {
            Some(execute(link, look.statement).await.map_err(Failed::without_doubt)?)
        }
        _ => None,
    };
    Ok(Answers { first, looked })
}

async fn execute(link: &mut Link, statement: Statement) -> Result<Answer, Failed> {
    let prepared = link.prepare(&statement.text).await?;
    let conn = &mut link.conn;
    let values = Params::Positional(statement.values);
    let mut result = conn.exec_iter(&prepared, values).await.map_err(classify)?;
    let (affected, found) = (result.affected_rows(), result.last_insert_id().unwrap_or(0));
    let rows = result.collect::<Row>().await.map_err(classify)?;
    result.drop_result().await.map_err(classify)?;
    if rows.iter().any(row::says_read_only) {
        return Err(Failed::unavailable("the server is read only").close_all());
    }
    if is_uncommitted(conn) {
        return Err(Failed::indeterminate("the server did not commit the statement").close_all());
    }
    Ok(Answer { rows, affected, found })
}

/// Returns whether the server says that a transaction is open. Then nothing that the statement did is stored.
///
/// The connection switches `autocommit` on when it is opened, and only a proxy could switch it off again.
pub(super) fn is_uncommitted(conn: &Conn) -> bool {
    conn.last_ok_packet().is_some_and(|ok| {
        let flags = ok.status_flags();
        flags.contains(StatusFlags::SERVER_STATUS_IN_TRANS)
            || !flags.contains(StatusFlags::SERVER_STATUS_AUTOCOMMIT)
    })
}
