//! A standby that takes over, and a primary that becomes read-only.

use std::time::Duration;

use cloakroom::store::{PostgresServer, SessionStore, StoreErrorKind, Version};
use cloakroom_testing::postgres::{DATABASE, PASSWORD, Pair, Server, USER, table};
use cloakroom_testing::processes::wait_until;

use super::conformance::pool;
use super::refusals::chain;
use super::stores::{at, builder, created, entry, key};

fn both(pair: &Pair) -> PostgresServer {
    let hosts = [("127.0.0.1", pair.primary.port), ("127.0.0.1", pair.standby.port)];
    PostgresServer::hosts(hosts).credentials(USER, PASSWORD).database(DATABASE)
}

/// The order of the hosts does not matter: a standby is passed over.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_standby_is_never_asked() {
    let pair = Pair::start();
    let table = table();
    let hosts = [("127.0.0.1", pair.standby.port), ("127.0.0.1", pair.primary.port)];
    let server = PostgresServer::hosts(hosts).credentials(USER, PASSWORD).database(DATABASE);
    let store = builder(&table).connect(&server).await.unwrap();
    created(&store, &key(1), &entry(1)).await;
    pair.wait_until_in_step();
    let connections = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'sessions'";
    // Each was closed, and the standby may not have noticed yet.
    wait_until("no connection", || pair.standby.sql(connections) == "0");

    let alone = builder(&table).connect(&at(&pair.standby)).await.unwrap_err();
    assert_eq!(alone.kind(), StoreErrorKind::Unavailable);
    assert!(chain(&alone).contains("does not allow writes"), "{alone:?}");

    // A pool of the app that leads to the standby is not read either.
    let pooled = super::stores::builder(&table).pool(pool(pair.standby.port, "")).await.unwrap();
    let error = pooled.load(&key(1)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    assert!(chain(&error).contains("25006, the server is read-only"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn the_standby_that_takes_over_is_found() {
    let pair = Pair::start();
    let table = table();
    let store = builder(&table).connect(&both(&pair)).await.unwrap();
    for number in 0..20 {
        created(&store, &key(number), &entry(number)).await;
    }
    pair.wait_until_in_step();
    pair.primary.kill();
    pair.promote();
    let begun = std::time::Instant::now();
    for number in 0..20 {
        let found = loop {
            match store.load(&key(number)).await {
                Ok(found) => break found.unwrap(),
                Err(error) => assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}"),
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "it is not found");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(found.version, Version::from(entry(number).commit));
    }
    loop {
        match store.delete(&key(1)).await {
            Ok(()) => break,
            Err(error) => assert!(
                [StoreErrorKind::Unavailable, StoreErrorKind::Indeterminate]
                    .contains(&error.kind()),
                "{error:?}"
            ),
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "it takes no writes");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A planned switch: the old primary stays up and takes no writes. Its rows get older from then on, so it is not
/// read any more either: a session that ends on the new primary is over for everybody.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_primary_that_was_demoted_is_neither_written_nor_read() {
    let pair = Pair::start();
    let table = table();
    let [store, reader] = [
        builder(&table).connect(&both(&pair)).await.unwrap(),
        builder(&table).connect(&both(&pair)).await.unwrap(),
    ];
    for number in 0..20 {
        created(&store, &key(number), &entry(number)).await;
    }
    assert!(reader.load(&key(1)).await.unwrap().is_some());
    pair.wait_until_in_step();
    pair.primary.sql("ALTER SYSTEM SET default_transaction_read_only = on");
    pair.primary.sql("SELECT pg_reload_conf()");
    wait_until("the primary tells its connections", || {
        pair.primary.sql("SHOW default_transaction_read_only") == "on"
    });
    pair.promote();
    // The sessions of the server read the new setting before their next statement. Nothing fails: an error
    // that proves that nothing was applied is followed by another attempt, on the new primary.
    for number in 0..20 {
        store.delete(&key(number)).await.unwrap();
    }
    for number in 0..20 {
        assert_eq!(reader.load(&key(number)).await.unwrap(), None, "it ended at the new primary");
    }
    assert_eq!(pair.primary.sql(&format!("SELECT count(*) FROM {table}")), "20");
    assert_eq!(pair.standby.sql(&format!("SELECT count(*) FROM {table}")), "0");
}

/// Where nobody takes over, every command fails and proves that nothing was applied.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_read_only_server_without_a_successor_is_unavailable() {
    let server = Server::start();
    let table = table();
    // A command tries until its time is up.
    let builder = builder(&table).command_timeout(Duration::from_secs(5));
    let store = builder.connect(&at(&server)).await.unwrap();
    created(&store, &key(1), &entry(1)).await;
    server.sql("ALTER SYSTEM SET default_transaction_read_only = on");
    server.sql("SELECT pg_reload_conf()");
    wait_until("the server tells its connections", || {
        server.sql("SHOW default_transaction_read_only") == "on"
    });
    let kinds = super::stores::errors(&store, &key(1)).await;
    assert_eq!(kinds, [Some(StoreErrorKind::Unavailable); 5]);
    server.sql("ALTER SYSTEM RESET default_transaction_read_only");
    server.sql("SELECT pg_reload_conf()");
    let begun = std::time::Instant::now();
    while store.load(&key(1)).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
