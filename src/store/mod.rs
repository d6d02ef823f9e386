//! The stores, and the contract for writing another one: five commands on opaque bytes.
//!
//! A store knows nothing of cookies, HTTP or the contents of a session. It keeps entries under
//! [`StoreKey`]s, each with a [`Version`] and a deadline, and it decides, in one step on its side,
//! whether a write still applies. Everything else (merging, lost answers, renewal, logout) is built
//! on that, once, for all stores.
//!
//! The documentation of [`SessionStore`] is the contract. The feature `conformance` has it as tests,
//! one or more per sentence, which any store can run; `examples/custom_store.rs` shows how.

#[cfg(any(
    feature = "memcached",
    feature = "mysql",
    feature = "object",
    feature = "postgres",
    feature = "redis"
))]
mod authorities;
#[cfg(feature = "conformance")]
pub mod conformance;
mod contract;
#[cfg(feature = "dynamodb")]
mod dynamodb;
mod entry;
#[cfg(any(
    feature = "dynamodb",
    feature = "memcached",
    feature = "mysql",
    feature = "object",
    feature = "postgres",
    feature = "redis"
))]
mod failure;
#[cfg(all(feature = "file", unix))]
mod file;
#[cfg(feature = "memcached")]
mod memcached;
mod memory;
#[cfg(all(any(feature = "file", feature = "sqlite"), unix))]
mod mount;
mod moving;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "near")]
mod near;
#[cfg(feature = "object")]
mod object;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
#[cfg(all(feature = "sqlite", unix))]
mod sqlite;
#[cfg(any(feature = "memcached", feature = "object"))]
mod token_cache;

/// The macro that [`SessionStore`] is declared with; an implementation needs it too.
pub use async_trait::async_trait;
/// The buffer that entries hold, from the crate `bytes`.
pub use bytes::Bytes;

pub use crate::error::{StoreError, StoreErrorKind};
pub use crate::id::{CommitId, StoreKey};
#[cfg(any(
    feature = "memcached",
    feature = "mysql",
    feature = "object",
    feature = "postgres",
    feature = "redis"
))]
pub use authorities::Authorities;
pub use contract::{NearLoad, SessionStore};
#[cfg(feature = "dynamodb")]
pub use dynamodb::{DynamoDbCapacity, DynamoDbStore, DynamoDbStoreBuilder};
pub use entry::{Created, Entry, LoadedNear, NewEntry, Replaced, Touched, Version};
#[cfg(all(feature = "file", unix))]
pub use file::{Durability, FileStore, FileStoreBuilder, Swept};
#[cfg(feature = "memcached")]
pub use memcached::{MemcachedServers, MemcachedStore, MemcachedStoreBuilder};
pub use memory::{MemoryStore, MemoryStoreBuilder};
pub use moving::Moving;
#[cfg(feature = "mysql")]
pub use mysql::{MysqlServer, MysqlStore, MysqlStoreBuilder};
#[cfg(feature = "near")]
pub(crate) use near::LONGEST_STALENESS;
#[cfg(feature = "near")]
pub use near::Near;
#[cfg(feature = "object")]
pub use object::{BucketHttp, BucketStore, BucketStoreBuilder, BucketSwept};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresServer, PostgresStore, PostgresStoreBuilder};
#[cfg(feature = "redis-iam")]
pub use redis::RedisIam;
#[cfg(feature = "redis")]
pub use redis::{RedisServer, RedisStore, RedisStoreBuilder};
#[cfg(all(feature = "sqlite", unix))]
pub use sqlite::{SqliteStore, SqliteStoreBuilder, SqliteSynchronous};
#[cfg(fuzzing)]
pub(crate) use {
    file::fuzzing as file_fuzzing, memcached::fuzzing as memcached_fuzzing,
    mount::fuzzing as mount_fuzzing, moving::fuzzing as moving_fuzzing,
    redis::fuzzing as redis_fuzzing,
};
