//! Frames of MessagePack over TCP: a length, and a command or an answer.

use cloakroom::Timestamp;
use cloakroom::store::{CommitId, Entry, NewEntry, StoreErrorKind, Version};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Opens a store of this actor; all later commands name it by the number that comes back.
    Open {
        root: String,
        now: u64,
        /// Or the default.
        shared_mount: Option<bool>,
    },
    /// Drops a store of this actor, as an app does that ends. Its number is not given again.
    Close(usize),
    /// Moves the clock of all of the actor's stores.
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
    /// Counts in a session until this many increments are acknowledged, over all outages.
    Count {
        store: usize,
        key: [u8; 32],
        times: u64,
    },
    /// Loads a session over and over, until it is missing or this long has gone by.
    Watch {
        store: usize,
        key: [u8; 32],
        millis: u64,
    },
    Sweep {
        store: usize,
    },
    /// Opens a file and keeps it open, until the next one.
    Hold(String),
    /// Makes what listens on a port of this host alone reachable from others.
    Relay(u16),
    /// Runs a shell command.
    Run(String),
    /// Runs a program for as long as the connection lasts: SIGKILL when that ends.
    Attach {
        words: Vec<String>,
        environment: Vec<(String, String)>,
    },
    Ping,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    Opened(usize),
    Loaded(Option<Read>),
    /// The version, or that one is there.
    Created(Option<Vec<u8>>),
    Replaced(Vec<u8>),
    Conflict(Read),
    Gone,
    Touched,
    Skipped,
    Deleted,
    /// Increments that were acknowledged, and commands that failed.
    Counted {
        done: u64,
        failed: u64,
    },
    Watched {
        loads: u64,
        missing: u64,
        /// Why loads failed.
        errors: Vec<String>,
    },
    /// Sessions that were removed.
    Swept(u64),
    Ran {
        success: bool,
        output: String,
    },
    /// What an attached program has said meanwhile; more follows.
    Said(ByteBuf),
    /// An attached program's success.
    Ended(bool),
    Pong,
    /// The port that leads there.
    Relayed(u16),
    /// The kind, and the source's text.
    Failed(u8, String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Written {
    pub commit: [u8; 8],
    pub deadline: u64,
    pub bytes: ByteBuf,
}

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

pub fn number(kind: StoreErrorKind) -> u8 {
    u8::try_from(KINDS.iter().position(|known| *known == kind).unwrap()).unwrap()
}

pub fn kind(number: u8) -> StoreErrorKind {
    KINDS[usize::from(number)]
}

pub async fn send<T: Serialize>(stream: &mut TcpStream, word: &T) -> std::io::Result<()> {
    let bytes = rmp_serde::to_vec(word).unwrap();
    stream.write_u32(u32::try_from(bytes.len()).unwrap()).await?;
    stream.write_all(&bytes).await
}

pub async fn receive<T: DeserializeOwned>(stream: &mut TcpStream) -> std::io::Result<T> {
    let mut bytes = vec![0; stream.read_u32().await? as usize];
    stream.read_exact(&mut bytes).await?;
    Ok(rmp_serde::from_slice(&bytes).unwrap())
}
