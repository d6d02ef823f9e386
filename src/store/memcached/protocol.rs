//! The three meta commands that are used, and their replies.
//!
//! Every command carries a number (`O`, opaque) that the server repeats. A connection is never used
//! again after an answer that was not read whole, so no answer should ever belong to another command;
//! the number is there to notice if one did.

use bytes::{BufMut, Bytes, BytesMut};

use super::failure::classify_line;
use crate::store::failure::Failure;

/// The most bytes of the first line of a reply.
pub(super) const MAX_LINE_LEN: usize = 2_048;

/// A command on one key.
pub(super) enum Command {
    /// Asks for the value and its token.
    Get,
    /// Writes a value. `expiry` is in memcached's own units, see `expiry.rs`.
    Set { value: Bytes, expiry: u64, condition: Condition },
    /// Deletes the value that has this token.
    Delete { token: u64 },
}

/// The condition on which a value is written.
#[derive(Clone, Copy)]
pub(super) enum Condition {
    /// There is no value.
    Absent,
    /// The value that is there has this token.
    Token(u64),
}

/// The answer to a command that the server has carried out, or whose condition did not hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// `VA`
    Value { token: u64, bytes: Bytes },
    /// `HD`; the token of the value that was written, or 0 after a delete.
    Done { token: u64 },
    /// `EN`, `NF`
    Absent,
    /// `NS`: the condition was [`Condition::Absent`], and there is a value.
    NotStored,
    /// `EX`: the command named a token, and the value has another one.
    Changed,
}

impl Command {
    pub(super) fn encode(&self, key: &str, opaque: u32) -> BytesMut {
        let value = if let Self::Set { value, .. } = self { &value[..] } else { &[] };
        let mut line = BytesMut::with_capacity(key.len() + value.len() + 96);
        match self {
            Self::Get => line.put_slice(format!("mg {key} v c O{opaque}\r\n").as_bytes()),
            Self::Delete { token } => {
                line.put_slice(format!("md {key} O{opaque} C{token}\r\n").as_bytes());
            }
            Self::Set { value, expiry, condition } => {
                let condition = match condition {
                    Condition::Absent => "ME".to_owned(),
                    Condition::Token(token) => format!("C{token}"),
                };
                let length = value.len();
                let head = format!("ms {key} {length} T{expiry} c O{opaque} {condition}\r\n");
                line.put_slice(head.as_bytes());
                line.put_slice(value);
                line.put_slice(b"\r\n");
            }
        }
        line
    }
}

/// The first line of a reply, without its line end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ReplyHeader<'a> {
    code: &'a [u8],
    /// The number of bytes of the value that follows.
    pub(super) value_len: Option<usize>,
    token: u64,
}

impl<'a> ReplyHeader<'a> {
    /// Parses the first line of the reply to the command with the number `opaque`.
    pub(super) fn parse(line: &'a [u8], opaque: u32) -> Result<Self, Failure> {
        let mut words = line.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
        let code = words.next().unwrap_or_default();
        let value_len = match code {
            b"VA" => Some(words.next().and_then(parse_number).ok_or_else(garbled)?),
            b"HD" | b"EN" | b"NF" | b"NS" | b"EX" => None,
            _ => return Err(classify_line(line)),
        };
        let (mut token, mut repeated) = (0, None);
        for word in words {
            match word {
                [b'c', digits @ ..] => token = parse_number(digits).ok_or_else(garbled)?,
                [b'O', digits @ ..] => repeated = parse_number(digits),
                _ => {}
            }
        }
        if repeated != Some(opaque) {
            return Err(Failure::indeterminate(
                "the server answered another command than the one that was sent",
            ));
        }
        Ok(Self { code, value_len, token })
    }

    pub(super) fn into_reply(self, value: Bytes) -> Reply {
        match self.code {
            b"VA" => Reply::Value { token: self.token, bytes: value },
            b"HD" => Reply::Done { token: self.token },
            b"NS" => Reply::NotStored,
            b"EX" => Reply::Changed,
            _ => Reply::Absent,
        }
    }
}

fn parse_number<N: std::str::FromStr>(digits: &[u8]) -> Option<N> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn garbled() -> Failure {
    Failure::indeterminate("the server's reply lacks a number where one belongs")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn commands_are_encoded_as_the_protocol_demands() {
        let set = |condition| Command::Set { value: "a\r\nb".into(), expiry: 61, condition };
        for (command, line) in [
            (Command::Get, "mg k v c O7\r\n"),
            (Command::Delete { token: 12 }, "md k O7 C12\r\n"),
            (set(Condition::Absent), "ms k 4 T61 c O7 ME\r\na\r\nb\r\n"),
            (set(Condition::Token(12)), "ms k 4 T61 c O7 C12\r\na\r\nb\r\n"),
        ] {
            assert_eq!(command.encode("k", 7), line);
        }
    }

    fn reply(line: &str) -> Result<Reply, Failure> {
        ReplyHeader::parse(line.as_bytes(), 7).map(|head| head.into_reply("v".into()))
    }

    #[test]
    fn replies_are_told_apart() {
        for (line, wanted) in [
            ("VA 1 c5 O7", Reply::Value { token: 5, bytes: "v".into() }),
            ("HD c18446744073709551615 O7", Reply::Done { token: u64::MAX }),
            ("HD O7", Reply::Done { token: 0 }),
            ("EN O7", Reply::Absent),
            ("NF c0 O7", Reply::Absent),
            ("NS c0 O7", Reply::NotStored),
            ("EX c0 O7", Reply::Changed),
        ] {
            assert_eq!(reply(line).unwrap(), wanted, "{line}");
        }
    }

    #[test]
    fn a_line_that_does_not_answer_this_command_proves_nothing() {
        for line in
            ["HD O8", "HD", "EN", "VA O7", "VA 99999999999999999999 O7", "HD cx O7", "", "XX O7"]
        {
            assert!(matches!(reply(line), Err(Failure::Indeterminate(_))), "{line}");
        }
    }
}
