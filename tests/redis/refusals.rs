//! What a server, a user or an option that is wrong leads to.

use cloakroom::store::{
    Authorities, NewEntry, RedisServer, RedisStore, SessionStore, StoreError, StoreErrorKind,
    StoreKey,
};
use cloakroom::store::{CommitId, Version};
use cloakroom::{Clock, connect};

use cloakroom_testing::MINUTE;
use cloakroom_testing::processes::free_port;
use cloakroom_testing::redis::{Flavour, Sentinel, Standalone, Tls};
use cloakroom_testing::wrong_url::{SECRET, kind_of, refused};

#[tokio::test]
async fn a_wrong_url_says_what_is_wrong() {
    for (url, says) in [
        ("redis:localhost", "`//` is missing"),
        ("redis://a,b", "it takes one host"),
        ("redis://a/seven", "the database is no number"),
        ("redis-cluster://a/7", "no numbered databases"),
        ("redis-sentinel://a", "the service's name is missing"),
        ("redis+unix://run/redis.sock", "three slashes"),
        ("redis://a?prefx=b", "there is no option `prefx`"),
        ("redis://a?timeout_ms=soon", "`timeout_ms` is no number"),
        ("rediss://a?wait_replicas=-1", "`wait_replicas` is no number"),
    ] {
        let error = refused(url).await.to_string();
        assert!(error.contains(says), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_prefix_that_would_gather_all_sessions_on_one_node_is_refused() {
    assert_eq!(kind_of("redis://127.0.0.1?prefix=%7Bshop%7D").await, StoreErrorKind::Misconfigured);
    assert_eq!(kind_of("redis://127.0.0.1?timeout_ms=0").await, StoreErrorKind::Misconfigured);
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
    let port = free_port();
    let nowhere = [
        format!("redis://127.0.0.1:{port}"),
        format!("redis-cluster://127.0.0.1:{port}"),
        format!("redis-sentinel://127.0.0.1:{port}/sessions"),
        "redis+unix:///nowhere/redis.sock".to_owned(),
    ];
    for url in nowhere {
        assert_eq!(kind_of(&url).await, StoreErrorKind::Unavailable, "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_wrong_password_is_denied() {
    let server = Standalone::start(Flavour::Redis7);
    let port = server.port;
    server.ask(&["CONFIG", "SET", "requirepass", "right"]).ok();
    connect(&format!("redis://:right@127.0.0.1:{port}")).await.unwrap();
    for login in ["", &format!(":{SECRET}@"), &format!("nobody:{SECRET}@")] {
        let url = format!("redis://{login}127.0.0.1:{port}");
        assert_eq!(kind_of(&url).await, StoreErrorKind::Denied, "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_certificate_of_nobody_we_trust_is_refused() {
    let server = Tls::start(Flavour::Redis7, "cloakroom:");
    let with_ca = |ca: &std::path::Path| format!("{}?ca={}", server.url(), ca.display());
    connect(&with_ca(server.ca_file())).await.unwrap();
    for url in [with_ca(server.wrong_ca_file()), server.url(), with_ca("/nowhere.pem".as_ref())] {
        assert_eq!(kind_of(&url).await, StoreErrorKind::Misconfigured, "{url}");
    }
    let plain = format!("redis://127.0.0.1:{}", server.port);
    assert_eq!(kind_of(&plain).await, StoreErrorKind::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn what_is_no_cluster_or_does_not_know_the_service_is_said() {
    let server = Standalone::start(Flavour::Redis7);
    let cluster = format!("redis-cluster://127.0.0.1:{}", server.port);
    assert_eq!(kind_of(&cluster).await, StoreErrorKind::Misconfigured);
    let many = format!("redis://127.0.0.1:{}/200", server.port);
    assert_eq!(kind_of(&many).await, StoreErrorKind::Misconfigured);
    server.refuse_further_clients();
    let full = format!("redis://127.0.0.1:{}", server.port);
    assert_eq!(kind_of(&full).await, StoreErrorKind::Unavailable);
    let sentinel = Sentinel::start(Flavour::Redis7);
    let unknown = sentinel.url().replace(Sentinel::SERVICE, "another");
    assert_eq!(kind_of(&unknown).await, StoreErrorKind::Unavailable);
}

fn entry() -> NewEntry {
    let deadline = Clock::system().now().saturating_add(MINUTE);
    NewEntry::new(CommitId::from_bytes([1; 8]), deadline, "bytes")
}

/// All five commands on one key, by their errors.
async fn errors(store: &RedisStore, key: &StoreKey) -> Vec<Option<StoreErrorKind>> {
    let version = Version::from(CommitId::from_bytes([1; 8]));
    let later = entry().deadline.saturating_add(MINUTE);
    let kind = |error: StoreError| error.kind();
    vec![
        store.load(key).await.err().map(kind),
        store.create(key, &entry()).await.err().map(kind),
        store.replace(key, &version, &entry()).await.err().map(kind),
        store.touch(key, &version, later).await.err().map(kind),
        store.delete(key).await.err().map(kind),
    ]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_user_without_rights_is_denied() {
    let server = Tls::start(Flavour::Redis7, "cloakroom:");
    let place = || {
        let tls = Authorities::pem_file(server.ca_file()).unwrap();
        RedisServer::standalone("localhost", server.port).tls(tls)
    };
    let powerless = place().credentials("powerless", Tls::PASSWORD);
    let store = RedisStore::builder().connect(&powerless).await.unwrap();
    let key = StoreKey::from_bytes([3; 32]);
    assert_eq!(errors(&store, &key).await, [Some(StoreErrorKind::Denied); 5]);
    // The right user, and keys that are not for it.
    let user = place().credentials("sessions", Tls::PASSWORD);
    let elsewhere = RedisStore::builder().prefix("elsewhere:").connect(&user).await.unwrap();
    assert_eq!(errors(&elsewhere, &key).await, [Some(StoreErrorKind::Denied); 5]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn what_others_put_under_our_prefix_is_corrupt_and_stays() {
    let server = Standalone::start(Flavour::Redis7);
    let place = RedisServer::standalone("127.0.0.1", server.port);
    let store = RedisStore::builder().connect(&place).await.unwrap();
    let key = StoreKey::from_bytes([0x5a; 32]);
    let name = format!("cloakroom:{}", "5a".repeat(32));
    let corrupt = Some(StoreErrorKind::Corrupt);
    for put in [["SET", &name, ""], ["SET", &name, "text"], ["LPUSH", &name, "item"]] {
        server.ask(&put);
        // Only a delete removes it.
        assert_eq!(
            errors(&store, &key).await,
            [corrupt, corrupt, corrupt, corrupt, None],
            "{put:?}"
        );
        assert_eq!(server.ask(&["EXISTS", &name]).integer(), 0);
    }
}

/// A key of ours whose time to live somebody has taken away still ends on time, and has one again
/// after the next touch.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_key_that_was_made_to_persist_still_ends() {
    let server = Standalone::start(Flavour::Redis7);
    let clock = cloakroom::ManualClock::at(Clock::system().now());
    let place = RedisServer::standalone("127.0.0.1", server.port);
    let store = RedisStore::builder().clock(clock.clone()).connect(&place).await.unwrap();
    let key = StoreKey::from_bytes([0x5a; 32]);
    let name = format!("cloakroom:{}", "5a".repeat(32));
    store.create(&key, &entry()).await.unwrap();
    server.ask(&["PERSIST", &name]);
    let version = Version::from(entry().commit);
    store.touch(&key, &version, entry().deadline.saturating_add(MINUTE)).await.unwrap();
    assert!(server.ask(&["PTTL", &name]).integer() > 0);
    server.ask(&["PERSIST", &name]);
    clock.advance(3 * MINUTE);
    assert_eq!(store.load(&key).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_server_whose_memory_is_full_is_unavailable() {
    let server = Standalone::start(Flavour::Redis7);
    let place = RedisServer::standalone("127.0.0.1", server.port);
    let store = RedisStore::builder().connect(&place).await.unwrap();
    let key = StoreKey::from_bytes([4; 32]);
    store.create(&key, &entry()).await.unwrap();
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]).ok();
    let unavailable = Some(StoreErrorKind::Unavailable);
    let full = errors(&store, &key).await;
    // What is there can be read, kept for longer, and ended.
    assert_eq!(full, [None, unavailable, unavailable, None, None]);
}
