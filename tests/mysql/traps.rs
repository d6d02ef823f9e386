//! The traps of MySQL's statements, one test each.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cloakroom::store::conformance::{Harness, run_all};
use cloakroom::store::{Created, NewEntry, Replaced, SessionStore, StoreErrorKind, Touched};
use cloakroom::{Clock, ManualClock, Timestamp};
use cloakroom_testing::mariadb::{Server, TABLE};
use cloakroom_testing::{HOUR, MINUTE};

use super::meddler::{Meddler, Meddling};
use super::setup::{
    at, chain, created, deadline, entry, key, patient, store, store_with_clock, version,
};

struct Through {
    meddler: Meddler,
    clock: ManualClock,
}

#[async_trait]
impl Harness for Through {
    async fn open(&self) -> Arc<dyn SessionStore> {
        let builder = patient().clock(self.clock.clone());
        Arc::new(builder.connect(&at(self.meddler.port)).await.unwrap())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn max_entry_bytes(&self) -> Option<usize> {
        Some(1 << 20)
    }
}

async fn keeps_every_law(server: &Server, meddling: Meddling) {
    let meddler = Meddler::before(server.port, meddling).await;
    let harness = Through { meddler, clock: ManualClock::at(Clock::system().now()) };
    let verdicts = run_all(&harness).await;
    let broken: Vec<_> = verdicts.iter().filter(|(_, verdict)| verdict.is_err()).collect();
    assert!(broken.is_empty() && verdicts.len() > 35, "{broken:#?}");
}

/// With the flag on, a create that leaves a live row alone affects one row, as one that inserts does.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn the_flag_found_rows_of_a_proxy_changes_nothing() {
    let server = Server::start();
    keeps_every_law(&server, Meddling { found_rows: true, ..Meddling::default() }).await;
}

/// Without the number that a create leaves, nothing tells the two apart where the flag is on.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_proxy_that_hides_what_a_create_has_found_is_refused_at_the_start() {
    let server = Server::start();
    for found_rows in [false, true] {
        let meddling = Meddling { found_rows, no_ids: true, ..Meddling::default() };
        let meddler = Meddler::before(server.port, meddling).await;
        let error = patient().connect(&at(meddler.port)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
        assert!(chain(&error).contains("LAST_INSERT_ID"), "{}", chain(&error));
    }
    assert_eq!(server.sql(&format!("SELECT COUNT(*) FROM {TABLE}")), "0", "the probe is removed");
}

/// A proxy may refuse the isolation level; the other settings are needed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_server_that_refuses_the_isolation_level_is_used_as_it_is() {
    let server = Server::with(&["--transaction-isolation=SERIALIZABLE"]);
    let statement = Some(("LEVEL READ COMMITTED", "LEVEL AS YOU LIKE IT"));
    keeps_every_law(&server, Meddling { statement, ..Meddling::default() }).await;
}

/// A change inside a transaction that nobody commits would be acknowledged and lost.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_connection_without_autocommit_is_refused() {
    let server = Server::start();
    let statement = Some(("autocommit = 1", "autocommit = 0"));
    let meddler = Meddler::before(server.port, Meddling { statement, ..Meddling::default() }).await;
    let error = patient().connect(&at(meddler.port)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    assert!(chain(&error).contains("autocommit"), "{}", chain(&error));
}

/// All of the new row is written over an expired one, and nothing of it over a live one.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_create_writes_all_columns_or_none() {
    let server = Server::start();
    let (store, clock) = store_with_clock(&server).await;
    let (first, second) = (entry(1), NewEntry::new(entry(2).commit, deadline(), "other bytes"));
    created(&store, &key(1), &first).await;
    assert_eq!(store.create(&key(1), &second).await.unwrap(), Created::Exists);
    let found = store.load(&key(1)).await.unwrap().unwrap();
    assert_eq!((found.version, found.deadline), (version(1), first.deadline));
    assert_eq!(found.bytes, first.bytes);

    clock.set(first.deadline);
    let later = first.deadline.saturating_add(HOUR);
    let third = NewEntry::new(entry(3).commit, later, "the third bytes");
    created(&store, &key(1), &third).await;
    let found = store.load(&key(1)).await.unwrap().unwrap();
    assert_eq!((found.version, found.deadline), (version(3), later));
    assert_eq!(found.bytes, third.bytes);
}

/// The number that a create leaves is its own and not one of a create before it on the connection.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn creates_on_one_connection_do_not_see_each_others_numbers() {
    let server = Server::start();
    let store = patient().max_connections(1).connect(&at(server.port)).await.unwrap();
    created(&store, &key(1), &entry(1)).await;
    for number in 2..20 {
        assert_eq!(store.create(&key(1), &entry(number)).await.unwrap(), Created::Exists);
        created(&store, &key(number), &entry(number)).await;
    }
}

/// An update that sets what is there already changes no row. A replace has a new version each time, and a
/// touch a later deadline, so neither can.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn equal_bytes_and_an_equal_deadline_are_still_a_replace() {
    let server = Server::start();
    let store = store(&server).await;
    let (first, second) = (entry(1), entry(2));
    created(&store, &key(1), &first).await;
    let same = NewEntry::new(second.commit, first.deadline, first.bytes.clone());
    let replaced = store.replace(&key(1), &version(1), &same).await.unwrap();
    assert_eq!(replaced, Replaced::Done(version(2)));
    let touched = store.touch(&key(1), &version(2), first.deadline).await.unwrap();
    assert_eq!(touched, Touched::Skipped);
    let later = first.deadline.saturating_add(MINUTE);
    assert_eq!(store.touch(&key(1), &version(2), later).await.unwrap(), Touched::Done);
}

/// The library sends a commit again whose answer was lost. If it had been applied, the second is refused
/// with the row that the first has written.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_commit_that_is_sent_twice_is_applied_once() {
    let server = Server::start();
    let store = store(&server).await;
    created(&store, &key(1), &entry(1)).await;
    let new = entry(2);
    let replaced = store.replace(&key(1), &version(1), &new).await.unwrap();
    assert_eq!(replaced, Replaced::Done(version(2)));
    for expected in [version(1), version(2)] {
        let Replaced::Conflict(found) = store.replace(&key(1), &expected, &new).await.unwrap()
        else {
            panic!("it was applied twice")
        };
        assert_eq!(found.version, version(2));
    }
    let late = NewEntry::new(entry(1).commit, deadline(), "again");
    assert_eq!(store.create(&key(1), &late).await.unwrap(), Created::Exists);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_deadline_is_exact_to_the_millisecond() {
    let server = Server::start();
    let (store, clock) = store_with_clock(&server).await;
    let new = entry(1);
    let version = created(&store, &key(1), &new).await;
    clock.set(new.deadline.saturating_sub(Duration::from_millis(1)));
    assert!(store.load(&key(1)).await.unwrap().is_some());
    clock.set(new.deadline);
    assert_eq!(store.load(&key(1)).await.unwrap(), None);
    assert_eq!(store.replace(&key(1), &version, &entry(2)).await.unwrap(), Replaced::Gone);
    let later = new.deadline.saturating_add(HOUR);
    assert_eq!(store.touch(&key(1), &version, later).await.unwrap(), Touched::Gone);
    assert_eq!(server.sql(&format!("SELECT COUNT(*) FROM {TABLE}")), "1", "it is still there");
}

/// In strict mode the server refuses a value that does not fit. Otherwise it would cut it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn nothing_is_cut_where_the_servers_default_would_cut_it() {
    let server = Server::with(&["--sql-mode="]);
    let store = store(&server).await;
    server.sql(&format!("ALTER TABLE {TABLE} MODIFY bytes tinyblob NOT NULL"));
    let large = NewEntry::new(entry(1).commit, deadline(), vec![b'x'; 300]);
    let error = store.create(&key(1), &large).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TooLarge, "{error:?}");
    assert_eq!(store.load(&key(1)).await.unwrap(), None);
}
