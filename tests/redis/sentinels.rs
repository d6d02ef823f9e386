//! Connecting through Sentinels: over TLS, and while one of them stands still.

use std::time::{Duration, Instant};

use cloakroom::store::{RedisStore, SessionStore, StoreErrorKind, StoreKey};
use cloakroom::{Key, SessionLayer, connect};

use super::conformance::Topology;
use cloakroom_testing::redis::{Flavour, Sentinel, TlsSentinel};
use cloakroom_testing::wrong_url::kind_of;
use cloakroom_testing::{Visitor, lag};

/// Half a second is what it takes; the rest is for a busy machine.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(5);

async fn serves(url: &str) {
    let layer = SessionLayer::new(connect(url).await.unwrap(), Key::from_bytes(&[7; 32]).unwrap());
    let guest = Visitor::new(layer);
    guest.visit(async |session| session.insert("k", &1)).await.is_ok();
    assert_eq!(guest.visit(async |session| session.get::<u32>("k")).await.body, "Some(1)");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_url_connects_to_sentinels_and_servers_over_tls() {
    for flavour in Flavour::with_tls() {
        let servers = TlsSentinel::start(flavour);
        let with_ca = |ca: &std::path::Path| format!("{}?ca={}", servers.url(), ca.display());
        serves(&with_ca(servers.ca_file())).await;
        assert_eq!(servers.primary.ask(&["DBSIZE"]).integer(), 1, "{flavour:?}");
        // The client library tries the next Sentinel and forgets why the last one was refused.
        let untrusted = kind_of(&with_ca(servers.wrong_ca_file())).await;
        assert_eq!(untrusted, StoreErrorKind::Unavailable);
        let plain = servers.url().replace("rediss-", "redis-");
        assert_eq!(kind_of(&plain).await, StoreErrorKind::Unavailable);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn sentinels_that_stand_still_do_not_keep_others_from_being_asked_over_tls() {
    let servers = TlsSentinel::start(Flavour::Redis7);
    servers.watchers[0].freeze();
    serves(&format!("{}?ca={}", servers.url(), servers.ca_file().display())).await;
    servers.watchers[0].thaw();
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
