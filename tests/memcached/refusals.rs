//! The errors for wrong servers, wrong passwords and wrong options.

use std::error::Error;

use cloakroom::Clock;
use cloakroom::store::{
    Created, MemcachedServers, MemcachedStore, NewEntry, SessionStore, StoreError, StoreErrorKind,
    StoreKey,
};

use cloakroom_testing::memcached::{PASSWORD, Server, Tls, USER, name};
use cloakroom_testing::processes::free_port;
use cloakroom_testing::{MINUTE, patiently_by_url};

use super::servers::Servers;
use super::versions::{entry, errors, store};
use cloakroom_testing::wrong_url::{SECRET, kind_of, refused, refused_as};

/// Returns the texts of an error and of all its sources.
fn chain(error: &dyn Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        texts.push(error.to_string());
        source = error.source();
    }
    texts.join(": ")
}

#[tokio::test]
async fn a_wrong_url_says_what_is_wrong() {
    for (url, says) in [
        ("memcached:localhost", "`//` is missing"),
        ("memcached://a/7", "no databases"),
        ("memcached://a,b?discover", "it takes one host"),
        ("memcached://a?discover=0", "a number of seconds, 1 or more"),
        ("memcached://a?discover=soon", "a number of seconds, 1 or more"),
        ("memcached://:open-sesame@a", "a user and a password"),
        ("memcached://a?prefx=b", "there is no option `prefx`"),
        ("memcached://a?timeout_ms=soon", "`timeout_ms` must be a whole number"),
        ("memcacheds://a?max_connections=-1", "`max_connections` must be a whole number"),
    ] {
        let error = refused(url).await.to_string();
        assert!(error.contains(says), "{url}: {error}");
    }
}

#[tokio::test]
async fn options_that_cannot_work_are_refused() {
    let long = "p".repeat(187);
    for option in [
        "prefix=a%20b",
        "prefix=%0d%0a",
        &format!("prefix={long}"),
        "timeout_ms=0",
        "max_connections=0",
    ] {
        let url = format!("memcached://127.0.0.1?{option}");
        assert_eq!(kind_of(&url).await, StoreErrorKind::Misconfigured, "{url}");
    }
    let spaced = "memcached://user:open-sesame%20x@127.0.0.1";
    assert_eq!(kind_of(spaced).await, StoreErrorKind::Misconfigured);
    let none = MemcachedServers::nodes::<String>([]);
    let error = MemcachedStore::builder().connect(&none).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
}

#[tokio::test]
async fn an_unreachable_server_is_unavailable_and_named() {
    let port = free_port();
    for url in [
        format!("memcached://127.0.0.1:{port}"),
        format!("memcached://user:{SECRET}@127.0.0.1:{port}?discover"),
        format!("memcached://127.0.0.1:{port},127.0.0.1:{port}"),
    ] {
        assert_eq!(kind_of(&url).await, StoreErrorKind::Unavailable, "{url}");
        let error = chain(&refused(&url).await);
        assert!(error.contains(&format!("127.0.0.1:{port}: ")), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_wrong_password_and_a_wrong_certificate_are_refused() {
    let tls = Tls::start();
    let port = tls.server.port;
    let url = |login: &str, ca: &std::path::Path| {
        format!("memcacheds://{login}localhost:{port}?ca={}", ca.display())
    };
    patiently_by_url(&url(&format!("{USER}:{PASSWORD}@"), tls.ca_file())).await;
    for login in ["", &format!("{USER}:{SECRET}@"), &format!("nobody:{SECRET}@")] {
        let url = url(login, tls.ca_file());
        let error = chain(&refused_as(StoreErrorKind::Denied, &url).await);
        assert!(error.contains(&format!("the memcached server localhost:{port}: ")), "{error}");
    }
    let untrusted = url("", tls.wrong_ca_file());
    for url in [untrusted, tls.url(), url("", "/nowhere.pem".as_ref())] {
        refused_as(StoreErrorKind::Misconfigured, &url).await;
    }
    let plain = format!("memcached://localhost:{port}");
    assert_eq!(kind_of(&plain).await, StoreErrorKind::Unavailable);
}

/// A server without authentication would keep the password as a value.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_server_that_does_not_ask_never_gets_the_password() {
    let server = Server::start();
    patiently_by_url(&format!("memcached://{USER}:{SECRET}@127.0.0.1:{}", server.port)).await;
    assert_eq!((server.commands(), server.stats()["total_items"]), ([0, 0, 0], 0));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_value_of_another_program_is_corrupt_and_stays() {
    let server = Server::start();
    let store = store(&server.servers()).await;
    let key = StoreKey::from_bytes([0x5a; 32]);
    let corrupt = Some(StoreErrorKind::Corrupt);
    for put in ["0 T600\r\n", "4 T600\r\ntext", "4 T0\r\n\u{7}abc"] {
        assert_eq!(server.ask(&format!("ms {} {put}", name(&key))), "HD");
        // Only a delete removes it.
        assert_eq!(errors(&store, &key).await, [corrupt, corrupt, corrupt, corrupt, None]);
        assert_eq!(server.ask(&format!("mg {}", name(&key))), "EN");
    }
}

/// A server that refuses a value as too large also removes the one that is there, so the value must not
/// be sent.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_servers_own_limit_is_known_before_anything_is_sent() {
    let server = Server::with(cloakroom_testing::memcached::Flavour::Debian12, &["-I", "2m"]);
    let store = store(&server.servers()).await;
    let key = StoreKey::from_bytes([1; 32]);
    let limit = (2 << 20) - 512;
    let sized = |size: usize| NewEntry::new(entry(1).commit, entry(1).deadline, vec![b'x'; size]);
    let Created::Done(version) = store.create(&key, &sized(limit)).await.unwrap() else { panic!() };
    let later = entry(1).deadline.saturating_add(MINUTE);
    store.touch(&key, &version, later).await.unwrap();
    let before = server.commands();
    let error: StoreError = store.replace(&key, &version, &sized(limit + 1)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    let says = chain(&error);
    assert!(
        says.contains("the entry has 2096641 bytes, the server takes at most 2096640"),
        "{says}"
    );
    assert_eq!(server.commands(), before);
    assert_eq!(store.load(&key).await.unwrap().unwrap().bytes.len(), limit);
}

/// The server runs with `-M`. Without it, it would evict the session that was used least recently.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_server_whose_memory_is_full_is_unavailable_and_recovers() {
    let server = Server::with(cloakroom_testing::memcached::Flavour::Debian12, &["-M", "-m", "2"]);
    let store = store(&server.servers()).await;
    let large = NewEntry::new(entry(1).commit, entry(1).deadline, vec![b'x'; 200_000]);
    let key = |number: u8| StoreKey::from_bytes([number; 32]);
    let mut kept = 0;
    let error = loop {
        match store.create(&key(kept), &large).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 200, "it is never full");
    };
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let named = format!("127.0.0.1:{}: SERVER_ERROR out of memory", server.port);
    assert!(chain(&error).contains(&named), "{}", chain(&error));
    assert!(kept > 0 && store.load(&key(0)).await.unwrap().is_some());
    assert_eq!(store.load(&key(kept)).await.unwrap(), None);
    for number in 0..kept {
        store.delete(&key(number)).await.unwrap();
    }
    store.create(&key(kept), &large).await.unwrap();
    assert!(Clock::system().now() < large.deadline);
}

/// Every replace would fail there.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_server_that_gives_no_versions_is_refused() {
    let server = Server::with(cloakroom_testing::memcached::Flavour::Debian12, &["-C"]);
    let url = format!("memcached://127.0.0.1:{}", server.port);
    refused_as(StoreErrorKind::Misconfigured, &url).await;
}

#[tokio::test]
async fn more_connections_than_can_be_counted_are_refused() {
    let url = format!("memcached://127.0.0.1?max_connections={}", usize::MAX);
    assert_eq!(kind_of(&url).await, StoreErrorKind::Misconfigured);
}
