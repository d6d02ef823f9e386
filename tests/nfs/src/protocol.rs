//! Frames over TCP: a length, and a command or an answer as MessagePack.

use cloakroom::Timestamp;
use cloakroom::store::{CommitId, Entry, NewEntry, StoreErrorKind, Version};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A command of the driver to an actor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Opens a store in the actor's process. Later commands name it by the number in the answer.
    Open {
        root: String,
        now: u64,
        /// `None` means the default.
        shared_mount: Option<bool>,
    },
    /// Drops a store, as an app does when it ends. Its number is not used again.
    Close(usize),
    /// Sets the clock of all stores of the actor.
    SetClock(u64),
    Load {
        store: usize,
        key: [u8; 32],
    },
    Create {
        store: usize,
        key: [u8; 32],
        entry: Written,
    },
    Replace {
        store: usize,
        key: [u8; 32],
        expected: Vec<u8>,
        entry: Written,
    },
    Touch {
        store: usize,
        key: [u8; 32],
        expected: Vec<u8>,
        deadline: u64,
    },
    Delete {
        store: usize,
        key: [u8; 32],
    },
    /// Increments the counter in a session until this many increments are acknowledged, and goes on
    /// after errors.
    Count {
        store: usize,
        key: [u8; 32],
        times: u64,
    },
    /// Loads a session again and again for this long.
    Watch {
        store: usize,
        key: [u8; 32],
        millis: u64,
    },
    Sweep {
        store: usize,
    },
    /// Opens a file and keeps it open until the next `Hold`.
    Hold(String),
    /// Makes a port that listens on the host's loopback address reachable from other hosts.
    Relay(u16),
    /// Runs a shell command.
    Run(String),
    /// Runs a program while the connection lasts, and kills it when the connection ends.
    Attach {
        words: Vec<String>,
        environment: Vec<(String, String)>,
    },
    Ping,
}

/// An actor's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    Opened(usize),
    Loaded(Option<Read>),
    /// The new session's version, or `None` if a live session exists.
    Created(Option<Vec<u8>>),
    Replaced(Vec<u8>),
    Conflict(Read),
    Gone,
    Touched,
    Skipped,
    Deleted,
    /// The number of acknowledged increments and of failed commands.
    Counted {
        done: u64,
        failed: u64,
    },
    Watched {
        loads: u64,
        missing: u64,
        /// The errors of failed loads.
        errors: Vec<String>,
    },
    /// The number of removed sessions.
    Swept(u64),
    Ran {
        success: bool,
        output: String,
    },
    /// Output of an attached program. More answers follow.
    Said(ByteBuf),
    /// The end of an attached program, and whether it succeeded.
    Ended(bool),
    Pong,
    /// The port at which other hosts reach the relayed one.
    Relayed(u16),
    /// A failed command: the number of the error's kind, and the texts of its sources.
    Failed(u8, String),
}

/// A [`NewEntry`] on its way to an actor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Written {
    pub commit: [u8; 8],
    pub deadline: u64,
    pub bytes: ByteBuf,
}

/// An [`Entry`] on its way to the driver.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Read {
    pub version: Vec<u8>,
    pub deadline: u64,
    pub bytes: ByteBuf,
}

impl From<&NewEntry> for Written {
    fn from(entry: &NewEntry) -> Self {
        Self {
            commit: *entry.commit.as_bytes(),
            deadline: entry.deadline.as_millis(),
            bytes: ByteBuf::from(entry.bytes.to_vec()),
        }
    }
}

impl From<Written> for NewEntry {
    fn from(written: Written) -> Self {
        let commit = CommitId::from_bytes(written.commit);
        Self::new(commit, Timestamp::from_millis(written.deadline), written.bytes.into_vec())
    }
}

impl From<Entry> for Read {
    fn from(entry: Entry) -> Self {
        Self {
            version: entry.version.as_bytes().to_vec(),
            deadline: entry.deadline.as_millis(),
            bytes: ByteBuf::from(entry.bytes.to_vec()),
        }
    }
}

impl From<Read> for Entry {
    fn from(read: Read) -> Self {
        let version = Version::new(&read.version).unwrap();
        Self::new(version, Timestamp::from_millis(read.deadline), read.bytes.into_vec())
    }
}

const KINDS: [StoreErrorKind; 6] = [
    StoreErrorKind::Unavailable,
    StoreErrorKind::Indeterminate,
    StoreErrorKind::TooLarge,
    StoreErrorKind::Corrupt,
    StoreErrorKind::Denied,
    StoreErrorKind::Misconfigured,
];

pub fn kind_number(kind: StoreErrorKind) -> u8 {
    u8::try_from(KINDS.iter().position(|known| *known == kind).unwrap()).unwrap()
}

pub fn kind_from_number(number: u8) -> StoreErrorKind {
    KINDS[usize::from(number)]
}

pub async fn send<T: Serialize>(stream: &mut TcpStream, message: &T) -> std::io::Result<()> {
    let bytes = rmp_serde::to_vec(message).unwrap();
    stream.write_u32(u32::try_from(bytes.len()).unwrap()).await?;
    stream.write_all(&bytes).await
}

pub async fn receive<T: DeserializeOwned>(stream: &mut TcpStream) -> std::io::Result<T> {
    let mut bytes = vec![0; stream.read_u32().await? as usize];
    stream.read_exact(&mut bytes).await?;
    Ok(rmp_serde::from_slice(&bytes).unwrap())
}
