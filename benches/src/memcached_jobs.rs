//! A memcached server for one run, the store's commands on it, and the bare commands.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cloakroom::store::{
    Created, MemcachedServers, MemcachedStore, Replaced, SessionStore, StoreKey, Version,
};
use cloakroom::{Clock, Timestamp};
use cloakroom_testing::processes::{Folder, Process, answers, free_port};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::crew::Job;
use crate::sessions::{entry_of, key_of};

const HOST: &str = "127.0.0.1";
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// A prefix of the same length as the store's, for the bare commands.
const OTHER_PREFIX: &str = "comparing:";
/// The bytes that the store adds to an entry.
const HEAD: usize = 26;

/// A `memcached` on a free port. Dropping it ends the server.
#[derive(Debug)]
pub struct LocalMemcached {
    port: u16,
    _process: Process,
    _folder: Folder,
}

impl LocalMemcached {
    /// Starts the server and waits until it answers.
    ///
    /// # Panics
    ///
    /// If `memcached` is not on the `PATH`.
    pub fn start() -> Self {
        let (folder, port) = (Folder::new(), free_port());
        let number = port.to_string();
        let program =
            ["memcached", "-u", "root", "-l", HOST, "-p", &number, "-U", "0", "-m", "512"];
        let process = Process::start(program, folder.join("log"));
        process.wait_until("the server answers", || answers(port));
        Self { port, _process: process, _folder: folder }
    }

    /// Returns a store with at most this many connections.
    ///
    /// # Panics
    ///
    /// If the server has ended.
    pub async fn store(&self, connections: usize) -> MemcachedStore {
        let servers = MemcachedServers::nodes([(HOST, self.port)]);
        let store = MemcachedStore::builder().max_connections(connections).connect(&servers);
        store.await.expect("the server is there")
    }

    async fn connection(&self) -> BufReader<TcpStream> {
        let stream = TcpStream::connect((HOST, self.port)).await.expect("the server is there");
        stream.set_nodelay(true).expect("a socket");
        BufReader::new(stream)
    }
}

fn next_number() -> usize {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

fn deadline() -> Timestamp {
    Clock::system().now().saturating_add(LIFETIME)
}

/// A job that calls the store's `load` or `replace` on its own entry.
#[derive(Debug)]
pub struct Ours {
    store: MemcachedStore,
    key: StoreKey,
    version: Version,
    number: usize,
    record: Bytes,
    writes: bool,
}

impl Ours {
    /// # Panics
    ///
    /// If the entry cannot be created.
    pub async fn new(store: &MemcachedStore, record: &Bytes, writes: bool) -> Self {
        let number = next_number();
        let (key, entry) = (key_of(number), entry_of(number, record, deadline()));
        let Ok(Created::Done(version)) = store.create(&key, &entry).await else {
            panic!("a new entry is not created")
        };
        Self { store: store.clone(), key, version, number, record: record.clone(), writes }
    }
}

impl Job for Ours {
    async fn once(&mut self) {
        if !self.writes {
            let entry = self.store.load(&self.key).await.expect("it answers");
            black_box(entry.expect("it is there"));
            return;
        }
        let entry = entry_of(self.number, &self.record, deadline());
        match self.store.replace(&self.key, &self.version, &entry).await {
            Ok(Replaced::Done(version)) => self.version = version,
            other => panic!("nobody else writes this one: {other:?}"),
        }
    }
}

/// A job that sends `mg`, or `ms` with the last token, with as many bytes on its own connection.
#[derive(Debug)]
pub struct Raw {
    connection: BufReader<TcpStream>,
    key: String,
    value: Vec<u8>,
    token: String,
    writes: bool,
    line: String,
}

impl Raw {
    /// # Panics
    ///
    /// If the server has ended.
    pub async fn new(server: &LocalMemcached, record: &Bytes, writes: bool) -> Self {
        let mut raw = Self {
            connection: server.connection().await,
            key: format!("{OTHER_PREFIX}{:064}", next_number()),
            value: [vec![b'x'; HEAD], record.to_vec()].concat(),
            token: String::new(),
            writes,
            line: String::new(),
        };
        raw.set().await;
        raw
    }

    async fn set(&mut self) {
        let only = if self.token.is_empty() { String::new() } else { format!(" C{}", self.token) };
        let head = format!("ms {} {} T1801 c{only}\r\n", self.key, self.value.len());
        let command = [head.as_bytes(), &self.value, b"\r\n"].concat();
        let line = self.ask(&command).await;
        self.token = line.trim_end().strip_prefix("HD c").expect("it is kept").to_owned();
    }

    async fn get(&mut self) {
        let command = format!("mg {} v c\r\n", self.key);
        let line = self.ask(command.as_bytes()).await;
        let length = line.split(' ').nth(1).and_then(|text| text.parse::<usize>().ok());
        let mut value = vec![0; length.expect("a value") + 2];
        self.connection.read_exact(&mut value).await.expect("it answers");
        black_box(value);
    }

    async fn ask(&mut self, command: &[u8]) -> String {
        self.connection.write_all(command).await.expect("it listens");
        self.line.clear();
        self.connection.read_line(&mut self.line).await.expect("it answers");
        self.line.clone()
    }
}

impl Job for Raw {
    async fn once(&mut self) {
        if self.writes { self.set().await } else { self.get().await }
    }
}
