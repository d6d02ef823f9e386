//! The packets that a client sends to MySQL and MariaDB.
//!
//! ```text
//! length of the rest (3) | number within the exchange (1) | …
//! ```
//!
//! A command begins an exchange, so its number is zero; logging in goes on with those that the server
//! began. A statement is prepared by `COM_STMT_PREPARE`, and the server answers with its number: it
//! counts them from one on each connection.

use super::{Command, is_about_a_session};

const QUERY: u8 = 0x03;
const PREPARE: u8 = 0x16;
const EXECUTE: u8 = 0x17;
/// A packet of this length goes on in the next one.
const LONGEST: usize = (1 << 24) - 1;

/// What one connection has prepared, in order, with whether it is about a session.
#[derive(Debug, Default)]
pub(super) struct Statements {
    prepared: Vec<bool>,
    is_continued: bool,
}

impl Statements {
    /// Reads the packet at the start of the bytes. Nothing is remembered of one that is not whole yet.
    pub(super) fn first(&mut self, bytes: &[u8]) -> Option<Command> {
        let [low, middle, high, number] = *bytes.first_chunk()?;
        let body = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
        let length = 4 + body;
        let packet = bytes.get(4..length)?;
        let begins = number == 0 && !self.is_continued;
        self.is_continued = body == LONGEST;
        let counts = match packet.split_first() {
            Some((kind, rest)) if begins => self.read(*kind, rest),
            _ => false,
        };
        Some(Command { length, counts })
    }

    fn read(&mut self, kind: u8, rest: &[u8]) -> bool {
        match kind {
            QUERY => is_about_a_session(&String::from_utf8_lossy(rest)),
            PREPARE => {
                self.prepared.push(is_about_a_session(&String::from_utf8_lossy(rest)));
                false
            }
            EXECUTE => {
                let number = rest.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
                let place = number.and_then(|number| usize::try_from(number).ok()?.checked_sub(1));
                place.and_then(|place| self.prepared.get(place)).copied().unwrap_or_default()
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Dialect;
    use super::super::tests::counted;

    fn packet(number: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_le_bytes();
        [&length[..3], &[number], body].concat()
    }

    fn command(kind: u8, rest: &[u8]) -> Vec<u8> {
        packet(0, &[&[kind], rest].concat())
    }

    fn execute(number: u32) -> Vec<u8> {
        command(super::EXECUTE, &[&number.to_le_bytes()[..], b"\0\x01\0\0\0key"].concat())
    }

    const LOAD: &[u8] = b"SELECT bytes FROM `cloakroom` WHERE `key` = ?";
    const SWEEP: &[u8] = b"DELETE FROM `cloakroom` WHERE `key` IN (?, ?)";

    #[test]
    fn each_execution_counts_and_no_preparation() {
        let login = packet(1, b"\x16 INSERT INTO is no statement here");
        let set = command(super::QUERY, b"SET autocommit = 1");
        let prepared = [command(super::PREPARE, SWEEP), command(super::PREPARE, LOAD)].concat();
        let executed = [execute(2), execute(1), execute(2), execute(9)].concat();
        let sent = [login, set, prepared, executed, command(0x0e, b"")].concat();
        assert_eq!(counted(Dialect::Mysql, &sent), 2);
    }

    #[test]
    fn statements_in_plain_text_count_by_their_text() {
        let sent = [command(super::QUERY, LOAD), command(super::QUERY, SWEEP)].concat();
        assert_eq!(counted(Dialect::Mysql, &sent), 1);
    }
}
