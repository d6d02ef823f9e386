//! Sessions in ElastiCache for Memcached, or any memcached 1.6: one value per session, each on one
//! of the servers, which do not know of each other.
//!
//! Written on the protocol itself: of the client libraries none has TLS, passwords, compare-and-set
//! and a defined end of calls that are cancelled.

mod access;
mod builder;
mod connection;
mod discovery;
mod entry;
mod expiry;
mod failure;
mod greeting;
mod health;
mod node;
mod nodes;
mod protocol;
mod recent;
mod servers;
mod tls;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

pub use builder::MemcachedStoreBuilder;
pub use servers::MemcachedServers;

use super::{Created, Entry, NewEntry, Replaced, SessionStore, Touched, Version};
use crate::clock::{Clock, Timestamp};
use crate::error::{StoreError, StoreErrorKind};
use crate::id::StoreKey;
use discovery::Polling;
use entry::{Found, Token};
use failure::Failure;
use node::Node;
use nodes::Nodes;
use protocol::{Command, Only, Reply};
use recent::Recent;

/// Of a key, after the prefix.
const KEY_DIGITS: usize = 64;

/// Keeps sessions in ElastiCache for Memcached, or memcached 1.6 or later. Clones share the
/// connections.
///
/// | | commands |
/// |---|---|
/// | load | `mg` |
/// | create | `ms`, only where there is none |
/// | replace | `ms`, only over the token that was read; after a conflict one `mg` |
/// | touch | `mg` and `ms`, only over the token just read |
/// | delete | `md` |
///
/// The deadline stands in the value, exact to the millisecond, and is judged by this process's
/// clock. A touch therefore writes the value again. (memcached can move its own expiry without that,
/// but only whether or not the value is still the one that was read, and in whole seconds.)
///
/// A session is on the node that the hash of its id says. Which nodes there are changes only by
/// configuration or [discovery](MemcachedServers::discover): while a node cannot be reached, its
/// sessions are answered 503, and new ones begin on the others.
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
pub struct MemcachedStore(Arc<Shared>);

struct Shared {
    nodes: Arc<Nodes>,
    recent: Recent,
    prefix: String,
    command_timeout: Duration,
    clock: Clock,
    _polling: Option<Polling>,
}

impl MemcachedStore {
    /// A store with other options than the defaults, about to be connected.
    pub fn builder() -> MemcachedStoreBuilder {
        MemcachedStoreBuilder::default()
    }

    /// The node of this key, and all the time that a call has.
    fn place(&self, key: &StoreKey) -> Result<Place<'_>, StoreError> {
        let node = self.0.nodes.of(key);
        let (node, era, since) =
            node.ok_or_else(|| Failure::misconfigured("no nodes").of_a_read())?;
        let mut name = String::with_capacity(self.0.prefix.len() + KEY_DIGITS);
        name.push_str(&self.0.prefix);
        for byte in key.as_bytes() {
            for digit in [byte >> 4, byte & 15] {
                name.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
            }
        }
        let deadline = Instant::now() + self.0.command_timeout;
        Ok(Place { node, era, since, name, deadline, clock: &self.0.clock })
    }

    /// Where `expected` can be replaced without looking first.
    fn known_token(&self, key: &StoreKey, expected: &Version) -> Option<Token> {
        let token = self.0.recent.token(key, expected).or_else(|| entry::token_of(expected));
        token.filter(|token| token.deadline > self.0.clock.now())
    }

    /// So that a replace of an entry that was touched finds it at once.
    fn remember(&self, key: &StoreKey, found: &Found) {
        if entry::token_of(&found.entry.version) != Some(found.token) {
            self.0.recent.remember(key, found.entry.version, found.token);
        }
    }
}

/// One key on its node.
struct Place<'a> {
    node: Arc<Node>,
    era: u64,
    /// Values of an earlier era are of before the key was last another node's.
    since: u64,
    name: String,
    deadline: Instant,
    clock: &'a Clock,
}

/// What became of a value that was sent.
enum Written {
    Done(Token),
    /// There is none to be replaced.
    Absent,
    /// There is one already, or another.
    Otherwise,
}

impl Place<'_> {
    /// The life of a server, as of `since`; twice is back again. So a token read before the key was
    /// elsewhere opens nothing after.
    fn life(&self, process: entry::Process) -> entry::Process {
        (u64::from_be_bytes(process) ^ self.since).to_be_bytes()
    }

    fn has_time(&self) -> bool {
        Instant::now() < self.deadline
    }

    /// The entry that the server has, even if its deadline has passed. Asked once more if the
    /// connection breaks.
    async fn find(&self) -> Result<Option<Found>, StoreError> {
        let get = || self.node.send(&self.name, &Command::Get, None, self.deadline);
        let answer = match get().await {
            Err(Failure::Lost(_)) => get().await,
            other => other,
        };
        match answer.map_err(Failure::of_a_read)? {
            (Reply::Value { token, bytes }, process) => {
                let found = entry::decode(&bytes, token, self.life(process))?;
                // One of before the key was another node's: its session may have ended there.
                Ok(Some(found).filter(|found| found.era >= self.since))
            }
            (Reply::Absent, _) => Ok(None),
            (other, _) => Err(unexpected(&other)),
        }
    }

    async fn find_live(&self) -> Result<Option<Found>, StoreError> {
        let found = self.find().await?;
        Ok(found.filter(|found| found.entry.deadline > self.clock.now()))
    }

    /// Writes a value where there is none, or over the one that has this token.
    async fn write(
        &self,
        value: &[u8],
        deadline: Timestamp,
        over: Option<Token>,
    ) -> Result<Written, StoreError> {
        let only = over.map_or(Only::Absent, |token| Only::Over(token.unique));
        let expiry = expiry::of(deadline, self.clock.now());
        let command = Command::Set { value, expiry, only };
        let process = over.map(|token| self.life(token.process));
        let answer = self.node.send(&self.name, &command, process, self.deadline).await;
        match answer.map_err(Failure::of_a_write)? {
            (Reply::Done { token: unique }, process) => {
                let process = self.life(process);
                Ok(Written::Done(Token { unique, process, deadline }))
            }
            (Reply::Absent, _) => Ok(Written::Absent),
            (Reply::NotStored | Reply::Changed, _) => Ok(Written::Otherwise),
            (other, _) => Err(unexpected(&other)),
        }
    }
}

#[async_trait]
impl SessionStore for MemcachedStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let found = self.place(key)?.find_live().await?;
        Ok(found.map(|found| {
            self.remember(key, &found);
            found.entry
        }))
    }

    async fn create(&self, key: &StoreKey, new: &NewEntry) -> Result<Created, StoreError> {
        let place = self.place(key)?;
        let value = entry::encode(new, place.era);
        let mut expired = None;
        while place.has_time() {
            match place.write(&value, new.deadline, expired).await? {
                Written::Done(token) => {
                    return Ok(Created::Done(entry::version(&new.commit, &token)));
                }
                Written::Absent => expired = None,
                Written::Otherwise => {
                    let found = place.find().await?;
                    if found.as_ref().is_some_and(|found| found.entry.deadline > self.0.clock.now())
                    {
                        return Ok(Created::Exists);
                    }
                    expired = found.map(|found| found.token);
                }
            }
        }
        Err(overtaken())
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        new: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        let place = self.place(key)?;
        let value = entry::encode(new, place.era);
        let mut token = self.known_token(key, expected);
        while place.has_time() {
            if let Some(token) = token {
                match place.write(&value, new.deadline, Some(token)).await? {
                    Written::Done(token) => {
                        return Ok(Replaced::Done(entry::version(&new.commit, &token)));
                    }
                    Written::Absent => return Ok(Replaced::Gone),
                    Written::Otherwise => {}
                }
            }
            let Some(found) = place.find_live().await? else { return Ok(Replaced::Gone) };
            if found.entry.version != *expected {
                self.remember(key, &found);
                return Ok(Replaced::Conflict(found.entry));
            }
            token = Some(found.token);
        }
        Err(overtaken())
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        let place = self.place(key)?;
        while place.has_time() {
            let Some(mut found) = place.find_live().await? else { return Ok(Touched::Gone) };
            if found.entry.version != *expected || found.entry.deadline >= deadline {
                return Ok(Touched::Skipped);
            }
            let value = entry::moved(&found, deadline);
            match place.write(&value, deadline, Some(found.token)).await? {
                Written::Done(token) => {
                    found.token = token;
                    self.remember(key, &found);
                    return Ok(Touched::Done);
                }
                Written::Absent => return Ok(Touched::Gone),
                Written::Otherwise => {}
            }
        }
        Err(overtaken())
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        let place = self.place(key)?;
        let answer = place.node.send(&place.name, &Command::Delete, None, place.deadline).await;
        match answer.map_err(Failure::of_a_write)? {
            (Reply::Done { .. } | Reply::Absent, _) => Ok(()),
            (other, _) => Err(unexpected(&other)),
        }
    }
}

/// Nothing was written: each attempt was refused. Not after a number of attempts, because whoever is
/// refused has been overtaken by somebody who was not, however many there are.
fn overtaken() -> StoreError {
    let problem = "others changed the entry between each look at it and the write";
    StoreError::new(StoreErrorKind::Unavailable, problem)
}

/// Whatever answered is no memcached. A value in its answer is not shown.
fn unexpected(reply: &Reply) -> StoreError {
    let kind = match reply {
        Reply::Value { .. } => "VA",
        Reply::Done { .. } => "HD",
        Reply::Absent => "EN or NF",
        Reply::NotStored => "NS",
        Reply::Changed => "EX",
    };
    let problem = format!("the server answered with {kind}, which no server should");
    StoreError::new(StoreErrorKind::Misconfigured, problem)
}

impl fmt::Debug for MemcachedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemcachedStore")
            .field("prefix", &self.0.prefix)
            .field("nodes", &self.0.nodes.all().len())
            .finish_non_exhaustive()
    }
}
