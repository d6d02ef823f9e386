//! Sessions in the memory of the nodes, copied between them: as Tomcat's DeltaManager does it
//! (everywhere) and as its BackupManager does it (one backup).
//!
//! It is here to be measured. It has no answer to a network that splits, to a node that is slow
//! rather than dead, or to two nodes that write one session at once: a real one needs consensus, and
//! then it is a database. Take one of the shared stores.
//!
//! A node opens a connection (`link`) to every other node and sends its changes there. The changes
//! of others arrive at its own port (`peer`). `entries` has a node's sessions, `message` the
//! messages.

mod entries;
mod link;
mod message;
mod peer;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use async_trait::async_trait;
use cloakroom::store::{
    Created, Entry, NewEntry, Replaced, SessionStore, StoreError, StoreKey, Touched, Version,
};
use cloakroom::{Clock, Timestamp};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::Fallible;
use crate::cli::Copies;
use entries::{Entries, Role};
use link::{Links, Receipt};
use message::Message;

/// Counts the bytes on the connections that a node has opened, in both directions.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) bytes: AtomicU64,
}

/// One node's part of a cluster.
pub(crate) struct Cluster {
    state: Arc<ClusterState>,
    door: JoinHandle<()>,
}

struct ClusterState {
    copies: Copies,
    /// Whether a change is answered only once the copies have arrived.
    synchronous: bool,
    port: u16,
    entries: Entries,
    links: Links,
    traffic: Arc<Traffic>,
    clock: Clock,
}

impl Cluster {
    pub(crate) async fn open(copies: Copies, synchronous: bool) -> Fallible<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(ClusterState {
            copies,
            synchronous,
            port,
            entries: Entries::new(port),
            links: Links::default(),
            traffic: Arc::default(),
            clock: Clock::system(),
        });
        let door = tokio::spawn(peer::accept(listener, Arc::clone(&state)));
        Ok(Self { state, door })
    }

    /// Announces this node to the others, and gets their sessions.
    pub(crate) async fn join(&self, peers: &[u16]) -> Fallible<()> {
        for &peer in peers {
            // If one has just died, the others can still be joined.
            if let Ok(receipt) = self.state.connect(peer).await {
                receipt.arrived().await;
            }
        }
        if self.state.copies == Copies::Everywhere
            && let Some(receipt) = self.state.links.ask_one(&Message::All)
        {
            receipt.arrived().await;
        }
        Ok(())
    }

    pub(crate) fn port(&self) -> u16 {
        self.state.port
    }

    pub(crate) fn traffic(&self) -> Arc<Traffic> {
        Arc::clone(&self.state.traffic)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.door.abort();
        self.state.links.close();
    }
}

impl ClusterState {
    /// Opens a connection to another node and tells it this node's port, so that it opens one back.
    async fn connect(self: &Arc<Self>, peer: u16) -> Fallible<Receipt> {
        link::open(self, peer).await?;
        let receipt = self.links.ask(peer, &Message::Join(self.port));
        receipt.ok_or_else(|| "the node has gone".into())
    }

    /// Sends the state of a key to the nodes that must have it. Of two changes at once the later
    /// one may be sent first, and is then sent twice; an older one that arrives late is ignored.
    fn send(&self, key: &StoreKey) -> Vec<Receipt> {
        match self.copies {
            Copies::Everywhere => {
                self.entries.put(key).map_or_else(Vec::new, |put| self.links.ask_all(&put))
            }
            Copies::OneBackup => self.back_up(key).into_iter().collect(),
        }
    }

    /// Sends to the session's backup or, if that is gone, to another node from now on.
    fn back_up(&self, key: &StoreKey) -> Option<Receipt> {
        let backup = self.links.living(self.entries.backup(key))?;
        self.entries.set_backup(key, backup);
        self.links.ask(backup, &self.entries.put(key)?)
    }

    /// Finds another backup for the sessions whose backup is gone.
    fn replace_backup(&self, gone: u16) {
        for key in self.entries.backed_up_by(gone) {
            drop(self.back_up(&key));
        }
    }

    async fn copied(&self, receipts: Vec<Receipt>) {
        if self.synchronous {
            for receipt in receipts {
                receipt.arrived().await;
            }
        }
    }

    /// Makes this node the session's primary. If it was not, all others are asked, and the newest
    /// copy is taken.
    async fn take_over(&self, key: &StoreKey) {
        if self.copies == Copies::Everywhere || self.entries.role(key) == Some(Role::Primary) {
            return;
        }
        for receipt in self.links.ask_all(&Message::Take(*key)) {
            if let Some(Message::Found(Some(copy))) = receipt.answer().await {
                self.entries.accept(key, copy, Role::Primary);
            }
        }
        self.entries.set_role(key, Role::Primary);
    }
}

#[async_trait]
impl SessionStore for Cluster {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        self.state.take_over(key).await;
        Ok(self.state.entries.live(key, self.state.clock.now()))
    }

    async fn create(&self, key: &StoreKey, new: &NewEntry) -> Result<Created, StoreError> {
        let created = self.state.entries.create(key, new, self.state.clock.now());
        if matches!(created, Created::Done(_)) {
            self.state.copied(self.state.send(key)).await;
        }
        Ok(created)
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        new: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        self.state.take_over(key).await;
        let replaced = self.state.entries.replace(key, expected, new, self.state.clock.now());
        if matches!(replaced, Replaced::Done(_)) {
            self.state.copied(self.state.send(key)).await;
        }
        Ok(replaced)
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.state.take_over(key).await;
        let touched = self.state.entries.touch(key, expected, deadline, self.state.clock.now());
        if touched == Touched::Done {
            self.state.copied(self.state.send(key)).await;
        }
        Ok(touched)
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.state.take_over(key).await;
        if self.state.entries.delete(key) {
            self.state.copied(self.state.send(key)).await;
        }
        Ok(())
    }
}

/// Shows nothing of what is in a session.
impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("port", &self.state.port).finish_non_exhaustive()
    }
}
