//! Counts the requests that each command makes, as the client's kernel reports them.

use std::collections::BTreeMap;

use cloakroom::store::{SessionStore, StoreKey};

use crate::hosts::{Hosts, created, entry};

type Requests = BTreeMap<String, u64>;

const TIMES: u8 = 20;

pub(crate) async fn each_command_makes_as_many_requests_as_documented(hosts: Hosts) {
    let (a, b, alone) = hosts.stores_and_one_that_is_alone().await;
    let keys = || (0..TIMES).map(|number| StoreKey::from_bytes([number; 32]));
    // Opens the lock files, and lets the client cache the folders.
    for key in keys() {
        a.delete(&key).await.unwrap();
    }
    let version = |commit| entry(commit, b"").commit.into();
    let mut costs = BTreeMap::new();

    let before = requests(&hosts).await;
    for key in keys() {
        created(&a, &key, &entry(1, b"a coat")).await;
    }
    costs.insert("create", since(&before, &requests(&hosts).await));

    for (store, command) in [(&a, "load again"), (&alone, "load again, mount not shared")] {
        let before = requests(&hosts).await;
        for key in keys() {
            store.load(&key).await.unwrap().unwrap();
        }
        costs.insert(command, since(&before, &requests(&hosts).await));
    }

    for (store, command, next) in [
        (&alone, "load after another host's write, mount not shared", 2),
        (&a, "load after another host's write", 3),
    ] {
        for key in keys() {
            b.replace(&key, &version(next - 1), &entry(next, b"a hat")).await.unwrap();
        }
        let before = requests(&hosts).await;
        for key in keys() {
            store.load(&key).await.unwrap().unwrap();
        }
        costs.insert(command, since(&before, &requests(&hosts).await));
    }

    let before = requests(&hosts).await;
    for key in keys() {
        a.replace(&key, &version(3), &entry(4, b"a coat")).await.unwrap();
    }
    costs.insert("replace", since(&before, &requests(&hosts).await));

    let before = requests(&hosts).await;
    for key in keys() {
        a.delete(&key).await.unwrap();
    }
    costs.insert("delete", since(&before, &requests(&hosts).await));

    let before = requests(&hosts).await;
    for key in keys() {
        assert_eq!(a.load(&key).await.unwrap(), None);
    }
    costs.insert("load of nothing", since(&before, &requests(&hosts).await));

    for (command, requests) in &costs {
        let total: u64 = requests.values().sum();
        println!("  {command}: {:.1} requests: {requests:?}", total as f64 / f64::from(TIMES));
    }
    // The numbers of docs/efs.md, and a little more, because a client sends some requests by itself: for
    // a folder's attributes, for example.
    for (command, most) in [
        ("create", 8.0),
        ("load again", 4.5),
        ("load again, mount not shared", 3.5),
        ("load after another host's write", 7.0),
        ("load after another host's write, mount not shared", 6.0),
        ("replace", 16.0),
        ("delete", 12.0),
        ("load of nothing", 8.0),
    ] {
        let total: u64 = costs[command].values().sum();
        let each = total as f64 / f64::from(TIMES);
        assert!(each <= most, "{command}: {each} requests, {most} are documented");
    }
}

/// Returns the number of requests that client A has sent until now, by operation.
async fn requests(hosts: &Hosts) -> Requests {
    let stats = hosts.a.run("sed -n '/per-op/,$p' /proc/self/mountstats").await;
    let lines = stats.lines().filter_map(|line| {
        let (operation, numbers) = line.trim().split_once(": ")?;
        Some((operation.to_owned(), numbers.split(' ').next()?.parse().ok()?))
    });
    lines.collect()
}

fn since(before: &Requests, after: &Requests) -> Requests {
    let more = after.iter().map(|(operation, sent)| {
        let sent_before = before.get(operation).copied().unwrap_or(0);
        (operation.clone(), sent - sent_before)
    });
    more.filter(|(operation, sent)| *sent > 0 && operation != "SEQUENCE").collect()
}
