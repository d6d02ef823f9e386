//! A server that is frozen, read only, full, out of connections or slow; connections that are cut or killed.
//! What each error proves is checked in the table.

use std::time::{Duration, Instant};

use cloakroom::store::{
    MysqlStore, NewEntry, Replaced, SessionStore, StoreError, StoreErrorKind, StoreKey,
};
use cloakroom_testing::lag;
use cloakroom_testing::mariadb::{Server, TABLE, USER};
use cloakroom_testing::processes::{free_port, wait_until};
use cloakroom_testing::proxy::{Cut, Fault, Proxy};

use super::setup::{
    at, builder, chain, created, deadline, entry, errors, hex, key, patient, store, version,
};

const UNAVAILABLE: Option<StoreErrorKind> = Some(StoreErrorKind::Unavailable);
const IN_DOUBT: Option<StoreErrorKind> = Some(StoreErrorKind::Indeterminate);

/// A transaction of another client that has locked one row. Dropping it ends it.
struct Lock<'a> {
    server: &'a Server,
    client: std::process::Child,
}

impl<'a> Lock<'a> {
    fn on(server: &'a Server, key: &StoreKey) -> Self {
        let select = format!("SELECT version FROM {TABLE} WHERE `key` = {} FOR UPDATE", hex(key));
        let statements = format!("SET max_statement_time = 0; BEGIN; {select}; DO SLEEP(600)");
        let mut client = server.client();
        client.args(["--execute", &statements]).stdout(std::process::Stdio::null());
        let client = client.spawn().unwrap();
        let sleeping =
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'DO SLEEP%'";
        wait_until("the lock", || server.sql(sleeping) == "1");
        Self { server, client }
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        self.client.kill().unwrap();
        self.client.wait().unwrap();
        // The server notices only when it writes to the client.
        let ids = "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'DO SLEEP%'";
        for id in self.server.sql(ids).lines() {
            let _ = self.server.try_sql(&format!("KILL {id}"));
        }
        wait_until("the end of the lock", || self.server.sql(ids).is_empty());
    }
}

/// Returns the id of the connection on which the store's statement waits.
fn waiting(server: &Server) -> String {
    let ids = format!(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = '{USER}' AND COMMAND = 'Execute'"
    );
    wait_until("a statement that waits", || !server.sql(&ids).is_empty());
    server.sql(&ids)
}

fn version_of(server: &Server, key: &StoreKey) -> String {
    server.sql(&format!("SELECT HEX(version) FROM {TABLE} WHERE `key` = {}", hex(key)))
}

async fn replace(store: &MysqlStore) -> Option<StoreErrorKind> {
    let replaced = store.replace(&key(1), &version(1), &entry(2)).await;
    replaced.err().map(|error: StoreError| error.kind())
}

/// Waits until the store works again by itself.
async fn recovers(store: &MysqlStore) {
    let begun = Instant::now();
    while store.load(&key(1)).await.is_err() {
        assert!(lag::elapsed_since(begun) < Duration::from_secs(15), "it does not recover");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_frozen_server_leaves_doubt_about_writes_only_and_recovers() {
    lag::watch();
    let server = Server::start();
    // Long enough for a login on a busy machine. The only connection is the one that is lost.
    let brief = builder().command_timeout(Duration::from_secs(4)).max_connections(1);
    let store = brief.connect(&at(server.port)).await.unwrap();
    created(&store, &key(1), &entry(1)).await;
    server.freeze();
    let begun = Instant::now();
    assert_eq!(replace(&store).await, IN_DOUBT, "it was sent");
    assert!(lag::elapsed_since(begun) < Duration::from_secs(15));
    // There is no open connection any more, so nothing is sent and there is no doubt.
    let kinds = errors(&store, &key(1)).await;
    assert_eq!(kinds, [UNAVAILABLE; 5]);
    server.process.thaw();
    recovers(&store).await;
    // The statement that was in doubt may have been carried out; nothing else was.
    wait_until("the end of the frozen statement", || version_of(&server, &key(1)).len() == 16);
    assert!(["0101010101010101", "0202020202020202"].contains(&&*version_of(&server, &key(1))));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_server_that_becomes_read_only_loses_all_connections_until_it_is_writable() {
    let server = Server::start();
    let store = store(&server).await;
    created(&store, &key(1), &entry(1)).await;
    server.sql("SET GLOBAL read_only = 1");
    let error = store.replace(&key(1), &version(1), &entry(2)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(chain(&error).contains("read only"), "{}", chain(&error));
    // A replica lags behind, so it is not read from either, by no connection that was open before.
    assert_eq!(errors(&store, &key(1)).await, [UNAVAILABLE; 5]);
    let connections =
        format!("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = '{USER}'");
    wait_until("no connection", || server.sql(&connections) == "0");
    assert_eq!(version_of(&server, &key(1)), "0101010101010101");
    server.sql("SET GLOBAL read_only = 0");
    assert_eq!(replace(&store).await, None);
}

/// A planned switch: the old primary becomes a replica and keeps its connections. A process that only reads would
/// go on showing sessions that have ended on the new primary.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_primary_that_became_a_replica_is_not_read_by_a_process_that_only_reads() {
    let server = Server::start();
    let store = store(&server).await;
    created(&store, &key(1), &entry(1)).await;
    server.sql("SET GLOBAL read_only = 1");
    let error = store.load(&key(1)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(chain(&error).contains("read only"), "{}", chain(&error));
    server.sql("SET GLOBAL read_only = 0");
    assert!(store.load(&key(1)).await.unwrap().is_some());
}

/// The driver's pool ends with the runtime that it was first used in; the store begins another one.
#[test]
#[ignore = "needs mariadb-server"]
fn a_store_outlives_the_runtime_that_it_was_opened_in() {
    let server = Server::start();
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let first = runtime();
    let store = first.block_on(store(&server));
    first.block_on(created(&store, &key(1), &entry(1)));
    drop(first);
    for commit in [2, 3] {
        let replaced =
            runtime().block_on(store.replace(&key(1), &version(commit - 1), &entry(commit)));
        assert_eq!(replaced.unwrap(), Replaced::Done(version(commit)));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_store_connects_to_no_replica() {
    let server = Server::with(&["--read-only"]);
    let error = patient().connect(&at(server.port)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(chain(&error).contains("read only"), "{}", chain(&error));
}

/// A user may have fewer connections than the store wants: the commands wait for those that there are.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn commands_share_the_connections_that_the_server_grants() {
    let server = Server::with(&["--max-user-connections=2"]);
    let store = patient().max_connections(16).connect(&at(server.port)).await.unwrap();
    created(&store, &key(1), &entry(1)).await;
    let loads: tokio::task::JoinSet<_> = (0..64)
        .map(|_| {
            let store = store.clone();
            async move { store.load(&key(1)).await.unwrap().unwrap().version }
        })
        .collect();
    assert_eq!(loads.join_all().await, vec![version(1); 64]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_server_without_a_free_connection_is_unavailable_and_says_so() {
    let server = Server::with(&["--max-user-connections=1"]);
    let store = store(&server).await;
    // If an attempt is under way when the command's time is over, the server has not said no to that one. On a
    // busy machine that may be so several times.
    let mut says = Vec::new();
    while !says.last().is_some_and(|text: &String| text.contains("(error 1203")) {
        assert!(says.len() < 20, "{says:#?}");
        let other = builder().command_timeout(Duration::from_secs(5));
        let error = other.connect(&at(server.port)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        says.push(chain(&error));
    }
    created(&store, &key(1), &entry(1)).await;
}

/// The server itself gives up a statement that waits for a locked row, before the store does.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_row_that_stays_locked_is_unavailable_and_the_write_never_comes() {
    let server = Server::start();
    let quick = builder().command_timeout(Duration::from_millis(5_900));
    let store = quick.connect(&at(server.port)).await.unwrap();
    created(&store, &key(1), &entry(1)).await;
    let lock = Lock::on(&server, &key(1));
    let error = store.replace(&key(1), &version(1), &entry(2)).await.unwrap_err();
    // On a busy machine the store's own time may pass first.
    if error.kind() == StoreErrorKind::Unavailable {
        assert!(chain(&error).contains("(error 1205"), "{}", chain(&error));
    }
    assert!(store.load(&key(1)).await.unwrap().is_some(), "reads wait for nobody");
    created(&store, &key(2), &entry(2)).await;
    drop(lock);
    if error.kind() == StoreErrorKind::Unavailable {
        assert_eq!(version_of(&server, &key(1)), "0101010101010101");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_statement_that_the_server_ends_was_not_applied() {
    let server = Server::start();
    server.sql("SET GLOBAL max_statement_time = 5");
    let store = store(&server).await;
    created(&store, &key(1), &entry(1)).await;
    let lock = Lock::on(&server, &key(1));
    let error = store.replace(&key(1), &version(1), &entry(2)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(chain(&error).contains("(error 1969"), "{}", chain(&error));
    drop(lock);
    assert_eq!(version_of(&server, &key(1)), "0101010101010101");
    assert_eq!(replace(&store).await, None);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_query_that_is_killed_was_not_applied_and_a_killed_connection_leaves_doubt() {
    let server = Server::start();
    let store = store(&server).await;
    created(&store, &key(1), &entry(1)).await;
    for (kill, kind) in [("KILL QUERY", UNAVAILABLE), ("KILL", IN_DOUBT)] {
        let lock = Lock::on(&server, &key(1));
        let replacing = tokio::spawn({
            let store = store.clone();
            async move { replace(&store).await }
        });
        let id = waiting(&server);
        server.sql(&format!("{kill} {id}"));
        assert_eq!(replacing.await.unwrap(), kind, "{kill}");
        drop(lock);
        assert_eq!(version_of(&server, &key(1)), "0101010101010101", "{kill}");
        assert!(store.load(&key(1)).await.unwrap().is_some(), "{kill}");
    }
    assert_eq!(replace(&store).await, None);
}

/// The server has carried the statement out, and its answer is lost.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn an_answer_that_is_lost_leaves_doubt_and_the_repeat_is_applied_once() {
    let server = Server::start();
    let proxy = Proxy::on(free_port(), server.port).await;
    for cut in [Cut::Fin, Cut::Reset] {
        let store = patient().max_connections(1).connect(&at(proxy.port)).await.unwrap();
        created(&store, &key(1), &entry(1)).await;
        // So that the statement is prepared.
        store.replace(&key(3), &version(1), &entry(2)).await.unwrap();
        proxy.set_once(Fault::CutReply(0, cut));
        assert_eq!(replace(&store).await, IN_DOUBT);
        assert_eq!(version_of(&server, &key(1)), "0202020202020202", "the case that is tested");
        let again = store.replace(&key(1), &version(1), &entry(2)).await.unwrap();
        let Replaced::Conflict(found) = again else { panic!("it was applied twice") };
        assert_eq!(found.version, version(2));
        store.delete(&key(1)).await.unwrap();
    }
}

/// The write was refused, so an answer that is lost after that leaves no doubt.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_lost_connection_before_the_statement_leaves_no_doubt() {
    let server = Server::start();
    let proxy = Proxy::on(free_port(), server.port).await;
    let store = patient().max_connections(1).connect(&at(proxy.port)).await.unwrap();
    created(&store, &key(1), &entry(1)).await;
    // The statement is new on this connection, so the first thing that is sent prepares it.
    proxy.set_once(Fault::CutReply(0, Cut::Reset));
    assert_eq!(replace(&store).await, UNAVAILABLE);
    assert_eq!(version_of(&server, &key(1)), "0101010101010101");
    proxy.set(Fault::Refuse);
    assert_eq!(replace(&store).await, UNAVAILABLE);
    proxy.set(Fault::None);
    recovers(&store).await;
    assert_eq!(replace(&store).await, None);
}

/// The table cannot grow any more: nothing is written, and what is there can be read.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_full_server_is_unavailable_and_keeps_what_it_has() {
    let full =
        ["--innodb-data-file-path=ibdata1:12M:autoextend:max:20M", "--innodb-file-per-table=0"];
    let server = Server::with(&full);
    let store = store(&server).await;
    let large = |commit| NewEntry::new(entry(commit).commit, deadline(), vec![b'x'; 500_000]);
    let mut kept = 0;
    let error = loop {
        match store.create(&key(kept), &large(kept)).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 100, "it is never full");
    };
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(chain(&error).contains("(error 1114"), "{}", chain(&error));
    assert!(kept > 0, "it is full from the start");
    assert_eq!(store.load(&key(kept)).await.unwrap(), None);
    for number in 0..kept {
        assert!(store.load(&key(number)).await.unwrap().is_some());
        // A delete needs room too, for undoing it. If it is refused, the row stays.
        let deleted = store.delete(&key(number)).await;
        let kind = deleted.as_ref().err().map(StoreError::kind);
        assert!(matches!(kind, None | UNAVAILABLE), "{deleted:?}");
        assert_eq!(store.load(&key(number)).await.unwrap().is_some(), deleted.is_err());
    }
}
