//! Connecting through Sentinels while one of them stands still.

use std::time::{Duration, Instant};

use cloakroom::store::{RedisStore, SessionStore, StoreKey};

use super::conformance::Topology;
use super::encrypted::serves;
use cloakroom_testing::lag;
use cloakroom_testing::redis::{Flavour, Sentinel, TlsSentinel};

/// Half a second is what it takes; the rest is for a busy machine.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn sentinels_that_stand_still_do_not_keep_others_from_being_asked_over_tls() {
    let servers = TlsSentinel::start(Flavour::Redis7);
    servers.watchers()[0].freeze();
    serves(&format!("{}?ca={}", servers.url(), servers.certificates.ca_file().display())).await;
    servers.watchers()[0].thaw();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn sentinels_that_stand_still_do_not_keep_others_from_being_asked() {
    lag::watch();
    let servers = Sentinel::start(Flavour::Redis7);
    for frozen in &servers.watchers()[..2] {
        frozen.freeze();
        let begun = Instant::now();
        let builder = RedisStore::builder().command_timeout(COMMAND_TIMEOUT);
        let store = builder.connect(&servers.server()).await.unwrap();
        let took = lag::elapsed_since(begun);
        assert_eq!(store.load(&StoreKey::from_bytes([7; 32])).await.unwrap(), None);
        println!("connected after {took:?}");
        assert!(took < COMMAND_TIMEOUT, "{took:?}");
    }
    servers.watchers().iter().for_each(|watcher| watcher.thaw());
}
