//! The three meta commands that are used, and their replies.
//!
//! Every command carries a number (`O`, opaque) that the server repeats: an answer to something
//! else is noticed, though the connection that could have brought one is never used again.

use bytes::{BufMut, Bytes, BytesMut};

use super::failure::Failure;

/// Longer is no reply's first line.
pub(super) const MAX_LINE_LEN: usize = 2_048;

/// A command on one key.
#[derive(Clone, Copy)]
pub(super) enum Command<'a> {
    /// The value and its token.
    Get,
    /// A value that is kept for so long, in memcached's own units.
    Set {
        value: &'a [u8],
        expiry: u64,
        only: Only,
    },
    Delete,
}

/// Where a value is written.
#[derive(Clone, Copy)]
pub(super) enum Only {
    /// Where there is none.
    Absent,
    /// Over the one that has this token.
    Over(u64),
}

/// What a server says to a command that it has carried out or found not to apply.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// `VA`
    Value { token: u64, bytes: Bytes },
    /// `HD`; the token is that of the value written, or 0 where none was.
    Done { token: u64 },
    /// `EN`, `NF`
    Absent,
    /// `NS`: there is a value already.
    NotStored,
    /// `EX`: the value has another token.
    Changed,
}

impl Command<'_> {
    pub(super) fn encode(&self, key: &str, opaque: u32) -> BytesMut {
        let value = if let Self::Set { value, .. } = self { *value } else { &[] };
        let mut line = BytesMut::with_capacity(key.len() + value.len() + 96);
        match self {
            Self::Get => line.put_slice(format!("mg {key} v c O{opaque}\r\n").as_bytes()),
            Self::Delete => line.put_slice(format!("md {key} O{opaque}\r\n").as_bytes()),
            Self::Set { value, expiry, only } => {
                let only = match only {
                    Only::Absent => "ME".to_owned(),
                    Only::Over(token) => format!("C{token}"),
                };
                let length = value.len();
                let head = format!("ms {key} {length} T{expiry} c O{opaque} {only}\r\n");
                line.put_slice(head.as_bytes());
                line.put_slice(value);
                line.put_slice(b"\r\n");
            }
        }
        line
    }
}

/// The first line of a reply, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    code: &'a [u8],
    /// How many bytes of a value follow.
    pub(super) value_len: Option<usize>,
    token: u64,
}

impl<'a> Head<'a> {
    /// Of the reply to the command with this number.
    pub(super) fn parse(line: &'a [u8], opaque: u32) -> Result<Self, Failure> {
        let mut words = line.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
        let code = words.next().unwrap_or_default();
        let value_len = match code {
            b"VA" => Some(words.next().and_then(number).ok_or_else(garbled)?),
            b"HD" | b"EN" | b"NF" | b"NS" | b"EX" => None,
            _ => return Err(Failure::of_line(line)),
        };
        let (mut token, mut repeated) = (0, None);
        for word in words {
            match word {
                [b'c', digits @ ..] => token = number(digits).ok_or_else(garbled)?,
                [b'O', digits @ ..] => repeated = number(digits),
                _ => {}
            }
        }
        if repeated != Some(opaque) {
            return Err(Failure::lost("the server answered another command than the one sent"));
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

fn number<N: std::str::FromStr>(digits: &[u8]) -> Option<N> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn garbled() -> Failure {
    Failure::lost("the server's reply has no number where one should be")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn commands_are_as_the_protocol_has_them() {
        let set = |only| Command::Set { value: b"a\r\nb", expiry: 61, only };
        for (command, line) in [
            (Command::Get, "mg k v c O7\r\n"),
            (Command::Delete, "md k O7\r\n"),
            (set(Only::Absent), "ms k 4 T61 c O7 ME\r\na\r\nb\r\n"),
            (set(Only::Over(12)), "ms k 4 T61 c O7 C12\r\na\r\nb\r\n"),
        ] {
            assert_eq!(command.encode("k", 7), line);
        }
    }

    fn reply(line: &str) -> Result<Reply, Failure> {
        Head::parse(line.as_bytes(), 7).map(|head| head.into_reply("v".into()))
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
    fn what_is_no_reply_to_this_command_is_lost() {
        for line in
            ["HD O8", "HD", "EN", "VA O7", "VA 99999999999999999999 O7", "HD cx O7", "", "XX O7"]
        {
            assert!(matches!(reply(line), Err(Failure::Lost(_))), "{line}");
        }
    }
}
