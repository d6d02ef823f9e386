//! SQLite by hand, as somebody writes it who knows how: the same table and statements as the store's, one
//! thread that commits what waits together, two threads that read. It checks and bounds nothing.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, params};
use tokio::sync::oneshot;

pub(crate) const LOAD: &str =
    "SELECT format, version, deadline, bytes FROM cloakroom WHERE key = ?1";

/// One statement.
#[derive(Clone, Copy, Debug)]
pub enum Statement {
    /// `INSERT`.
    Create,
    /// `UPDATE` of everything.
    Replace,
    /// `UPDATE` of the deadline.
    Touch,
}

impl Statement {
    /// Returns the text. It checks less than the store's, which leaves rows of a newer release and damaged ones
    /// as they are.
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Create => {
                "INSERT INTO cloakroom (key, format, version, deadline, bytes) VALUES (?1, 1, ?2, ?3, ?4)"
            }
            Self::Replace => {
                "UPDATE cloakroom SET version = ?1, deadline = ?2, bytes = ?3 WHERE key = ?4 AND version = ?5"
            }
            Self::Touch => "UPDATE cloakroom SET deadline = ?1 WHERE key = ?2 AND version = ?3",
        }
    }
}

/// A write: its key, the version that is there, the new version, the deadline, and the bytes.
#[derive(Debug)]
pub struct Write {
    /// The statement, as one transaction.
    pub statement: Statement,
    /// The key.
    pub key: [u8; 32],
    /// The version that it expects.
    pub expected: [u8; 8],
    /// The version that it writes.
    pub version: [u8; 8],
    /// The deadline that it writes.
    pub deadline: i64,
    /// The bytes that it writes.
    pub bytes: Bytes,
}

impl Write {
    /// Runs the prepared statement.
    pub(crate) fn run(&self, statement: &mut rusqlite::Statement<'_>) {
        let Self { key, expected, version, deadline, bytes, .. } = self;
        let rows = match self.statement {
            Statement::Create => statement.execute(params![key, version, deadline, &bytes[..]]),
            Statement::Replace => {
                statement.execute(params![version, deadline, &bytes[..], key, expected])
            }
            Statement::Touch => statement.execute(params![deadline, key, expected]),
        };
        assert_eq!(rows.expect("a write"), 1);
    }
}

type Read = ([u8; 32], oneshot::Sender<Vec<u8>>);

/// The driver's threads. They end when it is dropped.
#[derive(Debug)]
pub struct Bare {
    writes: Sender<(Write, oneshot::Sender<()>)>,
    reads: Sender<Read>,
}

pub(crate) fn connect(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("a database");
    connection.busy_timeout(Duration::from_secs(60)).expect("a time-out");
    connection
        .execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 8000")
        .expect("settings");
    connection
}

impl Bare {
    /// Opens a database that the store has made.
    pub fn open(path: &Path) -> Self {
        let ((writes, written), (reads, read)) = (channel(), channel());
        let connection = connect(path);
        thread::spawn(move || write(&connection, &written));
        let read = Arc::new(Mutex::new(read));
        for _ in 0..2 {
            let (connection, read) = (connect(path), read.clone());
            thread::spawn(move || serve(&connection, &read));
        }
        Self { writes, reads }
    }

    /// Reads the bytes under a key.
    pub async fn load(&self, key: [u8; 32]) -> Vec<u8> {
        let (reply, answer) = oneshot::channel();
        self.reads.send((key, reply)).expect("a thread");
        answer.await.expect("an answer")
    }

    /// Writes and waits for the commit.
    pub async fn write(&self, write: Write) {
        let (reply, answer) = oneshot::channel();
        self.writes.send((write, reply)).expect("a thread");
        answer.await.expect("an answer");
    }
}

fn write(connection: &Connection, written: &Receiver<(Write, oneshot::Sender<()>)>) {
    let prepare = |sql| connection.prepare(sql).expect("a statement");
    let (mut begin, mut commit) = (prepare("BEGIN IMMEDIATE"), prepare("COMMIT"));
    let [mut create, mut replace, mut touch] =
        [Statement::Create, Statement::Replace, Statement::Touch]
            .map(|statement| prepare(statement.sql()));
    while let Ok(first) = written.recv() {
        begin.execute([]).expect("a transaction");
        let mut replies = Vec::new();
        for (write, reply) in [first].into_iter().chain(written.try_iter().take(63)) {
            write.run(match write.statement {
                Statement::Create => &mut create,
                Statement::Replace => &mut replace,
                Statement::Touch => &mut touch,
            });
            replies.push(reply);
        }
        commit.execute([]).expect("a commit");
        for reply in replies {
            let _ = reply.send(());
        }
    }
}

fn serve(connection: &Connection, read: &Mutex<Receiver<Read>>) {
    let mut load = connection.prepare(LOAD).expect("a statement");
    loop {
        let next = read.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((key, reply)) = next else { return };
        let bytes = load.query_row([key], |row| row.get(3)).expect("a row");
        let _ = reply.send(bytes);
    }
}
