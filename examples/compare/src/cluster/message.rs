//! The messages between nodes.
//!
//! ```text
//! length 4 | number 8 | kind 1 | body
//!   Join   port 2
//!   Put    key 32 | copy
//!   Take   key 32
//!   Found  copy, if any
//!   copy   count 8 | node 2 | (deadline 8 | version's length 1 | version | bytes), if not deleted
//! ```
//!
//! Every message is answered under its number, at least with `Done`.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use cloakroom::Timestamp;
use cloakroom::store::{Entry, StoreKey, Version};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::entries::{Copy, LogicalTime};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Message {
    /// Says that there is a node at this port.
    Join(u16),
    /// Says what the session is now.
    Put(StoreKey, Copy),
    /// Asks for all sessions. The answer is many `Put`, then `Done`.
    All,
    /// Takes a session over and asks for the other node's copy.
    Take(StoreKey),
    Found(Option<Copy>),
    Done,
}

const HEAD: usize = 4 + 8;
/// The longest message: a session, and the bytes around it.
const LONGEST: usize = 1 << 24;

impl Message {
    pub(super) fn framed(&self, number: u64) -> Bytes {
        let mut body = BytesMut::new();
        self.write(&mut body);
        let mut framed = BytesMut::with_capacity(HEAD + body.len());
        // A session has far less than the 4 GB at which this would be cut.
        framed.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
        framed.put_u64(number);
        framed.put(body);
        framed.freeze()
    }

    fn write(&self, body: &mut BytesMut) {
        match self {
            Self::Join(port) => {
                body.put_u8(b'j');
                body.put_u16(*port);
            }
            Self::Put(key, copy) => {
                body.put_u8(b'p');
                body.put_slice(key.as_bytes());
                write_copy(copy, body);
            }
            Self::All => body.put_u8(b'a'),
            Self::Take(key) => {
                body.put_u8(b't');
                body.put_slice(key.as_bytes());
            }
            Self::Found(copy) => {
                body.put_u8(b'f');
                copy.iter().for_each(|copy| write_copy(copy, body));
            }
            Self::Done => body.put_u8(b'd'),
        }
    }

    fn read(mut body: Bytes) -> Option<Self> {
        let body = &mut body;
        Some(match body.try_get_u8().ok()? {
            b'j' => Self::Join(body.try_get_u16().ok()?),
            b'p' => Self::Put(read_key(body)?, read_copy(body)?),
            b'a' => Self::All,
            b't' => Self::Take(read_key(body)?),
            b'f' if body.is_empty() => Self::Found(None),
            b'f' => Self::Found(Some(read_copy(body)?)),
            b'd' => Self::Done,
            _ => return None,
        })
    }
}

fn write_copy(copy: &Copy, body: &mut BytesMut) {
    body.put_u64(copy.time.count);
    body.put_u16(copy.time.node);
    let Some(entry) = &copy.entry else { return };
    body.put_u64(entry.deadline.as_millis());
    let version = entry.version.as_bytes();
    body.put_u8(u8::try_from(version.len()).unwrap_or_default()); // 32 at most
    body.put_slice(version);
    body.put_slice(&entry.bytes);
}

fn read_key(body: &mut Bytes) -> Option<StoreKey> {
    let mut key = [0; 32];
    body.try_copy_to_slice(&mut key).ok()?;
    Some(StoreKey::from_bytes(key))
}

fn read_copy(body: &mut Bytes) -> Option<Copy> {
    let time = LogicalTime { count: body.try_get_u64().ok()?, node: body.try_get_u16().ok()? };
    if body.is_empty() {
        return Some(Copy { time, entry: None });
    }
    let deadline = Timestamp::from_millis(body.try_get_u64().ok()?);
    let length = usize::from(body.try_get_u8().ok()?);
    if body.len() < length {
        return None;
    }
    let version = Version::new(&body.split_to(length))?;
    Some(Copy { time, entry: Some(Entry::new(version, deadline, body.clone())) })
}

/// Reads the next message, its number, and its bytes on the wire.
pub(super) async fn next(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(u64, Message, u64)> {
    let length = stream.read_u32().await? as usize;
    let number = stream.read_u64().await?;
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let message = Message::read(body.into()).ok_or(io::ErrorKind::InvalidData)?;
    Ok((number, message, (HEAD + length) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(entry: Option<Entry>) -> Copy {
        Copy { time: LogicalTime { count: 7, node: 9 }, entry }
    }

    fn entry() -> Entry {
        let version = Version::new(b"version").unwrap();
        let deadline = Timestamp::from_millis(1_234_567);
        Entry::new(version, deadline, Bytes::from_static(b"session"))
    }

    #[tokio::test]
    async fn every_message_arrives_as_it_was_sent() {
        let key = StoreKey::from_bytes([3; 32]);
        for message in [
            Message::Join(4711),
            Message::Put(key, copy(Some(entry()))),
            Message::Put(key, copy(None)),
            Message::All,
            Message::Take(key),
            Message::Found(None),
            Message::Found(Some(copy(Some(entry())))),
            Message::Found(Some(copy(None))),
            Message::Done,
        ] {
            let framed = message.framed(42);
            let (number, read, bytes) = next(&mut &framed[..]).await.unwrap();
            assert_eq!((number, &read), (42, &message));
            assert_eq!(bytes, framed.len() as u64);
        }
    }

    #[tokio::test]
    async fn half_a_message_is_an_error() {
        let whole = Message::Put(StoreKey::from_bytes([3; 32]), copy(Some(entry()))).framed(1);
        for length in 0..whole.len() {
            assert!(next(&mut &whole[..length]).await.is_err(), "{length}");
        }
        for end in 1..60 {
            // The frame is right and the content is cut.
            let _ = Message::read(whole.slice(HEAD..HEAD + end));
        }
        assert_eq!(Message::read(Bytes::from_static(b"?")), None);
    }
}
