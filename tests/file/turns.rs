//! Commands that wait: for each other, for a worker, or because nobody polls them any more.

use std::future::poll_fn;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use cloakroom::ManualClock;
use cloakroom::store::{Durability, FileStore, SessionStore, StoreKey, Version};

use crate::folder::{Folder, START, created, entry, key, live};

/// Far more than a busy machine needs, and less than the commands' own timeout: a command that waits for
/// one that is not polled would come too late.
const SOON: Duration = Duration::from_secs(60);
const UNPOLLED: u8 = 32;

async fn open(folder: &Folder, workers: usize) -> FileStore {
    let options = folder.options().clock(ManualClock::at(START)).workers(workers);
    options.command_timeout(SOON * 10).open().await.unwrap()
}

type Command<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Polls a command once. Returns it, unless that was enough for it.
async fn polled_once<T>(mut command: Command<'_, T>) -> Option<Command<'_, T>> {
    let polled = poll_fn(|context| Poll::Ready(command.as_mut().poll(context))).await;
    polled.is_pending().then_some(command)
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, what).await.expect("it waits for a command that nobody polls")
}

/// A key behind the same lock as `key(1)`.
fn neighbour(number: u8) -> StoreKey {
    let mut bytes = [1; 32];
    bytes[31] = number;
    StoreKey::from_bytes(bytes)
}

/// Its client has stopped reading, for example. Neither from within the lock queue nor from its head does
/// it delay another.
#[tokio::test]
async fn commands_that_are_not_polled_keep_no_lock_from_others() {
    let folder = Folder::new();
    let store = open(&folder, 64).await;
    let version = created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    let (later, others, session) = (entry(0, 90, b"").deadline, folder.lock(&key(1)), key(1));
    let mut unpolled = Vec::new();
    for _ in 0..UNPOLLED {
        let waits = polled_once(store.touch(&session, &version, later)).await;
        unpolled.push(waits.expect("the lock is held"));
    }
    drop(others);
    soon(store.delete(&neighbour(9))).await.unwrap();
    soon(store.delete(&key(1))).await.unwrap();
}

/// One worker serves them all. A free worker that is given to a command which nobody polls would be lost.
#[tokio::test]
async fn commands_that_are_not_polled_keep_no_worker_from_others() {
    let folder = Folder::new();
    let store = open(&folder, 1).await;
    let version = created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    let (new, later, session) = (entry(2, 60, b""), entry(0, 90, b"").deadline, key(1));
    let absent: Vec<_> = (100..100 + UNPOLLED).map(key).collect();
    let (mut loads, mut creates, mut touches) = (Vec::new(), Vec::new(), Vec::new());
    for absent in &absent {
        loads.extend(polled_once(store.load(&session)).await);
        creates.extend(polled_once(store.create(absent, &new)).await);
        touches.extend(polled_once(store.touch(&session, &version, later)).await);
    }
    assert!(loads.len() + creates.len() > usize::from(UNPOLLED), "most wait for the only worker");
    assert_eq!(soon(live(&store, &key(1))).await.bytes, "a coat");
    soon(created(&store, &key(3), &entry(3, 60, b"a hat"))).await;
    soon(store.delete(&key(1))).await.unwrap();
}

/// Sixty commands of one session wait for the lock when a command of another session comes to it. It does
/// not wait for them.
#[tokio::test]
async fn a_busy_session_does_not_keep_the_lock_from_another() {
    let folder = Folder::new();
    let store = open(&folder, 64).await;
    let version = created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    let (stranger, order) = (neighbour(9), Arc::new(Mutex::new(Vec::new())));
    created(&store, &stranger, &entry(1, 60, b"a hat")).await;
    let others = folder.lock(&key(1));
    let mut waiting = tokio::task::JoinSet::new();
    for session in [key(1); 60].into_iter().chain([stranger]) {
        let (store, order) = (store.clone(), order.clone());
        waiting.spawn(async move {
            touch(&store, &session, &version).await;
            order.lock().unwrap().push(session);
        });
        // There is one thread, so the command is in its queue now.
        tokio::task::yield_now().await;
    }
    drop(others);
    waiting.join_all().await;
    let place = order.lock().unwrap().iter().position(|session| *session == stranger);
    // One command had the head of the queue, and another may be noted before it.
    assert!(place.unwrap() <= 3, "it waited for {place:?} commands of another session");
}

async fn touch(store: &FileStore, session: &StoreKey, version: &Version) {
    store.touch(session, version, START).await.unwrap();
}

/// The child: 64 tasks change one session for ever.
pub(crate) async fn keep_a_session_busy(root: &Path) {
    let options = FileStore::builder(root).sweep_every(None).clock(ManualClock::at(START));
    let options = options.durability(Durability::None);
    let store = options.command_timeout(SOON).open().await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..64 {
        let store = store.clone();
        tasks.spawn(async move {
            for turn in 0.. {
                let version = live(&store, &key(1)).await.version;
                let new = entry(turn * 64 + number, 60, b"a coat");
                store.replace(&key(1), &version, &new).await.unwrap();
            }
        });
        if number == 0 {
            println!("busy");
        }
    }
    tasks.join_all().await;
}

/// Several processes keep one session busy. A command on another session behind its lock gets the lock in
/// time all the same. The disk may take its time for a write, so none is waited for.
#[tokio::test]
#[ignore = "keeps the machine busy"]
async fn a_session_that_is_busy_in_several_processes_does_not_keep_the_lock_from_another() {
    let folder = Folder::new();
    let options = folder.options().clock(ManualClock::at(START)).durability(Durability::None);
    let store = options.command_timeout(SOON).open().await.unwrap();
    created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    let mut busy: Vec<_> = (0..4).map(|_| crate::killed::start("busy", folder.path())).collect();
    for child in &mut busy {
        let output = BufReader::new(child.stdout.take().unwrap());
        assert!(output.lines().map_while(Result::ok).any(|line| line.ends_with("busy")));
    }
    let mut waits = Vec::new();
    for _ in 0..40 {
        let began = Instant::now();
        store.delete(&neighbour(9)).await.unwrap();
        waits.push(began.elapsed());
    }
    for child in &mut busy {
        assert!(child.try_wait().unwrap().is_none(), "it was busy to the end");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    waits.sort();
    println!("the longest waits were {:?}", &waits[36..]);
    // The default timeout. The whole machine may stand still now and then.
    let in_time = waits.iter().filter(|wait| **wait < Duration::from_millis(1_500)).count();
    assert!(in_time >= 36, "{in_time} of 40 in time: {waits:?}");
}
