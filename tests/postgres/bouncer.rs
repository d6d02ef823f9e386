//! Behind pgbouncer in transaction mode, where each command may get another connection to the server.

use cloakroom::store::{PostgresStore, Replaced, SessionStore};
use cloakroom_testing::postgres::{Bouncer, Mode, Server, table};
use cloakroom_testing::processes::free_port;
use cloakroom_testing::proxy::Proxy;
use tokio::task::JoinSet;

use super::stores::{at_port, builder, created, entry, key};

async fn connect(bouncer: &Bouncer, table: &str) -> PostgresStore {
    builder(table).connect(&at_port(bouncer.port)).await.unwrap()
}

async fn writes_and_reads(store: PostgresStore, number: u8) {
    let key = key(number);
    let mut version = created(&store, &key, &entry(number)).await;
    for commit in 1..30 {
        let found = store.load(&key).await.unwrap().unwrap();
        assert_eq!(found.version, version);
        match store.replace(&key, &version, &entry(100 + commit)).await.unwrap() {
            Replaced::Done(now) => version = now,
            other => panic!("{other:?}"),
        }
    }
    store.delete(&key).await.unwrap();
}

async fn many_clients_share_few_connections(mode: Mode, settings: &str) {
    let bouncer = Bouncer::start(Server::shared(), mode, 30, settings);
    let table = table();
    let (one, other) = (connect(&bouncer, &table).await, connect(&bouncer, &table).await);
    let tasks: JoinSet<_> = (0..16)
        .map(|number| {
            let store = if number % 2 == 0 { &one } else { &other };
            writes_and_reads(store.clone(), number)
        })
        .collect();
    tasks.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql and pgbouncer"]
async fn transaction_mode_works() {
    many_clients_share_few_connections(Mode::Transaction, "").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql and pgbouncer"]
async fn transaction_mode_that_ignores_options_works() {
    let settings = "ignore_startup_parameters = options";
    many_clients_share_few_connections(Mode::Transaction, settings).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql and pgbouncer"]
async fn session_mode_works() {
    many_clients_share_few_connections(Mode::Session, "").await;
}

/// The names of prepared statements are counted in each process, and the connections behind a pooler are
/// shared: a name would lead to the statement of somebody else, perhaps on another table. Here somebody else has
/// prepared another statement under each name that the driver would use.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql and pgbouncer"]
async fn no_statement_of_another_client_is_run_by_its_name() {
    let bouncer = Bouncer::start(Server::shared(), Mode::Transaction, 1, "");
    let (ours, theirs) = (table(), table());
    let store = connect(&bouncer, &ours).await;
    drop(connect(&bouncer, &theirs).await);
    let other = theirs_under_every_name(&bouncer, &theirs).await;
    let key = key(1);
    let version = created(&store, &key, &entry(1)).await;
    assert_eq!(store.load(&key).await.unwrap().unwrap().version, version);
    assert!(matches!(store.replace(&key, &version, &entry(2)).await.unwrap(), Replaced::Done(_)));
    assert_eq!(Server::shared().sql(&format!("SELECT count(*) FROM {theirs}")), "0");
    drop(other);
}

/// Prepares statements on another table under the names `s0` to `s999`, of which the driver takes the next.
async fn theirs_under_every_name(bouncer: &Bouncer, table: &str) -> tokio_postgres::Client {
    use cloakroom_testing::postgres::{DATABASE, PASSWORD, USER};
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(bouncer.port).user(USER).password(PASSWORD).dbname(DATABASE);
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let text: String = (0..1000)
        .map(|number| {
            format!(
                "PREPARE s{number} AS SELECT version, deadline, bytes FROM {table} WHERE false;"
            )
        })
        .collect();
    client.batch_execute(&text).await.unwrap();
    client
}

/// On the server itself, the statements are prepared: their texts are not sent with each command.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn without_a_pooler_a_statement_is_sent_once() {
    let proxy = Proxy::on(free_port(), Server::shared().port).await;
    let store = builder(&table()).connect(&at_port(proxy.port)).await.unwrap();
    created(&store, &key(1), &entry(1)).await;
    let sent = || proxy.traffic().iter().map(|traffic| traffic.from_client).sum::<u64>();
    let before = sent();
    for _ in 0..20 {
        store.load(&key(1)).await.unwrap();
    }
    let each = (sent() - before) / 20;
    assert!((40..150).contains(&each), "{each} bytes");
}

/// A prepared statement that the server does not have any more is sent with its text instead.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_prepared_statement_that_a_migration_invalidates_is_sent_anew() {
    let table = table();
    let store = builder(&table).connect(&at_port(Server::shared().port)).await.unwrap();
    created(&store, &key(1), &entry(1)).await;
    for _ in 0..10 {
        store.load(&key(1)).await.unwrap();
    }
    let server = Server::shared();
    server.sql(&format!("ALTER TABLE {table} ADD COLUMN note text"));
    server.sql(&format!("ALTER TABLE {table} ALTER COLUMN deadline TYPE bigint"));
    assert!(store.load(&key(1)).await.unwrap().is_some());
    store.delete(&key(1)).await.unwrap();
}
