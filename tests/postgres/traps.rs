//! The traps of statements under READ COMMITTED: what a loser is told, and who wins twice. And that no update
//! touches an index.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloakroom::store::{
    CommitId, NewEntry, PostgresStore, Replaced, SessionStore, StoreKey, Touched, Version,
};
use cloakroom_testing::MINUTE;
use cloakroom_testing::postgres::{DATABASE, PASSWORD, Server, USER, table};
use cloakroom_testing::processes::wait_until;
use tokio::task::JoinSet;
use tokio_postgres::NoTls;

use super::stores::{at, builder, created, entry, key, new_store, store};

const TASKS: usize = 64;
const KEYS: u8 = 8;
const ROUNDS: usize = 30;

fn commit(number: usize) -> NewEntry {
    let commit = CommitId::from_bytes((number as u64).to_be_bytes());
    NewEntry::new(commit, entry(1).deadline, number.to_string())
}

/// The answers that the tasks of one race got.
#[derive(Default)]
struct Tally {
    done: AtomicUsize,
    conflicts: AtomicUsize,
    shown_their_own: AtomicUsize,
}

/// Loads and replaces without a pause. Returns the versions that it replaced.
async fn load_and_replace(
    store: PostgresStore,
    task: usize,
    tally: Arc<Tally>,
) -> Vec<(StoreKey, Version)> {
    let mut replaced = Vec::new();
    for round in 0..ROUNDS {
        let key = key((task + round) as u8 % KEYS);
        let found = store.load(&key).await.unwrap().unwrap();
        let new = commit(1_000 + task * ROUNDS + round);
        match store.replace(&key, &found.version, &new).await.unwrap() {
            Replaced::Done(_) => {
                tally.done.fetch_add(1, Ordering::Relaxed);
                replaced.push((key, found.version));
            }
            Replaced::Conflict(now) => {
                tally.conflicts.fetch_add(1, Ordering::Relaxed);
                let own = usize::from(now.version == found.version);
                tally.shown_their_own.fetch_add(own, Ordering::Relaxed);
            }
            Replaced::Gone => panic!("nobody deletes it"),
        }
    }
    replaced
}

async fn race(stores: Vec<PostgresStore>) {
    for number in 0..KEYS {
        created(&stores[0], &key(number), &commit(usize::from(number))).await;
    }
    let tally = Arc::new(Tally::default());
    let tasks: JoinSet<_> = (0..TASKS)
        .map(|task| load_and_replace(stores[task % stores.len()].clone(), task, tally.clone()))
        .collect();
    let mut won: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let count = won.len();
    won.sort_by_key(|(key, version)| (*key, version.as_bytes().to_vec()));
    won.dedup();
    assert_eq!(won.len(), count, "one version was replaced twice");
    let [done, conflicts, own] = [&tally.done, &tally.conflicts, &tally.shown_their_own]
        .map(|count| count.load(Ordering::Relaxed));
    println!("{done} done, {conflicts} conflicts");
    assert_eq!(own, 0, "losers were shown the version that they had expected");
    assert!(done > 0 && conflicts > TASKS, "{done} done, {conflicts} conflicts");
}

/// Each of eight stores is another server of the app.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn nobody_wins_twice_and_no_loser_is_shown_its_own_version() {
    let table = table();
    let mut stores = Vec::new();
    for _ in 0..8 {
        let builder = builder(&table).connections(4).command_timeout(MINUTE);
        stores.push(builder.connect(&at(Server::shared())).await.unwrap());
    }
    race(stores).await;
}

/// The store asks for READ COMMITTED on its own connections, whatever the user's default is.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_user_whose_default_is_serializable_meets_no_error() {
    let server = Server::start();
    server.sql(&format!("ALTER ROLE {USER} SET default_transaction_isolation = serializable"));
    let table = table();
    let builder = || builder(&table).connections(2).command_timeout(MINUTE);
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(builder().connect(&at(&server)).await.unwrap());
    }
    race(stores).await;
    let rolled_back = server
        .sql(&format!("SELECT xact_rollback FROM pg_stat_database WHERE datname = '{DATABASE}'"));
    assert_eq!(rolled_back, "0", "transactions were rolled back");
}

/// `UPDATE … RETURNING` beside a `SELECT` of the same row, which this store must not use.
const TRAP: &str = "WITH u AS (UPDATE {table} SET version = $3 WHERE key = $1 AND version = $2 RETURNING 1) \
     SELECT true AS done, NULL::bytea AS version FROM u UNION ALL \
     SELECT false, version FROM {table} WHERE key = $1 AND NOT EXISTS (SELECT FROM u)";

/// Makes the race of one loser and one winner certain: the loser waits for the row that the winner holds.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn the_trap_shows_a_loser_its_own_version_and_this_store_does_not() {
    let (store, table) = new_store().await;
    let key = key(1);
    let before = created(&store, &key, &commit(1)).await;
    let [winner, loser] = [connect().await, connect().await];
    let trap = TRAP.replace("{table}", &table);

    let losing = async {
        let expected = before.as_bytes();
        loser.query(&trap, &[&&key.as_bytes()[..], &expected, &&b"loser..."[..]]).await.unwrap()
    };
    let rows = held(&winner, &table, &commit(2), losing).await;
    let (done, shown): (bool, Option<&[u8]>) = (rows[0].get(0), rows[0].get(1));
    assert!(!done && shown == Some(before.as_bytes()), "the trap has gone: {shown:?}");

    let now = store.load(&key).await.unwrap().unwrap().version;
    let new = commit(4);
    let replacing = store.replace(&key, &now, &new);
    let answer = held(&winner, &table, &commit(3), replacing).await.unwrap();
    let Replaced::Conflict(shown) = answer else { panic!("{answer:?}") };
    assert_eq!(shown.version, Version::from(commit(3).commit));
    assert_eq!(shown.bytes, "3");

    let later = entry(1).deadline.saturating_add(MINUTE);
    let touching = store.touch(&key, &shown.version, later);
    assert_eq!(held(&winner, &table, &commit(5), touching).await.unwrap(), Touched::Skipped);
}

/// A write that was sent twice, because its first answer was lost, meets itself as a conflict: the session is
/// not gone.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_write_that_meets_itself_is_a_conflict() {
    let (store, table) = new_store().await;
    let key = key(1);
    let before = created(&store, &key, &commit(1)).await;
    let winner = connect().await;
    let again = commit(2);
    let answer = held(&winner, &table, &again, store.replace(&key, &before, &again)).await.unwrap();
    let Replaced::Conflict(shown) = answer else { panic!("{answer:?}") };
    assert_eq!(shown.version, Version::from(again.commit));
}

async fn connect() -> tokio_postgres::Client {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(Server::shared().port);
    config.user(USER).password(PASSWORD).dbname(DATABASE);
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Writes `new` into the only row in a transaction, and commits when `waiting` waits for that row's lock.
async fn held<T>(
    winner: &tokio_postgres::Client,
    table: &str,
    new: &NewEntry,
    waiting: impl Future<Output = T>,
) -> T {
    winner.batch_execute("BEGIN").await.unwrap();
    let update = format!("UPDATE {table} SET version = $1, bytes = $2");
    let version = &new.commit.as_bytes()[..];
    winner.execute(&update, &[&version, &&new.bytes[..]]).await.unwrap();
    let commit = async {
        tokio::task::spawn_blocking({
            let text = format!(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                 AND query LIKE '%{table} %'"
            );
            move || wait_until("somebody who waits", || Server::shared().sql(&text) == "1")
        })
        .await
        .unwrap();
        winner.batch_execute("COMMIT").await.unwrap();
    };
    tokio::join!(waiting, commit).0
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn every_touch_and_replace_is_a_heap_only_update() {
    let table = table();
    let opened = store(Server::shared(), &table).await;
    for number in 0..100 {
        let key = key(number);
        let mut version = created(&opened, &key, &sized(number, 0)).await;
        for round in 1..6 {
            let later = entry(1).deadline.saturating_add(MINUTE * round);
            assert_eq!(opened.touch(&key, &version, later).await.unwrap(), Touched::Done);
            let new = sized(number, round as u8);
            match opened.replace(&key, &version, &new).await.unwrap() {
                Replaced::Done(now) => version = now,
                other => panic!("{other:?}"),
            }
        }
    }
    // A session of the server reports its counts when it ends.
    drop(opened);
    let counts = format!(
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = '{table}'"
    );
    wait_until("the counts", || Server::shared().sql(&counts).starts_with("1000|"));
    assert_eq!(Server::shared().sql(&counts), "1000|1000");
}

fn sized(number: u8, round: u8) -> NewEntry {
    let commit = CommitId::from_bytes([round, 0, 0, 0, 0, 0, 0, number]);
    NewEntry::new(commit, entry(1).deadline, vec![round; 3_000])
}
