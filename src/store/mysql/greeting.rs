//! The first statements on each connection: settings that the commands rely on, and whether this server
//! is one that may be asked.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row, Value};

use super::exchange::is_uncommitted;
use super::failure::{Failed, Greeted, classify_opening};

/// The most bytes of a statement beside the entry: its text, the key, the version, two deadlines.
const AROUND_AN_ENTRY: u64 = 4096;

/// The settings of every connection of one store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Greeting {
    pub(super) max_entry_bytes: usize,
    pub(super) command_timeout: Duration,
}

impl Greeting {
    /// Prepares a new connection, or refuses the server.
    pub(super) async fn greet(self, conn: &mut Conn) -> mysql_async::Result<()> {
        self.try_greet(conn).await.map_err(|failed| Error::Other(Box::new(Greeted(failed))))
    }

    async fn try_greet(self, conn: &mut Conn) -> Result<(), Failed> {
        // `autocommit`: the app's other sessions or `init_connect` may have it off, and then nothing that is
        // acknowledged would be stored. Strict mode: without it a value that does not fit is cut. The lock
        // time-outs, of a row and of the table: a statement whose command has been given up should not be applied long after.
        let seconds = self.command_timeout.as_secs().clamp(1, 3600);
        let settings = format!(
            "SET autocommit = 1, sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', \
             innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}"
        );
        conn.query_drop(settings).await.map_err(classify_opening)?;
        if is_uncommitted(conn) {
            return Err(Failed::misconfigured(
                "the server does not let `autocommit` be switched on",
            ));
        }
        // Only for speed: under a stricter level a statement may wait for more locks, or fail, but it does
        // nothing wrong. So a server that refuses is used as it is.
        match conn.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await {
            Ok(()) | Err(Error::Server(_)) => {}
            Err(error) => return Err(classify_opening(error)),
        }
        let state =
            "SELECT @@global.read_only, @@global.innodb_read_only, @@global.max_allowed_packet";
        let row = conn.query_first::<Row, _>(state).await.map_err(classify_opening)?;
        self.check(row.map(Row::unwrap).unwrap_or_default())
    }

    fn check(self, state: Vec<Value>) -> Result<(), Failed> {
        let [read_only, innodb_read_only, max_packet] = <[Value; 3]>::try_from(state)
            .map_err(|_| Failed::unavailable("the server does not tell whether it is read only"))?;
        if is_on(&read_only) || is_on(&innodb_read_only) {
            // A replica lags behind, so it would bring back what was logged out.
            return Err(Failed::unavailable("the server is read only").close_all());
        }
        let needed = self.max_entry_bytes as u64 + AROUND_AN_ENTRY;
        match number(&max_packet) {
            Some(limit) if limit < needed => Err(Failed::misconfigured(format!(
                "the server's `max_allowed_packet` is {limit}, and entries of {} bytes need {needed}",
                self.max_entry_bytes
            ))),
            _ => Ok(()),
        }
    }
}

/// Later versions of MariaDB have words in the place of 1.
fn is_on(value: &Value) -> bool {
    match value {
        Value::Bytes(text) => !matches!(&text[..], b"0" | b"OFF"),
        Value::Int(0) | Value::UInt(0) => false,
        _ => true,
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Bytes(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::UInt(number) => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::StoreErrorKind;

    fn checked(state: [&str; 3]) -> Result<(), StoreErrorKind> {
        let greeting =
            Greeting { max_entry_bytes: 1 << 20, command_timeout: Duration::from_secs(1) };
        let state = state.map(|text| Value::Bytes(text.into())).to_vec();
        greeting.check(state).map_err(|failed| failed.failure.for_write().kind())
    }

    #[test]
    fn a_replica_is_refused_whatever_word_it_uses() {
        for on in ["1", "ON", "NO_LOCK", "NO_LOCK_NO_ADMIN"] {
            assert_eq!(checked([on, "0", "16777216"]), Err(StoreErrorKind::Unavailable), "{on}");
            assert_eq!(checked(["0", on, "16777216"]), Err(StoreErrorKind::Unavailable), "{on}");
        }
        for off in ["0", "OFF"] {
            assert_eq!(checked([off, off, "16777216"]), Ok(()));
        }
    }

    #[test]
    fn a_server_that_takes_smaller_statements_than_an_entry_needs_is_refused() {
        assert_eq!(checked(["0", "0", "1048576"]), Err(StoreErrorKind::Misconfigured));
        assert_eq!(checked(["0", "0", "1052672"]), Ok(()));
        assert_eq!(
            checked(["0", "0", "?"]),
            Ok(()),
            "a server that does not tell refuses by itself"
        );
    }
}
