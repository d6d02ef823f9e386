//! The bare driver of SQLite: one connection behind a lock, and each statement a transaction of its own.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use crate::sqlite_bare::{LOAD, Write, connect};

/// The connection. Its statements run on the threads that tokio has for work that blocks.
#[derive(Clone, Debug)]
pub struct Plain(Arc<Mutex<Connection>>);

impl Plain {
    /// Opens a database that the store has made.
    pub fn open(path: &Path) -> Self {
        Self(Arc::new(Mutex::new(connect(path))))
    }

    /// Reads the bytes under a key.
    pub async fn load(&self, key: [u8; 32]) -> Vec<u8> {
        self.run(move |connection| {
            let mut load = connection.prepare_cached(LOAD).expect("a statement");
            load.query_row([key], |row| row.get(3)).expect("a row")
        })
        .await
    }

    /// Writes and commits.
    pub async fn write(&self, write: Write) {
        self.run(move |connection| {
            let statement = connection.prepare_cached(write.statement.sql());
            write.run(&mut statement.expect("a statement"));
        })
        .await;
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> T + Send + 'static,
    ) -> T {
        let connection = self.0.clone();
        let running = tokio::task::spawn_blocking(move || {
            work(&connection.lock().unwrap_or_else(PoisonError::into_inner))
        });
        running.await.expect("SQLite works")
    }
}
