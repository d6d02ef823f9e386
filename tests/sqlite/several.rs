//! Several processes on one database.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cloakroom::store::{SessionStore, SqliteStore, SqliteSynchronous, StoreKey};
use cloakroom::{Key, SessionLayer};
use cloakroom_testing::{COOKIE, MINUTE, Visitor, respond};
use tokio::task::JoinSet;

use crate::child::Running;
use crate::database::{Database, entry, number, options};

async fn open(root: &Path) -> SqliteStore {
    // A busy machine is no reason for an outage.
    options().command_timeout(MINUTE).open(root.join("sessions.db")).await.unwrap()
}

async fn layer(root: &Path) -> SessionLayer {
    let layer = SessionLayer::new(open(root).await, Key::from_bytes(&[7; 32]).unwrap());
    layer.command_timeout(MINUTE).commit_timeout(MINUTE)
}

fn visitor(layer: &SessionLayer, ticket: &str) -> Visitor {
    let visitor = Visitor::new(layer.clone());
    visitor.set_cookie(COOKIE, ticket);
    visitor
}

/// Makes sessions that hold `k = 0`, and writes their tickets into a file.
async fn tickets(database: &Database, layer: &SessionLayer, sessions: usize) -> Vec<String> {
    let mut tickets = Vec::new();
    for _ in 0..sessions {
        let guest = Visitor::new(layer.clone());
        guest.visit(async |session| session.insert("k", &0_u32)).await.is_ok();
        tickets.push(guest.ticket());
    }
    fs::write(database.beside("tickets"), tickets.join("\n")).unwrap();
    tickets
}

fn read_tickets(root: &Path) -> Vec<String> {
    let tickets = fs::read_to_string(root.join("tickets")).unwrap();
    tickets.lines().map(str::to_owned).collect()
}

const UPDATES: u32 = 64;

/// The child: adds one to the first session's `k`, in many parallel requests.
pub(crate) async fn count(root: &Path) {
    let (layer, ticket) = (layer(root).await, read_tickets(root).remove(0));
    let mut requests = JoinSet::new();
    for _ in 0..UPDATES {
        let tab = visitor(&layer, &ticket);
        requests.spawn(async move {
            let add = tab.visit(async |session| session.update("k", |k: &mut u32| *k += 1));
            add.await.is_ok();
        });
    }
    requests.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p05_parallel_updates_of_three_processes_lose_nothing() {
    let database = Database::new();
    let layer = layer(database.folder()).await;
    let ticket = tickets(&database, &layer, 1).await.remove(0);
    let children = [(); 3].map(|()| Running::start("count", database.folder()));
    children.into_iter().for_each(Running::passes);
    let found = visitor(&layer, &ticket).visit(async |session| session.get::<u32>("k")).await;
    assert_eq!(found.body, format!("Some({})", 3 * UPDATES));
}

/// The child: changes every session, if it is there. A logout may come first.
pub(crate) async fn update_all(root: &Path) {
    let layer = layer(root).await;
    each_session(root, move |ticket| {
        let visitor = visitor(&layer, &ticket);
        async move {
            let change = visitor.ask(async |lazy| {
                respond(async { change_if_there(lazy.load().await?).await }.await)
            });
            let answer = change.await;
            assert!([200, 409].contains(&answer.status.as_u16()), "{answer:?}");
        }
    })
    .await;
}

async fn change_if_there(session: cloakroom::Session) -> Result<(), cloakroom::SessionError> {
    for _ in 0..8 {
        if session.get::<u32>("k")?.is_none() {
            return Ok(());
        }
        session.update("k", |k: &mut u32| *k += 1)?;
        session.save().await?;
    }
    Ok(())
}

/// The child: ends every session.
pub(crate) async fn destroy_all(root: &Path) {
    let layer = layer(root).await;
    each_session(root, move |ticket| {
        let visitor = visitor(&layer, &ticket);
        async move {
            let answer = visitor.ask(async |lazy| respond(lazy.destroy().await)).await;
            answer.is_ok();
        }
    })
    .await;
}

/// Goes through the sessions in their order, sixteen at a time.
async fn each_session<F>(root: &Path, work: impl Fn(String) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut running = JoinSet::new();
    for ticket in read_tickets(root) {
        if running.len() == 16 {
            running.join_next().await.unwrap().unwrap();
        }
        running.spawn(work(ticket));
    }
    running.join_all().await;
}

/// `RACES` sets how many there are.
#[tokio::test(flavor = "multi_thread")]
async fn p06_no_process_brings_back_what_another_has_ended() {
    let races = std::env::var("RACES").map_or(500, |races| races.parse().unwrap());
    let database = Database::new();
    let layer = layer(database.folder()).await;
    let tickets = tickets(&database, &layer, races).await;
    let children = ["update", "destroy"].map(|part| Running::start(part, database.folder()));
    children.into_iter().for_each(Running::passes);
    for ticket in tickets {
        let answer = visitor(&layer, &ticket).visit(async |session| session.get::<u32>("k")).await;
        assert_eq!(answer.is_ok().body, "None", "a session came back");
    }
}

/// The child: writes with 64 tasks until it is killed, and prints a line after each 64 writes.
pub(crate) async fn write_without_pause(root: &Path) {
    let store = Arc::new(open(root).await);
    let mut writers = JoinSet::new();
    let written = Arc::new(std::sync::atomic::AtomicU64::new(0));
    for task in 0..64_u8 {
        let (store, written) = (store.clone(), written.clone());
        writers.spawn(async move {
            let mut random = [task; 32];
            for commit in 0_u64.. {
                random[..8].copy_from_slice(&commit.to_be_bytes());
                random[8..12].copy_from_slice(&std::process::id().to_be_bytes());
                let key = StoreKey::from_bytes(random);
                store.create(&key, &entry(commit, 60, b"a coat")).await.unwrap();
                let before = written.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                // The parent may have gone.
                if before % 64 == 0 && writeln!(std::io::stdout(), "wrote {before}").is_err() {
                    return;
                }
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
}

/// With `busy_timeout` alone one of two processes waits for seconds, while the other commits thousands.
#[test]
fn of_processes_that_write_without_pause_none_starves() {
    let database = Database::new();
    let (lines, written) = std::sync::mpsc::channel();
    let readers = [0, 1, 2].map(|number| {
        let (lines, root) = (lines.clone(), database.folder().to_owned());
        std::thread::spawn(move || {
            let mut child = Running::start("busy", &root);
            while child.next("wrote").is_some() {
                if lines.send(Some(number)).is_err() {
                    return;
                }
            }
            // The others would go on without it for ever.
            let _ = lines.send(None);
        })
    });
    let next = || written.recv().unwrap().expect("no child ends by itself");
    let mut counts = [0_u32; 3];
    // Those who started earlier do not count before the last has begun.
    while counts.contains(&0) {
        counts[next()] += 1;
    }
    counts = [0; 3];
    while counts.iter().sum::<u32>() < 1_000 {
        counts[next()] += 1;
    }
    assert!(counts.iter().all(|count| *count > 20), "{counts:?}");
    println!("{counts:?}");
    drop(written);
    for reader in readers {
        reader.join().unwrap();
    }
}

/// Opening at once, from nothing: one database is made, with the permissions of its owner alone.
#[tokio::test(flavor = "multi_thread")]
async fn many_can_make_the_database_at_once() {
    use std::os::unix::fs::MetadataExt;
    let database = Database::new();
    let mut opening = JoinSet::new();
    for synchronous in [SqliteSynchronous::Full, SqliteSynchronous::Normal].repeat(8) {
        opening.spawn(options().synchronous(synchronous).open(database.path()));
    }
    let stores: Vec<_> = opening.join_all().await.into_iter().map(Result::unwrap).collect();
    for (at, store) in stores.iter().enumerate() {
        let key = StoreKey::from_bytes([u8::try_from(at).unwrap(); 32]);
        store.create(&key, &entry(1, 60, b"a coat")).await.unwrap();
    }
    assert_eq!(number(&database.other(), "SELECT count(*) FROM cloakroom"), 16);
    assert_eq!(number(&database.other(), "PRAGMA auto_vacuum"), 2, "incremental");
    for name in ["sessions.db", "sessions.db-wal", "sessions.db-shm"] {
        let mode = fs::metadata(database.beside(name)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let mut left: Vec<_> = fs::read_dir(database.folder()).unwrap().collect();
    left.retain(|file| !file.as_ref().unwrap().file_name().to_string_lossy().starts_with("sess"));
    assert!(left.is_empty(), "{left:?}");
    drop(stores);
}

/// The loser of a replace reads before it could write. As a transaction that begins by reading, it would be
/// refused at once (`BUSY_SNAPSHOT`) whenever another connection has committed in between.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_reads_first_is_not_refused_because_others_commit() {
    let database = Database::new();
    let mut racing = JoinSet::new();
    let key = StoreKey::from_bytes([1; 32]);
    for handle in 0..16_u64 {
        let store = open(database.folder()).await;
        racing.spawn(async move {
            let mut version = entry(999, 0, b"").commit.into();
            for turn in 0..40 {
                let new = entry(handle << 32 | turn, 1 << 30, b"a coat");
                store.create(&key, &new).await.unwrap();
                match store.replace(&key, &version, &new).await.unwrap() {
                    cloakroom::store::Replaced::Done(done) => version = done,
                    cloakroom::store::Replaced::Conflict(there) => version = there.version,
                    cloakroom::store::Replaced::Gone => panic!("nobody deletes it"),
                }
                store
                    .touch(&key, &version, new.deadline.saturating_add(Duration::from_secs(turn)))
                    .await
                    .unwrap();
            }
        });
    }
    racing.join_all().await;
}
