//! Versions: tokens that a server gives again after a restart, entries of another run or another node,
//! and deadlines.

use std::time::Duration;

use cloakroom::store::{
    CommitId, Created, MemcachedServers, MemcachedStore, NewEntry, Replaced, SessionStore,
    StoreError, StoreErrorKind, StoreKey, Touched, Version,
};
use cloakroom::{Clock, ManualClock};

use cloakroom_testing::memcached::{Server, name};
use cloakroom_testing::processes::free_port;
use cloakroom_testing::proxy::{Fault, Proxy};
use cloakroom_testing::{HOUR, MINUTE};

use super::servers::{Servers, builder, open};

pub(crate) async fn store(servers: &MemcachedServers) -> MemcachedStore {
    open(builder(), servers).await
}

pub(crate) fn entry(commit: u8) -> NewEntry {
    let deadline = Clock::system().now().saturating_add(MINUTE);
    NewEntry::new(CommitId::from_bytes([commit; 8]), deadline, "bytes")
}

pub(crate) async fn created(store: &MemcachedStore, key: &StoreKey, new: &NewEntry) -> Version {
    match store.create(key, new).await.unwrap() {
        Created::Done(version) => version,
        Created::Exists => panic!("there is one already"),
    }
}

/// Returns the errors of all five commands on one key.
pub(crate) async fn errors(store: &MemcachedStore, key: &StoreKey) -> Vec<Option<StoreErrorKind>> {
    let version = Version::from(CommitId::from_bytes([1; 8]));
    let later = entry(1).deadline.saturating_add(MINUTE);
    let kind = |error: StoreError| error.kind();
    vec![
        store.load(key).await.err().map(kind),
        store.create(key, &entry(1)).await.err().map(kind),
        store.replace(key, &version, &entry(1)).await.err().map(kind),
        store.touch(key, &version, later).await.err().map(kind),
        store.delete(key).await.err().map(kind),
    ]
}

/// Returns the server's token, which `mg` calls the CAS unique.
fn token(server: &Server, key: &StoreKey) -> String {
    server.ask(&format!("mg {} c", name(key)))
}

/// A restarted server counts its tokens from one again. A write that loaded its session before the
/// restart must not replace another session's record, though the token is the same.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_token_from_before_a_restart_replaces_nothing() {
    let server = Server::start();
    let (one, other) = (store(&server.servers()).await, store(&server.servers()).await);
    let key = StoreKey::from_bytes([7; 32]);
    let old = created(&one, &key, &entry(1)).await;
    let old_token = token(&server, &key);
    server.start_again();
    let new = created(&other, &key, &entry(2)).await;
    assert_eq!(token(&server, &key), old_token, "the case that is tested");
    assert_ne!(new, old);
    for store in [&one, &other] {
        let Replaced::Conflict(found) = store.replace(&key, &old, &entry(3)).await.unwrap() else {
            panic!("the former life's version was taken for the present one's")
        };
        assert_eq!(found.version, new);
        let later = entry(3).deadline.saturating_add(HOUR);
        assert_eq!(store.touch(&key, &old, later).await.unwrap(), Touched::Skipped);
    }
}

/// The same commit and the same token on two servers are two versions.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn two_servers_never_give_the_same_version() {
    let servers = [Server::start(), Server::start()];
    let key = StoreKey::from_bytes([7; 32]);
    let mut versions = Vec::new();
    for server in &servers {
        versions.push(created(&store(&server.servers()).await, &key, &entry(1)).await);
    }
    assert_eq!(token(&servers[0], &key), token(&servers[1], &key), "the case that is tested");
    assert_ne!(versions[0], versions[1]);
}

/// One server of the app touches the session after another has loaded it: the other's write still
/// applies.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_write_after_a_touch_has_no_conflict() {
    let server = Server::start();
    let (one, other) = (store(&server.servers()).await, store(&server.servers()).await);
    let key = StoreKey::from_bytes([7; 32]);
    let version = created(&one, &key, &entry(1)).await;
    for hours in 1..4 {
        let later = entry(1).deadline.saturating_add(HOUR * hours);
        assert_eq!(other.touch(&key, &version, later).await.unwrap(), Touched::Done);
        let found = one.load(&key).await.unwrap().unwrap();
        assert_eq!((found.version, found.deadline), (version, later));
    }
    let later = entry(1).deadline.saturating_add(HOUR * 9);
    other.touch(&key, &version, later).await.unwrap();
    let replaced = one.replace(&key, &version, &entry(2)).await.unwrap();
    assert!(matches!(replaced, Replaced::Done(_)), "{replaced:?}");
    let late = other.replace(&key, &version, &entry(3)).await.unwrap();
    assert!(matches!(late, Replaced::Conflict(_)), "{late:?}");
}

/// However often touches come between its read and its write, a write that has time left succeeds.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_write_succeeds_among_many_touches() {
    let server = Server::start();
    let near = store(&server.servers()).await;
    let proxy = Proxy::on(free_port(), server.port).await;
    let far = open(builder(), &MemcachedServers::nodes([("127.0.0.1", proxy.port)])).await;
    proxy.set(Fault::Delay(Duration::from_millis(50)));
    // On a busy machine a touch may come too late to get in between.
    for trial in 0..50 {
        let key = StoreKey::from_bytes([trial; 32]);
        let version = created(&near, &key, &entry(1)).await;
        let (before, mut later) = (server.stats()["cas_badval"], entry(1).deadline);
        let refused = || server.stats()["cas_badval"] - before;
        // Otherwise the write would succeed with the token in its version.
        later = later.saturating_add(MINUTE);
        near.touch(&key, &version, later).await.unwrap();
        let replacing = tokio::spawn({
            let far = far.clone();
            async move { far.replace(&key, &version, &entry(2)).await }
        });
        while refused() < 6 && !replacing.is_finished() {
            later = later.saturating_add(MINUTE);
            near.touch(&key, &version, later).await.unwrap();
        }
        let replaced = replacing.await.unwrap().unwrap();
        assert!(matches!(replaced, Replaced::Done(_)), "{replaced:?}");
        if refused() >= 6 {
            return;
        }
    }
    panic!("no write was overtaken often enough");
}

/// The server keeps the value for up to two seconds longer, but the deadline in the value counts.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_deadline_is_exact_to_the_millisecond() {
    let server = Server::start();
    let clock = ManualClock::at(Clock::system().now());
    let store = open(builder().clock(clock.clone()), &server.servers()).await;
    let key = StoreKey::from_bytes([7; 32]);
    let new = entry(1);
    let version = created(&store, &key, &new).await;
    clock.set(new.deadline.saturating_sub(Duration::from_millis(1)));
    assert!(store.load(&key).await.unwrap().is_some());
    clock.set(new.deadline);
    assert_eq!(store.load(&key).await.unwrap(), None);
    assert_eq!(store.replace(&key, &version, &entry(2)).await.unwrap(), Replaced::Gone);
    let later = new.deadline.saturating_add(HOUR);
    assert_eq!(store.touch(&key, &version, later).await.unwrap(), Touched::Gone);
    assert_eq!(server.ask(&format!("mg {}", name(&key))), "HD", "the server still has it");
    let over = NewEntry::new(entry(2).commit, later, entry(2).bytes);
    assert!(matches!(store.create(&key, &over).await.unwrap(), Created::Done(_)));
}

/// More than thirty days are sent as a date; as a duration the server would take them for a date in
/// 1970.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn the_server_removes_every_value_by_itself() {
    let server = Server::start();
    let store = store(&server.servers()).await;
    for days in [1, 29, 30, 31, 365] {
        let key = StoreKey::from_bytes([u8::try_from(days % 256).unwrap(); 32]);
        let lifetime = HOUR * 24 * days;
        let deadline = Clock::system().now().saturating_add(lifetime);
        created(&store, &key, &NewEntry::new(entry(1).commit, deadline, entry(1).bytes)).await;
        let left = server.ask(&format!("mg {} t", name(&key)));
        let left: u64 = left.strip_prefix("HD t").unwrap().parse().unwrap();
        let expected = lifetime.as_secs();
        assert!((expected - 5..expected + 65).contains(&left), "{days} days: {left} s");
    }
}
