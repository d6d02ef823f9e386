//! Processes that die, servers that hang and restart, cables that are pulled.

use std::time::{Duration, Instant};

use cloakroom::store::{Replaced, SessionStore, StoreErrorKind, Version};
use cloakroom_nfs::{Answer, Command};

use crate::hosts::{Hosts, LEASE, counter, entry, key, total};
use crate::sharing::count;

/// A process on one host is killed while it writes, next to a reader on the same host. The other
/// host finds whole sessions, and the lock is free at once.
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
        let reader = a.actor.clone();
        let watch = Command::Watch { store: a.store, key: [1; 32], millis: 600 };
        let watching = tokio::spawn(async move { reader.ask(&watch).await });
        let writer = beside.actor.clone();
        let counting = Command::Count { store: beside.store, key: [1; 32], times: 100_000 };
        let writing = tokio::spawn(async move { writer.try_ask(&counting).await });
        tokio::time::sleep(Duration::from_millis(150 + u64::from(round) * 13)).await;
        neighbour.kill().await;
        assert!(writing.await.unwrap().is_err(), "the writer was killed");

        let found = total(&b, &key(1)).await;
        assert!(found > last, "{found} after {last}: nothing was written");
        let there = b.load(&key(1)).await.unwrap().unwrap();
        let next = entry(1 << 40 | found, &(found + 1).to_be_bytes());
        // A lock that was left behind would stay: the host lives, and its lease with it.
        let replaced = b.replace(&key(1), &there.version, &next).await.unwrap();
        assert!(matches!(replaced, Replaced::Done(_)), "{replaced:?}");
        last = found + 1;
        match watching.await.unwrap() {
            Answer::Watched { missing: 0, .. } => {}
            other => panic!("{other:?}"),
        }
    }
    println!("  12 kills, {last} writes");
}

/// Counts on both hosts while something goes wrong.
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
        hosts.signal_server("-STOP");
        // More loads than a store has workers. The process itself is not frozen with them: what needs
        // no file is answered.
        let loads = (0..150).map(|number| {
            let a = a.clone();
            tokio::spawn(async move { a.load(&key(number)).await })
        });
        let loads: Vec<_> = loads.collect();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(4) {
            for actor in [&hosts.a, &hosts.b] {
                // A runtime that is stuck is so for as long as the server.
                let ping = tokio::time::timeout(Duration::from_secs(20), actor.ask(&Command::Ping));
                assert!(ping.await.is_ok(), "the runtime is stuck");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        hosts.signal_server("-CONT");
        for load in loads {
            // None of them was begun and given up half-way.
            let kind = load.await.unwrap().map_err(|error| error.kind());
            assert!(matches!(kind, Ok(None) | Err(StoreErrorKind::Unavailable)), "{kind:?}");
        }
    };
    count_through(&hosts, freeze).await;
}

pub(crate) async fn a_restarted_server_loses_nothing(hosts: Hosts) {
    let restart = async {
        hosts
            .server
            .run("rpc.nfsd 0; sleep 1; rpc.nfsd --no-nfs-version 3 --nfs-version 4.1 4")
            .await;
    };
    count_through(&hosts, restart).await;
}

pub(crate) async fn a_client_cut_off_for_less_than_the_lease_loses_nothing(hosts: Hosts) {
    let cut = async {
        hosts.unplug(2);
        tokio::time::sleep(LEASE / 2).await;
        hosts.plug_in(2);
    };
    count_through(&hosts, cut).await;
}

/// Documented, and no more than that: of a client that comes back after its lease has run out, one
/// write for each command that was under way may arrive late, whole.
pub(crate) async fn beyond_the_lease_one_late_publish_is_possible(hosts: Hosts) {
    let (a, b) = hosts.stores().await;
    counter(&a, &key(1)).await;
    let counting = {
        let a = a.clone();
        tokio::spawn(async move { count(&[&a], 1, 300).await })
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    hosts.unplug(2);
    tokio::time::sleep(LEASE + LEASE / 2).await;

    // The lock, if it was held, is somebody else's now.
    const MARK: u64 = 1_000_000;
    let there = b.load(&key(1)).await.unwrap().unwrap();
    let mark = entry(7, &MARK.to_be_bytes());
    let replaced = b.replace(&key(1), &there.version, &mark).await.unwrap();
    assert_eq!(replaced, Replaced::Done(Version::from(mark.commit)));
    hosts.plug_in(2);
    let counted = tokio::time::timeout(Duration::from_secs(60), counting).await;
    let (done, failed) = counted.unwrap().unwrap();
    let (here, there) = (total(&a, &key(1)).await, total(&b, &key(1)).await);
    let late = here < MARK;
    println!("  {done} acknowledged, {failed} failed; a late publish: {late}");
    assert_eq!((here, done), (there, 300));
    // Counted on from the mark, or from what came late; nothing was counted twice.
    let counted = if late { here } else { here - MARK };
    assert!(counted > 0 && counted <= done + failed, "{counted} counted");
}
