//! The packets between a client and MySQL or MariaDB.
//!
//! ```text
//! length of the rest (3) | number within the exchange (1) | …
//! ```
//!
//! A command begins an exchange, so its number is zero; logging in goes on with those that the server
//! began. A statement is prepared by `COM_STMT_PREPARE`, and the server's answer has its number.

use std::collections::HashMap;

use bytes::{Buf, BytesMut};

use super::{Command, is_about_a_session};

const QUERY: u8 = 0x03;
const PREPARE: u8 = 0x16;
const EXECUTE: u8 = 0x17;
const HEAD: usize = 4;
/// A packet of this length goes on in the next one.
const LONGEST: usize = (1 << 24) - 1;

/// How the answer to a statement that was prepared begins.
const PREPARED: u8 = 0x00;

/// The prepared statements of one connection, by number, each with whether it is about a session.
#[derive(Debug, Default)]
pub(super) struct Statements {
    prepared: HashMap<[u8; 4], bool>,
    /// The statement whose number the server has not told yet.
    is_preparing: Option<bool>,
    is_continued: bool,
    unread_answers: BytesMut,
}

impl Statements {
    /// Reads the packet at the start of the bytes. Nothing is remembered of one that is not whole yet.
    pub(super) fn first(&mut self, bytes: &[u8]) -> Option<Command> {
        let (number, packet) = whole(bytes)?;
        let begins = number == 0 && !self.is_continued;
        self.is_continued = packet.len() == LONGEST;
        let counts = match packet.split_first() {
            Some((kind, rest)) if begins => self.read(*kind, rest),
            _ => false,
        };
        Some(Command { length: HEAD + packet.len(), counts })
    }

    /// Reads what the server has answered. Each command is answered before the next one is sent.
    pub(super) fn answered(&mut self, bytes: &[u8]) {
        self.unread_answers.extend_from_slice(bytes);
        while let Some((number, packet)) = whole(&self.unread_answers) {
            let statement = packet.split_first().filter(|(kind, _)| **kind == PREPARED);
            let statement = statement.and_then(|(_, rest)| rest.first_chunk().copied());
            let length = HEAD + packet.len();
            if let (1, Some(is_about)) = (number, self.is_preparing) {
                self.is_preparing = None;
                self.prepared.extend(statement.map(|statement| (statement, is_about)));
            }
            self.unread_answers.advance(length);
        }
    }

    fn read(&mut self, kind: u8, rest: &[u8]) -> bool {
        match kind {
            QUERY => is_about_a_session(&String::from_utf8_lossy(rest)),
            PREPARE => {
                self.is_preparing = Some(is_about_a_session(&String::from_utf8_lossy(rest)));
                false
            }
            EXECUTE => {
                let statement = rest.first_chunk().and_then(|number| self.prepared.get(number));
                statement.copied().unwrap_or_default()
            }
            _ => false,
        }
    }
}

/// The number and the content of the packet at the start of the bytes, if it is whole.
fn whole(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let [low, middle, high, number] = *bytes.first_chunk()?;
    let length = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
    Some((number, bytes.get(HEAD..HEAD + length)?))
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

    fn prepared(number: u32) -> Vec<u8> {
        let answer = packet(1, &[b"\0", &number.to_le_bytes()[..], b"\0\0\x01\0\0\0\0"].concat());
        // The parameters follow, and their end.
        [answer, packet(2, b"\0\x07\0\0\0?"), packet(3, b"\xfe")].concat()
    }

    /// Sends the commands one after the other, each with the server's answer to it.
    fn conversation(exchanges: &[(Vec<u8>, Vec<u8>)]) -> u64 {
        let mut conversation = Dialect::Mysql.begin();
        let mut commands = 0;
        for (sent, answer) in exchanges {
            commands += sent.iter().map(|byte| conversation.commands(&[*byte])).sum::<u64>();
            answer.iter().for_each(|byte| conversation.answered(&[*byte]));
        }
        commands
    }

    #[test]
    fn each_execution_counts_and_no_preparation() {
        let ok = packet(1, b"\0\0\0\x02\0\0\0");
        let refused = packet(1, b"\xff\x7a\x04#42S02no such table");
        let commands = conversation(&[
            (Vec::new(), packet(0, b"\x0a10.11-MariaDB")),
            (packet(1, b"\x16 INSERT INTO is no statement here"), packet(2, b"\0\0\0")),
            (command(super::QUERY, b"SET autocommit = 1"), ok.clone()),
            (command(super::PREPARE, LOAD), refused),
            (command(super::PREPARE, SWEEP), prepared(3)),
            (command(super::PREPARE, LOAD), prepared(7)),
            (execute(7), ok.clone()),
            (execute(3), ok.clone()),
            (execute(7), ok.clone()),
            (execute(9), ok.clone()),
            (command(0x0e, b""), ok),
        ]);
        assert_eq!(commands, 2);
    }

    #[test]
    fn statements_in_plain_text_count_by_their_text() {
        let sent = [command(super::QUERY, LOAD), command(super::QUERY, SWEEP)].concat();
        assert_eq!(counted(Dialect::Mysql, &sent), 1);
    }
}
