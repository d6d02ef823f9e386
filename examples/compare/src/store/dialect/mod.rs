//! Finds the commands in the bytes that go to a store.

mod mysql;
mod postgres;

use std::str;

use bytes::{Buf, BytesMut};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Dialect {
    Redis,
    Memcached,
    Http,
    Postgres,
    Mysql,
}

/// The bytes of one connection that are not a whole command yet, and what is known of the connection.
#[derive(Debug)]
pub(super) struct Conversation {
    unread: BytesMut,
    reader: Reader,
}

/// Reads the first command. In a database's protocol, statements that are prepared have a name or a
/// number from then on.
#[derive(Debug)]
enum Reader {
    Stateless(fn(&[u8]) -> Option<Command>),
    Postgres(postgres::Statements),
    Mysql(mysql::Statements),
}

/// A whole command at the start of the bytes.
#[derive(Debug, Eq, PartialEq)]
struct Command {
    length: usize,
    /// Whether it is about a session, and not about the connection itself.
    counts: bool,
}

impl Dialect {
    pub(super) fn begin(self) -> Conversation {
        let reader = match self {
            Self::Redis => Reader::Stateless(redis),
            Self::Memcached => Reader::Stateless(memcached),
            Self::Http => Reader::Stateless(http),
            Self::Postgres => Reader::Postgres(postgres::Statements::default()),
            Self::Mysql => Reader::Mysql(mysql::Statements::default()),
        };
        Conversation { unread: BytesMut::new(), reader }
    }
}

impl Conversation {
    /// Reads what was sent, and returns how many commands about sessions ended in it.
    pub(super) fn commands(&mut self, sent: &[u8]) -> u64 {
        self.unread.extend_from_slice(sent);
        let mut commands = 0;
        while let Some(command) = self.first() {
            self.unread.advance(command.length);
            commands += u64::from(command.counts);
        }
        commands
    }

    /// Reads what was answered: MySQL numbers the statements that were prepared.
    pub(super) fn answered(&mut self, bytes: &[u8]) {
        if let Reader::Mysql(statements) = &mut self.reader {
            statements.answered(bytes);
        }
    }

    fn first(&mut self) -> Option<Command> {
        let bytes = &*self.unread;
        let command = match &mut self.reader {
            Reader::Stateless(read) => read(bytes),
            Reader::Postgres(statements) => statements.first(bytes),
            Reader::Mysql(statements) => statements.first(bytes),
        };
        command.filter(|command| command.length <= bytes.len())
    }
}

/// Whether a statement is about one session: it names a key, or adds a row. Those of the sweeper are
/// about many, and others set up the connection.
fn is_about_a_session(statement: &str) -> bool {
    let squeezed: String = statement.chars().filter(|c| !c.is_whitespace() && *c != '`').collect();
    let squeezed = squeezed.to_ascii_lowercase();
    squeezed.contains("wherekey=") || squeezed.contains("insertinto")
}

/// Reads a Redis command, such as `*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`.
fn redis(bytes: &[u8]) -> Option<Command> {
    const OF_THE_CONNECTION: [&str; 10] = [
        "AUTH", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "HELLO", "INFO", "PING", "ROLE", "SCRIPT",
    ];
    let (count, mut length) = line(bytes, 0)?;
    let words: usize = count.strip_prefix('*')?.parse().ok()?;
    let mut name = "";
    for word in 0..words {
        let (size, begin) = line(bytes, length)?;
        let end = begin + size.strip_prefix('$')?.parse::<usize>().ok()?;
        let text = bytes.get(begin..end)?;
        if word == 0 {
            name = str::from_utf8(text).ok()?;
        }
        length = end + 2;
    }
    let is_of_the_connection = OF_THE_CONNECTION.iter().any(|own| own.eq_ignore_ascii_case(name));
    Some(Command { length, counts: !is_of_the_connection })
}

/// Reads a memcached command, such as `ms key 5 …\r\nbytes\r\n` or `mg key …\r\n`.
fn memcached(bytes: &[u8]) -> Option<Command> {
    let (command, end) = line(bytes, 0)?;
    let mut words = command.split(' ');
    let name = words.next()?;
    let data = match name {
        "ms" => words.nth(1)?.parse::<usize>().ok()? + 2,
        _ => 0,
    };
    Some(Command { length: end + data, counts: ["ma", "md", "mg", "ms"].contains(&name) })
}

fn http(bytes: &[u8]) -> Option<Command> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = str::from_utf8(&bytes[..end]).ok()?;
    let headers = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = headers.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let body = lengths.next().map_or(Some(0), |(_, length)| length.trim().parse().ok())?;
    Some(Command { length: end + body, counts: true })
}

/// Returns the line that begins at `from`, and where the next one begins.
fn line(bytes: &[u8], from: usize) -> Option<(&str, usize)> {
    let rest = bytes.get(from..)?;
    let end = rest.windows(2).position(|two| two == b"\r\n")?;
    Some((str::from_utf8(&rest[..end]).ok()?, from + end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts the commands, with the bytes arriving in pieces of every size: that must not change
    /// the number.
    pub(super) fn counted(dialect: Dialect, sent: &[u8]) -> u64 {
        let whole = dialect.begin().commands(sent);
        let (mut conversation, mut commands) = (dialect.begin(), 0);
        for byte in sent {
            commands += conversation.commands(&[*byte]);
        }
        let unread = conversation.unread;
        assert!(unread.is_empty(), "{unread:?} was not understood");
        assert_eq!(commands, whole);
        whole
    }

    #[test]
    fn redis_commands_are_told_apart_from_those_of_the_connection() {
        let hello = b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n";
        let get = b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
        let eval = b"*3\r\n$7\r\nEVALSHA\r\n$2\r\nab\r\n$6\r\n*1\r\n$3\r\n";
        assert_eq!(counted(Dialect::Redis, &[&hello[..], get, eval, get].concat()), 3);
    }

    #[test]
    fn memcached_data_is_no_command() {
        let sent = b"mn\r\nmg key v\r\nms key 8 T60\r\nmg one\r\n\r\nmg key v\r\nversion\r\n";
        assert_eq!(counted(Dialect::Memcached, sent), 3);
    }

    #[test]
    fn statements_about_one_session_are_told_apart() {
        for statement in [
            "SELECT version FROM cloakroom WHERE key = $1 AND deadline > $2",
            "WITH w AS (INSERT INTO cloakroom AS c (key) VALUES ($1)) SELECT 1",
            "DELETE FROM `cloakroom` WHERE `key` = ?",
            "UPDATE cloakroom SET deadline=?1 WHERE\n key=?2",
        ] {
            assert!(is_about_a_session(statement), "{statement}");
        }
        for statement in [
            "SELECT has_table_privilege('cloakroom', 'INSERT')",
            "DELETE FROM cloakroom WHERE ctid = ANY (ARRAY(SELECT ctid FROM cloakroom))",
            "SELECT `key`, deadline FROM `cloakroom` WHERE `key` > ? ORDER BY `key`",
            "DELETE FROM `cloakroom` WHERE `key` IN (?, ?)",
            "CREATE TABLE cloakroom (key bytea PRIMARY KEY)",
            "SET autocommit = 1",
        ] {
            assert!(!is_about_a_session(statement), "{statement}");
        }
    }

    #[test]
    fn http_requests_have_bodies_or_none() {
        let sent = b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nPOST\r\n\r\nxGET / HTTP/1.1\r\nhost: a\r\n\r\n";
        assert_eq!(counted(Dialect::Http, sent), 2);
    }
}
