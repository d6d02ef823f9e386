//! The store: the five commands of the contract, made of three commands of memcached.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::discovery::Polling;
use super::entry::{self, CasToken, StoredEntry};
use super::nodes::Nodes;
use super::target::{Target, WriteOutcome};
use crate::clock::{Clock, Timestamp};
use crate::error::{StoreError, StoreErrorKind};
use crate::id::StoreKey;
use crate::store::contract::SessionStore;
use crate::store::entry::{Created, Entry, NewEntry, Replaced, Touched, Version};
use crate::store::token_cache::TokenCache;

/// Keeps sessions in ElastiCache for Memcached, or memcached 1.6.18 or later. Clones share the
/// connections.
///
/// | | commands |
/// |---|---|
/// | load | `mg` |
/// | create | `ms`, only where there is no value |
/// | replace | `ms`, only over the token that was read; after a conflict one `mg` |
/// | touch | `mg` and `ms`, only over the token just read |
/// | delete | `mg` and `md`, only over the token just read |
///
/// The deadline stands in the value, exact to the millisecond, and this process's clock decides when
/// it has passed. A touch therefore writes the value again. (memcached can move its own expiry
/// without that, but it would do so whether or not the value is still the one that was read, and in
/// whole seconds.)
///
/// The hash of a session's id decides which node holds the session. The list of nodes changes only by
/// configuration or [discovery](super::MemcachedServers::discover): while a node cannot be reached,
/// its sessions are answered 503, and new ones begin on the others.
///
/// # What it cannot promise
///
/// Nothing is replicated and nothing is on disk: **a node that dies or restarts takes its sessions
/// with it**, and so does one that leaves the cluster. A node whose memory is full evicts those used
/// least recently. The [guide](crate::guide::memcached) says what that means for logouts.
///
/// # Limits
///
/// An entry has at most the server's largest item (`-I`, 1 MiB by default) less 512 bytes.
///
/// ```no_run
/// use cloakroom::store::{Authorities, MemcachedServers, MemcachedStore};
/// use cloakroom::{Key, SessionLayer};
///
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// let servers = MemcachedServers::discover("shop.abc123.cfg.use1.cache.amazonaws.com", 11211)
///     .tls(Authorities::system()?);
/// let store = MemcachedStore::builder().prefix("shop:").connect(&servers).await?;
/// let layer = SessionLayer::new(store, Key::generate()?);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemcachedStore(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) nodes: Arc<Nodes>,
    pub(super) tokens: TokenCache<CasToken>,
    pub(super) prefix: String,
    pub(super) command_timeout: Duration,
    pub(super) clock: Clock,
    pub(super) _polling: Option<Polling>,
}

impl MemcachedStore {
    fn target(&self, key: &StoreKey) -> Result<Target<'_>, StoreError> {
        let inner = &*self.0;
        Target::new(&inner.nodes, &inner.prefix, key, inner.command_timeout, &inner.clock)
    }

    fn is_live(&self, stored: &StoredEntry) -> bool {
        stored.entry.deadline > self.0.clock.now()
    }

    /// Returns the token with which `expected` can be replaced without a load before it.
    fn known_token(&self, key: &StoreKey, expected: &Version) -> Option<CasToken> {
        let token = self.0.tokens.get(key, expected).or_else(|| entry::token_of(expected));
        token.filter(|token| token.deadline > self.0.clock.now())
    }

    /// Remembers the token of a touched entry, so that a replace needs no load before it. The version
    /// of any other entry has its token in it.
    fn remember_token(&self, key: &StoreKey, stored: &StoredEntry) {
        if entry::token_of(&stored.entry.version) != Some(stored.token) {
            self.0.tokens.insert(key, stored.entry.version, stored.token);
        }
    }
}

#[async_trait]
impl SessionStore for MemcachedStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let stored = self.target(key)?.find_live().await?;
        Ok(stored.map(|stored| {
            self.remember_token(key, &stored);
            stored.entry
        }))
    }

    async fn create(&self, key: &StoreKey, new: &NewEntry) -> Result<Created, StoreError> {
        let target = self.target(key)?;
        let value = entry::encode(new, target.epoch);
        let mut expired = None;
        while target.has_time() {
            match target.write(&value, new.deadline, expired).await? {
                WriteOutcome::Written(token) => {
                    return Ok(Created::Done(entry::version_of(&new.commit, &token)));
                }
                WriteOutcome::Absent => expired = None,
                WriteOutcome::OtherValue => {
                    let stored = target.find().await?;
                    if stored.as_ref().is_some_and(|stored| self.is_live(stored)) {
                        return Ok(Created::Exists);
                    }
                    expired = stored.map(|stored| stored.token);
                }
            }
        }
        Err(always_overtaken())
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        new: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        let target = self.target(key)?;
        let value = entry::encode(new, target.epoch);
        let mut token = self.known_token(key, expected);
        while target.has_time() {
            if let Some(token) = token {
                match target.write(&value, new.deadline, Some(token)).await? {
                    WriteOutcome::Written(token) => {
                        return Ok(Replaced::Done(entry::version_of(&new.commit, &token)));
                    }
                    WriteOutcome::Absent => return Ok(Replaced::Gone),
                    WriteOutcome::OtherValue => {}
                }
            }
            let Some(stored) = target.find_live().await? else { return Ok(Replaced::Gone) };
            if stored.entry.version != *expected {
                self.remember_token(key, &stored);
                return Ok(Replaced::Conflict(stored.entry));
            }
            token = Some(stored.token);
        }
        Err(always_overtaken())
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        let target = self.target(key)?;
        while target.has_time() {
            let Some(mut stored) = target.find_live().await? else { return Ok(Touched::Gone) };
            if stored.entry.version != *expected || stored.entry.deadline >= deadline {
                return Ok(Touched::Skipped);
            }
            // `mg` with a new time to live would be one command instead of two, but it touches
            // whatever is there, and would lengthen the mark that a logout has just written.
            let value = entry::encode_touched(&stored, deadline);
            match target.write(&value, deadline, Some(stored.token)).await? {
                WriteOutcome::Written(token) => {
                    stored.token = token;
                    self.remember_token(key, &stored);
                    return Ok(Touched::Done);
                }
                WriteOutcome::Absent => return Ok(Touched::Gone),
                WriteOutcome::OtherValue => {}
            }
        }
        Err(always_overtaken())
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        let target = self.target(key)?;
        while target.has_time() {
            if target.delete().await? {
                return Ok(());
            }
        }
        Err(always_overtaken())
    }

    /// Memcached is a cache: when it is full, it makes room.
    fn may_evict(&self) -> bool {
        true
    }
}

/// Returns the error of a write that was not applied because others were faster each time.
///
/// The time ends the attempts and not their number: each refusal means that somebody else succeeded,
/// however many there are.
fn always_overtaken() -> StoreError {
    let problem = "other requests changed the entry between each read and the write after it";
    StoreError::new(StoreErrorKind::Unavailable, problem)
}

impl fmt::Debug for MemcachedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemcachedStore")
            .field("prefix", &self.0.prefix)
            .field("nodes", &self.0.nodes.all().len())
            .finish_non_exhaustive()
    }
}
