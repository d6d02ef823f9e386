//! Errors for a wrong URL, server, user, option or value.

use std::error::Error;

use cloakroom::Clock;
use cloakroom::store::{
    Authorities, NewEntry, RedisServer, RedisStore, SessionStore, StoreError, StoreErrorKind,
    StoreKey,
};
use cloakroom::store::{CommitId, Version};

use cloakroom_testing::processes::free_port;
use cloakroom_testing::redis::{Flavour, Sentinel, Standalone, Tls};
use cloakroom_testing::wrong_url::{SECRET, kind_of, refused, refused_as};
use cloakroom_testing::{MINUTE, patiently, patiently_by_url};

use super::setup;

#[tokio::test]
async fn the_error_for_a_wrong_url_names_the_mistake() {
    for (url, text) in [
        ("redis:localhost", "`//` is missing"),
        ("redis://a,,b", "the host list has an empty host or an invalid port"),
        ("redis://a,b", "it takes one host"),
        ("redis://a/seven", "the database must be a number from 0 to 255"),
        ("redis://a/256", "the database must be a number from 0 to 255"),
        ("redis-cluster://a/7", "no numbered databases"),
        ("redis-sentinel://a", "the service's name is missing"),
        ("redis+unix://run/redis.sock", "three slashes"),
        ("redis://a?prefx=b", "there is no option `prefx`"),
        ("redis://a?timeout_ms=soon", "`timeout_ms` must be a whole number"),
        ("rediss://a?wait_replicas=-1", "`wait_replicas` must be a whole number"),
    ] {
        let error = refused(url).await.to_string();
        assert!(error.contains(text), "{url}: {error}");
    }
}

/// [`refused`] looks for the password in everything that an error prints. Host and port would be
/// taken from the password where it is not percent-encoded, so nothing may be connected to either.
#[tokio::test]
async fn a_secret_that_is_not_encoded_or_stands_in_the_wrong_place_is_not_shown() {
    for url in [
        format!("{SECRET}@127.0.0.1:6379"),
        format!("user:{SECRET}@127.0.0.1:6379"),
        format!("{SECRET}:{SECRET}@127.0.0.1:6379"),
        format!("redis:user:{SECRET}@127.0.0.1:6379"),
        format!("redis://user:{SECRET}@127.0.0.1:port"),
        format!("redis://user:{SECRET}@127.0.0.1/seven"),
        format!("redis://user:1/{SECRET}@127.0.0.1:6379"),
        format!("redis-sentinel://user:1/{SECRET}@127.0.0.1:6379/sessions"),
        format!("redis://user:1?{SECRET}@127.0.0.1:6379"),
        format!("redis://user:1?opensesame={SECRET}@127.0.0.1:6379"),
        format!("redis://user:{SECRET}@127.0.0.1:6379?timeout_ms={SECRET}"),
        format!("redis://user:{SECRET}@127.0.0.1:6379?iam={SECRET}"),
        format!("reddis://user:{SECRET}@127.0.0.1:6379"),
    ] {
        let error = refused(&url).await;
        assert!(!error.to_string().contains("opensesame"), "{error}");
        assert!(!matches!(error, cloakroom::ConnectError::Store(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_prefix_that_would_gather_all_sessions_on_one_node_is_refused() {
    assert_eq!(kind_of("redis://127.0.0.1?prefix=%7Bshop%7D").await, StoreErrorKind::Misconfigured);
    assert_eq!(kind_of("redis://127.0.0.1?timeout_ms=0").await, StoreErrorKind::Misconfigured);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
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

#[tokio::test]
async fn an_error_says_which_server_cannot_be_reached() {
    let port = free_port();
    for (url, server) in [
        (format!("redis://user:{SECRET}@127.0.0.1:{port}"), format!("Redis at 127.0.0.1:{port}")),
        (
            format!("redis-cluster://user:{SECRET}@127.0.0.1:{port},localhost:{port}"),
            format!("the Redis cluster at 127.0.0.1:{port}, localhost:{port}"),
        ),
        (
            format!("redis-sentinel://user:{SECRET}@127.0.0.1:{port}/sessions"),
            format!("the Redis service \"sessions\" of the Sentinels at 127.0.0.1:{port}"),
        ),
        ("redis+unix:///nowhere/redis.sock".to_owned(), "Redis at /nowhere/redis.sock".to_owned()),
    ] {
        let error = refused(&url).await;
        assert_eq!(error.source().unwrap().to_string(), server);
        let shown = format!("{error:?}");
        assert!(shown.contains(&server) && !shown.contains("user"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_command_that_fails_later_says_at_which_server() {
    let server = Standalone::start(Flavour::Redis7);
    let place = RedisServer::standalone("127.0.0.1", server.port);
    let store = patiently(|| RedisStore::builder().connect(&place)).await;
    server.kill();
    let error = store.load(&StoreKey::from_bytes([3; 32])).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let at = format!("Redis at 127.0.0.1:{}", server.port);
    assert_eq!(error.source().unwrap().to_string(), at);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_wrong_password_is_denied_and_the_error_says_by_which_server() {
    let server = Standalone::start(Flavour::Redis7);
    let port = server.port;
    server.ask(&["CONFIG", "SET", "requirepass", "right"]).ok();
    patiently_by_url(&format!("redis://:right@127.0.0.1:{port}")).await;
    for login in ["", &format!(":{SECRET}@"), &format!("nobody:{SECRET}@")] {
        let url = format!("redis://{login}127.0.0.1:{port}");
        let error = refused_as(StoreErrorKind::Denied, &url).await;
        let shown = format!("{error:?}");
        assert!(shown.starts_with("the session store denied access"), "{shown}");
        assert!(shown.contains(&format!("Redis at 127.0.0.1:{port}")), "{shown}");
        assert!(!shown.contains("nobody"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_certificate_that_no_trusted_authority_signed_is_refused() {
    let server = Tls::start(Flavour::Redis7, "cloakroom:");
    let with_ca = |ca: &std::path::Path| format!("{}?ca={}", server.url(), ca.display());
    patiently_by_url(&with_ca(server.ca_file())).await;
    for url in [with_ca(server.wrong_ca_file()), server.url(), with_ca("/nowhere.pem".as_ref())] {
        refused_as(StoreErrorKind::Misconfigured, &url).await;
    }
    let plain = format!("redis://127.0.0.1:{}", server.port);
    assert_eq!(kind_of(&plain).await, StoreErrorKind::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_server_of_the_wrong_kind_is_refused() {
    let server = Standalone::start(Flavour::Redis7);
    let cluster = format!("redis-cluster://127.0.0.1:{}", server.port);
    refused_as(StoreErrorKind::Misconfigured, &cluster).await;
    let many = format!("redis://127.0.0.1:{}/200", server.port);
    refused_as(StoreErrorKind::Misconfigured, &many).await;
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

/// Sends all five commands on one key. Returns the kinds of their errors.
pub(crate) async fn errors(store: &RedisStore, key: &StoreKey) -> Vec<Option<StoreErrorKind>> {
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
    let store = setup::store(&powerless).await;
    let key = StoreKey::from_bytes([3; 32]);
    assert_eq!(errors(&store, &key).await, [Some(StoreErrorKind::Denied); 5]);
    // This user has the commands, but other keys.
    let user = place().credentials("sessions", Tls::PASSWORD);
    let elsewhere = setup::open(setup::builder().prefix("elsewhere:"), &user).await;
    assert_eq!(errors(&elsewhere, &key).await, [Some(StoreErrorKind::Denied); 5]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_value_of_another_program_is_corrupt_and_stays_until_it_is_deleted() {
    for &flavour in Flavour::available() {
        let (server, store) = open(flavour).await;
        let key = StoreKey::from_bytes([0x5a; 32]);
        let name = format!("cloakroom:{}", "5a".repeat(32));
        let corrupt = Some(StoreErrorKind::Corrupt);
        for put in [["SET", &name, ""], ["SET", &name, "text"], ["LPUSH", &name, "item"]] {
            server.ask(&put);
            assert_eq!(
                errors(&store, &key).await,
                [corrupt, corrupt, corrupt, corrupt, None],
                "{flavour:?} {put:?}"
            );
            assert_eq!(server.ask(&["EXISTS", &name]).integer(), 0);
        }
    }
}

/// Starts a server of this flavour and opens a store on it.
async fn open(flavour: Flavour) -> (Standalone, RedisStore) {
    let server = Standalone::start(flavour);
    let place = RedisServer::standalone("127.0.0.1", server.port);
    let store = setup::store(&place).await;
    (server, store)
}

/// A key that has lost its time to live to a `PERSIST` still expires on time, and the next touch gives
/// it a new one.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_key_that_was_made_to_persist_still_expires() {
    let server = Standalone::start(Flavour::Redis7);
    let clock = cloakroom::ManualClock::at(Clock::system().now());
    let place = RedisServer::standalone("127.0.0.1", server.port);
    let store = setup::open(setup::builder().clock(clock.clone()), &place).await;
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
    for &flavour in Flavour::available() {
        let (server, store) = open(flavour).await;
        let key = StoreKey::from_bytes([4; 32]);
        store.create(&key, &entry()).await.unwrap();
        server.ask(&["CONFIG", "SET", "maxmemory", "1"]).ok();
        let unavailable = Some(StoreErrorKind::Unavailable);
        let full = errors(&store, &key).await;
        // A session that is there can be read, touched and deleted.
        assert_eq!(full, [None, unavailable, unavailable, None, None], "{flavour:?}");
    }
}

/// Each script is refused in its middle: at the command that writes.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_replica_and_a_primary_that_lacks_replicas_are_unavailable_to_writes() {
    for &flavour in Flavour::available() {
        for refuse in [["REPLICAOF", "127.0.0.1", "1"], ["CONFIG", "SET", "min-replicas-to-write"]]
        {
            let (server, store) = open(flavour).await;
            let key = StoreKey::from_bytes([4; 32]);
            store.create(&key, &entry()).await.unwrap();
            // The scripts are known to the server from now on.
            errors(&store, &key).await;
            store.create(&key, &entry()).await.unwrap();
            let number = if refuse[0] == "CONFIG" { &["1"][..] } else { &[] };
            server.ask(&[&refuse, number].concat()).ok();
            let unavailable = Some(StoreErrorKind::Unavailable);
            let answers = errors(&store, &key).await;
            assert_eq!(
                answers,
                [None, unavailable, unavailable, unavailable, unavailable],
                "{flavour:?} {refuse:?}"
            );
        }
    }
}

/// The user may run scripts, and no command that the scripts run.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_script_that_may_not_run_its_commands_is_denied() {
    for &flavour in Flavour::available() {
        let server = Standalone::start(flavour);
        let rights = ["~*", "-@all", "+eval", "+evalsha"];
        let user = ["ACL", "SETUSER", "scripts", "on", ">correct-horse"];
        server.ask(&[&user[..], &rights].concat()).ok();
        let place = RedisServer::standalone("127.0.0.1", server.port)
            .credentials("scripts", "correct-horse");
        let store = setup::store(&place).await;
        let key = StoreKey::from_bytes([4; 32]);
        let denied = errors(&store, &key).await;
        assert_eq!(denied, [Some(StoreErrorKind::Denied); 5], "{flavour:?}");
    }
}
