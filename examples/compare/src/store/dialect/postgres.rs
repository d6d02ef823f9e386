//! The messages that a client sends to PostgreSQL.
//!
//! ```text
//! the first    length (4) | code (4) | …
//! all others   type (1) | length (4), itself included | …
//! ```
//!
//! A statement is prepared by `Parse`, under a name or under none; `Bind` makes a portal of it, and
//! `Execute` runs that. A command is an `Execute` of a statement about a session.

use std::collections::HashMap;

use super::{Command, is_about_a_session};

/// The first messages that ask for encryption. The server answers with one byte, and a first message
/// follows again if it declines.
const ASKS_FOR_ENCRYPTION: [u32; 2] = [80_877_103, 80_877_104];

/// The prepared and bound statements of one connection, by name, each with whether it is about a session.
#[derive(Debug, Default)]
pub(super) struct Statements {
    has_begun: bool,
    prepared: HashMap<Vec<u8>, bool>,
    portals: HashMap<Vec<u8>, bool>,
}

impl Statements {
    /// Reads the message at the start of the bytes. Nothing is remembered of one that is not whole yet.
    pub(super) fn first(&mut self, bytes: &[u8]) -> Option<Command> {
        let before = usize::from(self.has_begun);
        let length = before + usize::try_from(number(bytes, before)?).ok()?;
        let message = bytes.get(..length)?;
        let counts = match self.has_begun {
            true => self.read(message[0], message.get(5..)?),
            false => {
                self.has_begun = !ASKS_FOR_ENCRYPTION.contains(&number(message, 4)?);
                false
            }
        };
        Some(Command { length, counts })
    }

    fn read(&mut self, kind: u8, body: &[u8]) -> bool {
        let (first, rest) = text(body);
        let (second, _) = text(rest);
        match kind {
            b'P' => {
                let is_about = is_about_a_session(&String::from_utf8_lossy(second));
                self.prepared.insert(first.to_vec(), is_about);
                false
            }
            b'B' => {
                let is_about = self.prepared.get(second).copied().unwrap_or_default();
                self.portals.insert(first.to_vec(), is_about);
                false
            }
            b'E' => self.portals.get(first).copied().unwrap_or_default(),
            b'Q' => is_about_a_session(&String::from_utf8_lossy(first)),
            _ => false,
        }
    }
}

fn number(bytes: &[u8], from: usize) -> Option<u32> {
    bytes.get(from..from + 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// Splits bytes after the text at their start, which ends with a zero.
fn text(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    (&bytes[..end], bytes.get(end + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::Dialect;
    use super::super::tests::counted;

    fn message(kind: &[u8], body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(4 + body.len()).unwrap().to_be_bytes();
        [kind, &length, body].concat()
    }

    fn begin() -> Vec<u8> {
        let asks = message(b"", &80_877_103u32.to_be_bytes());
        let starts = message(b"", b"\0\x03\0\0user\0shop\0\0");
        [asks, starts, message(b"p", b"SCRAM-SHA-256\0\0\0\0\x08n,,n=,r=")].concat()
    }

    fn prepare(name: &str, statement: &str) -> Vec<u8> {
        let parse = message(b"P", format!("{name}\0{statement}\0\0\0").as_bytes());
        [parse, message(b"D", format!("S{name}\0").as_bytes()), message(b"S", b"")].concat()
    }

    fn execute(name: &str) -> Vec<u8> {
        // A parameter that looks like a message is none.
        let bind =
            [b"\0", name.as_bytes(), b"\0\0\x01\0\x01\0\x01\0\0\0\x05Q\0\0\0\x04\0\0"].concat();
        [message(b"B", &bind), message(b"E", b"\0\0\0\0\0"), message(b"S", b"")].concat()
    }

    const LOAD: &str = "SELECT bytes FROM cloakroom WHERE key = $1";
    const SWEEP: &str = "DELETE FROM cloakroom WHERE ctid = ANY ($1)";

    #[test]
    fn each_execution_counts_and_no_preparation() {
        let sent = [begin(), prepare("s0", LOAD), execute("s0"), execute("s0")].concat();
        assert_eq!(counted(Dialect::Postgres, &sent), 2);
    }

    #[test]
    fn statements_without_a_name_count_by_their_text() {
        let sent = [prepare("", LOAD), execute(""), prepare("", SWEEP), execute("")].concat();
        assert_eq!(counted(Dialect::Postgres, &[begin(), sent].concat()), 1);
    }

    #[test]
    fn what_is_not_about_a_session_does_not_count() {
        let simple = |text: &str| message(b"Q", format!("{text}\0").as_bytes());
        let sent =
            [prepare("s1", SWEEP), execute("s1"), simple("SET x = 1"), simple(LOAD)].concat();
        assert_eq!(counted(Dialect::Postgres, &[begin(), sent, message(b"X", b"")].concat()), 1);
    }
}
