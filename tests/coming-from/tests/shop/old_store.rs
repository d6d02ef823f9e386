//! The old sessions' store, which counts its commands and can be out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};
use tower_sessions::{MemoryStore, SessionStore};

#[derive(Clone, Debug, Default)]
pub struct OldStore {
    pub inner: MemoryStore,
    commands: Arc<AtomicUsize>,
    is_out: Arc<AtomicBool>,
}

impl OldStore {
    /// The number of commands since the last call.
    pub fn take_commands(&self) -> usize {
        self.commands.swap(0, Ordering::Relaxed)
    }

    pub fn set_out(&self, is_out: bool) {
        self.is_out.store(is_out, Ordering::Relaxed);
    }

    fn command(&self) -> Result<()> {
        self.commands.fetch_add(1, Ordering::Relaxed);
        match self.is_out.load(Ordering::Relaxed) {
            true => Err(Error::Backend("connection refused".into())),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl SessionStore for OldStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.command()?;
        self.inner.create(record).await
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.command()?;
        self.inner.save(record).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        self.command()?;
        self.inner.load(id).await
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.command()?;
        self.inner.delete(id).await
    }
}
