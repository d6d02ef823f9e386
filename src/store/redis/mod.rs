//! Sessions in ElastiCache, or any Redis 6.2 or Valkey: one string per session, shared by every
//! server of the app.
//!
//! Every key has a time to live from the command that creates it on, every command names one key,
//! and none is among those that ElastiCache Serverless refuses.

mod builder;
mod connection;
mod entry;
mod failure;
#[cfg(feature = "redis-iam")]
mod iam;
mod recovery;
mod renewal;
mod script;
mod server;
mod sockets;
mod tls;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fred::types::Value;
use tokio::sync::Semaphore;

pub use builder::RedisStoreBuilder;
#[cfg(feature = "redis-iam")]
pub use iam::RedisIam;
pub use server::RedisServer;

use super::{Created, Entry, NewEntry, Replaced, SessionStore, Touched, Version};
use crate::clock::{Clock, Timestamp};
use crate::error::{StoreError, StoreErrorKind};
use crate::hex;
use crate::id::StoreKey;
use connection::{Connection, Reply};

/// The longest time to live that is asked of a server. A later deadline is kept in the entry, and
/// each write and each touch begins these hundred years anew.
const MAX_TIME_TO_LIVE: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// How long one `WAIT` may hold up those that come after it on its connection.
const WAIT_SLICE: Duration = Duration::from_millis(20);

/// Keeps sessions in ElastiCache, Redis (6.2 or later) or Valkey. Clones share the connection.
///
/// | | command | round trips |
/// |---|---|---|
/// | load | `GET` | 1 |
/// | create | `SET … NX PX` | 1 |
/// | replace, touch | one script (`EVALSHA`) | 1 |
/// | delete | `DEL` | 1 |
///
/// All requests share one connection (per node of a cluster) on which commands follow each other
/// without waiting. A command is never sent a second time unless the first is known not to have
/// been carried out.
///
/// # What it cannot promise
///
/// Replication is asynchronous: when a primary dies, the replica that takes over may lack what was
/// acknowledged in the last moments, logouts included. And a server whose memory is full evicts
/// sessions unless its policy is `noeviction`. The [guide](crate::guide::elasticache) says what to
/// do about either.
///
/// ```no_run
/// use cloakroom::store::{Authorities, RedisServer, RedisStore};
/// use cloakroom::{Key, SessionLayer};
///
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// let server = RedisServer::standalone("shop.abc123.use1.cache.amazonaws.com", 6379)
///     .credentials("shop", "…")
///     .tls(Authorities::system()?);
/// let store = RedisStore::builder().prefix("shop:").connect(&server).await?;
/// let layer = SessionLayer::new(store, Key::generate()?);
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisStore(Arc<Shared>);

struct Shared {
    main: Connection,
    /// For writes that may have to [wait](RedisStoreBuilder::wait_for_replicas): who waits on the
    /// main connection holds up everybody's commands.
    ending: Connection,
    prefix: String,
    wait_for: Option<WaitFor>,
    /// One `WAIT` at a time: what is sent meanwhile waits for the end of that one and of no other.
    turn: Semaphore,
    clock: Clock,
}

#[derive(Clone, Copy)]
struct WaitFor {
    replicas: u32,
    within: Duration,
}

impl RedisStore {
    /// A store with other options than the defaults, about to be connected.
    pub fn builder() -> RedisStoreBuilder {
        RedisStoreBuilder::default()
    }

    /// The key's name: the prefix, then 64 hexadecimal digits.
    fn name(&self, key: &StoreKey) -> Bytes {
        let mut name = String::with_capacity(self.0.prefix.len() + 64);
        name.push_str(&self.0.prefix);
        name.extend(hex::digits(key.as_bytes()));
        name.into()
    }

    /// The present, and how long from then to the deadline, as arguments. Relative, so that it does
    /// not matter what time the server thinks it is; at least a millisecond, as servers demand.
    fn times(&self, deadline: Timestamp) -> (Timestamp, i64) {
        let now = self.0.clock.now();
        let left = deadline.as_millis().saturating_sub(now.as_millis());
        let most = u64::try_from(MAX_TIME_TO_LIVE.as_millis()).unwrap_or(u64::MAX);
        (now, i64::try_from(left.clamp(1, most)).unwrap_or(i64::MAX))
    }

    fn live(&self, value: Bytes) -> Result<Option<Entry>, StoreError> {
        let entry = entry::decode(value)?;
        Ok((entry.deadline > self.0.clock.now()).then_some(entry))
    }

    /// What a `SET … NX` that found something has found.
    async fn create_after_another(
        &self,
        name: &Bytes,
        new: &NewEntry,
        value: Bytes,
    ) -> Result<Created, StoreError> {
        let (now, left) = self.times(new.deadline);
        let mark = entry::prefix(&Version::EMPTY).into();
        let arguments = [mark, millis(now), value.into(), left.into()];
        match self.0.main.run(script::SUCCEED, name, arguments).await? {
            Reply::Number(1) => Ok(Created::Done(new.commit.into())),
            Reply::Bytes(found) => entry::decode(found).map(|_| Created::Exists),
            other => Err(unexpected(&other)),
        }
    }

    /// Whether this write has to reach the replicas before it is acknowledged, and the connection
    /// for it.
    fn connection_for(&self, new: &NewEntry) -> (bool, &Connection) {
        let waits = self.0.wait_for.is_some() && new.last_word;
        (waits, if waits { &self.0.ending } else { &self.0.main })
    }

    /// To be called after a write on the connection for endings.
    async fn wait_for_replicas(&self, name: &Bytes) {
        let Some(WaitFor { replicas, within }) = self.0.wait_for else { return };
        let all = async {
            loop {
                let turn = self.0.turn.acquire().await;
                let reached = self.0.ending.wait(name, replicas, WAIT_SLICE).await;
                drop(turn);
                match reached {
                    Ok(Reply::Number(reached)) if reached < i64::from(replicas) => {}
                    other => return other.is_ok(),
                }
            }
        };
        if !tokio::time::timeout(within, all).await.unwrap_or(false) {
            tracing::warn!(replicas, "the end of a session may not have reached the replicas");
        }
    }
}

#[async_trait]
impl SessionStore for RedisStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        match self.0.main.read("GET", &self.name(key)).await? {
            Reply::Nil => Ok(None),
            Reply::Bytes(value) => self.live(value),
            other => Err(unexpected(&other)),
        }
    }

    async fn create(&self, key: &StoreKey, new: &NewEntry) -> Result<Created, StoreError> {
        let (name, value) = (self.name(key), entry::encode(new)?);
        let (_, left) = self.times(new.deadline);
        let [only_new, for_millis] = ["NX", "PX"].map(Value::from_static_str);
        let arguments = [value.clone().into(), only_new, for_millis, left.into()];
        match self.0.main.write("SET", &name, arguments).await? {
            Reply::Bytes(_) => Ok(Created::Done(new.commit.into())),
            Reply::Nil => self.create_after_another(&name, new, value).await,
            other => Err(unexpected(&other)),
        }
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        new: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        let (name, value) = (self.name(key), entry::encode(new)?);
        let (now, left) = self.times(new.deadline);
        let arguments = [entry::prefix(expected).into(), millis(now), value.into(), left.into()];
        let (ends, connection) = self.connection_for(new);
        match connection.run(script::REPLACE, &name, arguments).await? {
            Reply::Number(1) => {
                if ends {
                    self.wait_for_replicas(&name).await;
                }
                Ok(Replaced::Done(new.commit.into()))
            }
            Reply::Number(0) | Reply::Nil => Ok(Replaced::Gone),
            Reply::Bytes(found) => Ok(self.live(found)?.map_or(Replaced::Gone, Replaced::Conflict)),
            other => Err(unexpected(&other)),
        }
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        let (now, left) = self.times(deadline);
        let stored = Bytes::copy_from_slice(&deadline.as_millis().to_be_bytes());
        let arguments = [entry::prefix(expected).into(), millis(now), stored.into(), left.into()];
        match self.0.main.run(script::TOUCH, &self.name(key), arguments).await? {
            Reply::Number(1) => Ok(Touched::Done),
            Reply::Number(2) => Ok(Touched::Skipped),
            Reply::Number(0) | Reply::Nil => Ok(Touched::Gone),
            Reply::Bytes(head) => {
                let (_, deadline) = entry::decode_head(&head)?;
                Ok(if deadline > now { Touched::Skipped } else { Touched::Gone })
            }
            other => Err(unexpected(&other)),
        }
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        let name = self.name(key);
        match self.0.ending.write("DEL", &name, []).await? {
            Reply::Number(0) => Ok(()),
            Reply::Number(_) => {
                self.wait_for_replicas(&name).await;
                Ok(())
            }
            other => Err(unexpected(&other)),
        }
    }
}

fn millis(time: Timestamp) -> Value {
    time.as_millis().to_string().into()
}

/// Whatever answered is no Redis server. Its words are not repeated: they may be a session's bytes.
fn unexpected(reply: &Reply) -> StoreError {
    let kind = match reply {
        Reply::Nil => "nothing",
        Reply::Number(_) => "a number",
        Reply::Bytes(_) => "a string",
    };
    let problem = format!("the server answered with {kind}, which no server should");
    StoreError::new(StoreErrorKind::Misconfigured, problem)
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.0.prefix)
            .field("wait_for", &self.0.wait_for)
            .finish_non_exhaustive()
    }
}
