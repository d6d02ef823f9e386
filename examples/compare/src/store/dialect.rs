//! Finds the commands in the bytes that go to a store.

use std::str;

use bytes::{Buf, BytesMut};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Dialect {
    Redis,
    Memcached,
    Http,
}

/// A whole command at the start of the bytes.
#[derive(Debug, Eq, PartialEq)]
struct Command {
    length: usize,
    /// Whether it is about a session, and not about the connection itself.
    counts: bool,
}

impl Dialect {
    /// Removes all whole commands from the buffer, and returns how many were about sessions.
    pub(super) fn take_commands(self, bytes: &mut BytesMut) -> u64 {
        let mut commands = 0;
        while let Some(command) = self.first(bytes) {
            bytes.advance(command.length);
            commands += u64::from(command.counts);
        }
        commands
    }

    fn first(self, bytes: &[u8]) -> Option<Command> {
        let command = match self {
            Self::Redis => redis(bytes),
            Self::Memcached => memcached(bytes),
            Self::Http => http(bytes),
        };
        command.filter(|command| command.length <= bytes.len())
    }
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
    fn counted(dialect: Dialect, sent: &[u8]) -> u64 {
        let whole = dialect.take_commands(&mut BytesMut::from(sent));
        let (mut bytes, mut commands) = (BytesMut::new(), 0);
        for byte in sent {
            bytes.extend_from_slice(&[*byte]);
            commands += dialect.take_commands(&mut bytes);
        }
        assert!(bytes.is_empty(), "{bytes:?} was not understood");
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
    fn http_requests_have_bodies_or_none() {
        let sent = b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nPOST\r\n\r\nxGET / HTTP/1.1\r\nhost: a\r\n\r\n";
        assert_eq!(counted(Dialect::Http, sent), 2);
    }
}
