//! Outages: processes that die, servers that hang or restart, clients that are cut off.

use std::time::{Duration, Instant};

use cloakroom::store::{Replaced, SessionStore, StoreErrorKind, StoreKey, Version};
use cloakroom_nfs::{Answer, Command, Remote};

use crate::hosts::{Hosts, LEASE, counter, entry, key, total};
use crate::sharing::{count, end};

/// A process is killed while it writes and another on the same host reads. The other host finds whole
/// sessions, and the lock is free at once.
pub(crate) async fn killed_writers_leave_whole_sessions_and_no_lock(hosts: Hosts) {
    let root = hosts.folder().await;
    let now = cloakroom::Clock::system().now();
    let (a, b) = (hosts.a.open(&root, now).await, hosts.b.open(&root, now).await);
    counter(&a, &key(1)).await;
    let mut last = 0;
    for round in 0..12_u16 {
        let address = format!("10.98.0.2:{}", 7_100 + round);
        let neighbour = hosts.neighbour(&hosts.a, &address).await;
        let beside = neighbour.actor.open(&root, now).await;
        let writer = beside.actor.clone();
        let counting = Command::Count { store: beside.store, key: [1; 32], times: 100_000 };
        let writing = tokio::spawn(async move { writer.try_ask(&counting).await });
        counted_beyond(&b, last).await;
        let reader = a.actor.clone();
        let watch = Command::Watch { store: a.store, key: [1; 32], millis: 600 };
        let watching = tokio::spawn(async move { reader.ask(&watch).await });
        tokio::time::sleep(Duration::from_millis(50 + u64::from(round) * 13)).await;
        neighbour.kill().await;
        assert!(writing.await.unwrap().is_err(), "the writer was killed");

        // A lock that was left behind would stay, because the host goes on renewing its lease.
        let next = counted_once(&b, &key(1)).await;
        assert!(next > last + 1, "{next} after {last}: nothing was written");
        last = next;
        match watching.await.unwrap() {
            Answer::Watched { missing: 0, errors, .. } if errors.is_empty() => {}
            other => panic!("{other:?}"),
        }
    }
    println!("  12 kills, {last} writes");
}

/// Waits until a writer has counted beyond `last`, however slow the machine is.
async fn counted_beyond(store: &Remote, last: u64) {
    let began = Instant::now();
    let counted = |bytes: &[u8]| u64::from_be_bytes(*bytes.first_chunk().unwrap());
    // A load that times out beside a writer is not a failure of this test.
    while !matches!(store.load(&key(1)).await, Ok(Some(there)) if counted(&there.bytes) > last) {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing is written");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Increments the counter once. The killed process's last write may arrive in between.
async fn counted_once(store: &Remote, key: &StoreKey) -> u64 {
    for _ in 0..10 {
        let there = store.load(key).await.unwrap().unwrap();
        let next = u64::from_be_bytes(*there.bytes.first_chunk().unwrap()) + 1;
        let new = entry(1 << 40 | next, &next.to_be_bytes());
        match store.replace(key, &there.version, &new).await.unwrap() {
            Replaced::Done(_) => return next,
            Replaced::Conflict(_) => {}
            Replaced::Gone => panic!("gone"),
        }
    }
    panic!("another process goes on writing");
}

/// Counts on both hosts during an outage, and checks that every acknowledged increment is there.
async fn count_through(hosts: &Hosts, trouble: impl Future<Output = ()>) {
    let (a, b) = hosts.stores().await;
    counter(&a, &key(1)).await;
    let counting = {
        let (a, b) = (a.clone(), b.clone());
        tokio::spawn(async move { count(&[&a, &b], 3, 60).await })
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    trouble.await;
    let (done, failed) =
        tokio::time::timeout(Duration::from_secs(90), counting).await.unwrap().unwrap();
    let totals = [total(&a, &key(1)).await, total(&b, &key(1)).await];
    println!("  {done} acknowledged, {failed} failed, {totals:?} counted");
    assert_eq!(done, 360);
    assert!(totals[0] == totals[1] && totals[0] >= done && totals[0] <= done + failed);
}

pub(crate) async fn a_frozen_server_delays_and_loses_nothing(hosts: Hosts) {
    let (a, _) = hosts.stores().await;
    let freeze = async {
        let frozen = hosts.freeze_server();
        // More loads than a store has workers. The process itself does not freeze with them: it answers
        // commands that need no file.
        let loads = (0..150).map(|number| {
            let a = a.clone();
            tokio::spawn(async move { a.load(&key(number)).await })
        });
        let loads: Vec<_> = loads.collect();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(4) {
            for actor in [&hosts.a, &hosts.b] {
                // A runtime that is stuck stays so until the server continues.
                let ping = tokio::time::timeout(Duration::from_secs(20), actor.ask(&Command::Ping));
                assert!(ping.await.is_ok(), "the runtime is stuck");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        drop(frozen);
        for load in loads {
            // No load was begun and abandoned.
            let kind = load.await.unwrap().map_err(|error| error.kind());
            assert!(matches!(kind, Ok(None) | Err(StoreErrorKind::Unavailable)), "{kind:?}");
        }
    };
    count_through(&hosts, freeze).await;
}

pub(crate) async fn a_restarted_server_loses_nothing(hosts: Hosts) {
    count_through(&hosts, hosts.restart_server()).await;
}

pub(crate) async fn a_client_cut_off_for_less_than_the_lease_loses_nothing(hosts: Hosts) {
    let cut = async {
        hosts.unplug(2);
        tokio::time::sleep(LEASE / 2).await;
        hosts.plug_in(2);
    };
    count_through(&hosts, cut).await;
}

/// A client is cut off for longer than its lease while some of its writes are in their last step: the
/// successor lies ready, and the request that publishes it is under way. Another host writes meanwhile,
/// and the late requests do not undo that.
pub(crate) async fn a_write_that_arrives_after_the_lease_undoes_no_later_write(hosts: Hosts) {
    const SESSIONS: u8 = 48;
    const MARK: u64 = 1_000_000;
    /// As in `src/store/file/lock_queue.rs`.
    const TRUSTED_FOR: Duration = Duration::from_secs(20);
    let root = hosts.folder().await;
    let now = cloakroom::Clock::system().now();
    let (a, b) = (hosts.a.open(&root, now).await, hosts.b.open(&root, now).await);
    for number in 0..SESSIONS {
        counter(&a, &key(number)).await;
    }
    let counting: Vec<_> = (0..SESSIONS)
        .map(|number| {
            let (actor, store) = (a.actor.clone(), a.store);
            let count = Command::Count { store, key: *key(number).as_bytes(), times: u64::MAX };
            tokio::spawn(async move { actor.ask(&count).await })
        })
        .collect();
    let ready = cut_off_with_a_publish_under_way(&hosts, &root).await;
    // Longer than the lease, and longer than a process relies on a lock. Real leases are longer than the
    // latter, so no process begins another step after it has lost its lock.
    tokio::time::sleep((LEASE + LEASE / 2).max(TRUSTED_FOR + Duration::from_secs(2))).await;

    // The server gives the locks of the client that is cut off to others.
    for number in 0..SESSIONS {
        let there = b.load(&key(number)).await.unwrap().unwrap();
        let mark = entry(7, &MARK.to_be_bytes());
        let replaced = b.replace(&key(number), &there.version, &mark).await.unwrap();
        assert_eq!(replaced, Replaced::Done(Version::from(mark.commit)));
    }
    hosts.plug_in(2);
    // The client counts on from the mark in each session; then the session ends.
    for number in 0..SESSIONS {
        let mut counted = MARK;
        for _ in 0..1_200 {
            counted = total(&b, &key(number)).await;
            assert!(counted >= MARK, "session {number} was set back to {counted}");
            if counted > MARK {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(counted > MARK, "session {number} is not written any more");
        end(&b, &key(number)).await;
    }
    let mut sums = (0, 0);
    for counted in counting {
        match tokio::time::timeout(Duration::from_secs(120), counted).await.unwrap().unwrap() {
            Answer::Counted { done, failed } => sums = (sums.0 + done, sums.1 + failed),
            other => panic!("{other:?}"),
        }
    }
    println!("  {ready} lay ready; {} acknowledged in all, {} failed", sums.0, sums.1);
}

/// Cuts the client off again and again until it happens between the last two steps of a write. Returns
/// the number of such writes.
async fn cut_off_with_a_publish_under_way(hosts: &Hosts, root: &str) -> usize {
    let ready = format!("ls -A {}/sessions/*", root.replace("/mnt/efs", "/mnt/exported"));
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        hosts.unplug(2);
        // Requests that have left the client arrive.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let names = hosts.server.run(&ready).await;
        let ready = names.lines().filter(|name| name.ends_with(".next")).count();
        if ready > 0 {
            return ready;
        }
        hosts.plug_in(2);
    }
    panic!("the client was never cut off at the right moment");
}
