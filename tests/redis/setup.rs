//! Stores of tests that are not about time.

use cloakroom::store::{RedisServer, RedisStore, RedisStoreBuilder};
use cloakroom_testing::{MINUTE, patiently};

/// A builder with a patience that is meant for a busy machine.
pub(crate) fn builder() -> RedisStoreBuilder {
    RedisStore::builder().command_timeout(MINUTE)
}

pub(crate) async fn store(server: &RedisServer) -> RedisStore {
    open(builder(), server).await
}

pub(crate) async fn open(builder: RedisStoreBuilder, server: &RedisServer) -> RedisStore {
    patiently(|| builder.clone().connect(server)).await
}
