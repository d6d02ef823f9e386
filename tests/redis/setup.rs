//! Stores of tests that are not about time.

use cloakroom::store::{RedisServer, RedisStore, RedisStoreBuilder};
use cloakroom_testing::{MINUTE, patiently};

/// Returns a builder with a command timeout of a minute, so that a busy machine causes no error.
pub(crate) fn builder() -> RedisStoreBuilder {
    RedisStore::builder().command_timeout(MINUTE)
}

pub(crate) async fn store(server: &RedisServer) -> RedisStore {
    open(builder(), server).await
}

pub(crate) async fn open(builder: RedisStoreBuilder, server: &RedisServer) -> RedisStore {
    patiently(|| builder.clone().connect(server)).await
}
