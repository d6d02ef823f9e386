//! Two hosts share sessions: the store's answers are right although NFS clients cache names and files.

use std::time::Duration;

use cloakroom::store::{Created, Replaced, SessionStore, StoreKey, Touched, Version};
use cloakroom_nfs::{Answer, Command, Remote};

use crate::hosts::{Hosts, counter, created, entry, key, total};

/// A client caches for up to a minute that a name is free; a load must not believe it.
pub(crate) async fn a_session_created_on_the_other_host_is_found_after_a_miss(hosts: Hosts) {
    let (a, b) = hosts.stores().await;
    for number in 0..10 {
        let (key, coat) = (key(number), entry(1, b"a coat"));
        assert_eq!(a.load(&key).await.unwrap(), None);
        created(&b, &key, &coat).await;
        assert_eq!(a.load(&key).await.unwrap().unwrap().bytes, "a coat");
    }
    // The same holds for each command that changes a session.
    let version = Version::from(entry(1, b"").commit);
    for number in 100..103 {
        assert_eq!(a.load(&key(number)).await.unwrap(), None);
        created(&b, &key(number), &entry(1, b"a coat")).await;
    }
    let hat = a.replace(&key(100), &version, &entry(2, b"a hat")).await.unwrap();
    assert!(matches!(hat, Replaced::Done(_)));
    assert_eq!(b.load(&key(100)).await.unwrap().unwrap().bytes, "a hat");
    let later = entry(0, b"").deadline.saturating_add(Duration::from_secs(1));
    assert_eq!(a.touch(&key(101), &version, later).await.unwrap(), Touched::Done);
    a.delete(&key(102)).await.unwrap();
    assert_eq!(b.load(&key(102)).await.unwrap(), None);
}

pub(crate) async fn each_host_reads_what_the_other_has_just_written(hosts: Hosts) {
    let (a, b) = hosts.stores().await;
    counter(&a, &key(1)).await;
    let mut version = Version::from(entry(1, b"").commit);
    for number in 2..200_u64 {
        let (writer, reader) = if number % 2 == 0 { (&a, &b) } else { (&b, &a) };
        let new = entry(number, &number.to_be_bytes());
        let replaced = writer.replace(&key(1), &version, &new).await.unwrap();
        version = new.commit.into();
        assert_eq!(replaced, Replaced::Done(version));
        assert_eq!(total(reader, &key(1)).await, number);
    }
    a.delete(&key(1)).await.unwrap();
    assert_eq!(b.load(&key(1)).await.unwrap(), None);
}

/// NFSv4.1 opens a file that the client knows by its handle, not by its name. While the file is open
/// somewhere, the server may go on serving it although another file has its name.
pub(crate) async fn a_host_that_holds_the_file_open_reads_the_new_session(hosts: Hosts) {
    let root = hosts.folder().await;
    let now = cloakroom::Clock::system().now();
    let (a, b) = (hosts.a.open(&root, now).await, hosts.b.open(&root, now).await);
    let path = format!("{root}/sessions/01/{}", "01".repeat(32));
    counter(&a, &key(1)).await;
    let mut version = Version::from(entry(1, b"").commit);
    for number in 2..40_u64 {
        assert_eq!(total(&b, &key(1)).await, number - if number == 2 { 2 } else { 1 });
        hosts.b.ask(&Command::Hold(path.clone())).await;
        let new = entry(number, &number.to_be_bytes());
        a.replace(&key(1), &version, &new).await.unwrap();
        version = new.commit.into();
        assert_eq!(total(&b, &key(1)).await, number);
    }
    hosts.b.ask(&Command::Hold(path.clone())).await;
    a.delete(&key(1)).await.unwrap();
    assert_eq!(b.load(&key(1)).await.unwrap(), None);

    hosts.b.ask(&Command::Hold("/nowhere".into())).await;
}

/// The file is open in another process of the host that replaces it. The client then keeps the old file
/// under another name. Loads make sure by default that they do not read it, writes always.
pub(crate) async fn a_process_that_holds_the_file_open_keeps_no_old_session_alive(hosts: Hosts) {
    let root = hosts.folder().await;
    let now = cloakroom::Clock::system().now();
    let (a, b) = (hosts.a.open(&root, now).await, hosts.b.open(&root, now).await);
    let unshared = hosts.a.try_open(&root, now, Some(false)).await.unwrap();
    let path = format!("{root}/sessions/01/{}", "01".repeat(32));
    counter(&b, &key(1)).await;
    hosts.b.ask(&Command::Hold(path)).await;
    let coat = entry(50, &50_u64.to_be_bytes());
    let version = Version::from(entry(1, b"").commit);
    assert_eq!(total(&a, &key(1)).await, 0);
    b.replace(&key(1), &version, &coat).await.unwrap();
    println!(
        "  with shared_mount=false a load finds {} instead of 50",
        total(&unshared, &key(1)).await
    );
    assert_eq!(total(&a, &key(1)).await, 50);
    // A write that expects the previous version is a conflict.
    let stale = unshared.replace(&key(1), &version, &entry(51, b"stale")).await.unwrap();
    assert!(matches!(stale, Replaced::Conflict(_)));
    hosts.b.ask(&Command::Hold("/nowhere".into())).await;
}

/// While a session is created its file has two names, and a client may go on showing two when there is one.
/// The creates that lose look at that file at once.
pub(crate) async fn of_many_creates_one_wins_and_the_others_find_its_session(hosts: Hosts) {
    let (a, b) = hosts.stores().await;
    for round in 0..100 {
        let key = key(round);
        let creates = (0..8_u64).map(|racer| {
            let store = if racer % 2 == 0 { a.clone() } else { b.clone() };
            tokio::spawn(async move { store.create(&key, &entry(racer, b"a coat")).await })
        });
        let mut winners = 0;
        for create in creates.collect::<Vec<_>>() {
            winners += usize::from(matches!(create.await.unwrap().unwrap(), Created::Done(_)));
        }
        assert_eq!(winners, 1, "round {round}");
    }
}

pub(crate) async fn counts_from_both_hosts_are_exact(hosts: Hosts) {
    let (a, b) = hosts.stores().await;
    counter(&a, &key(1)).await;
    let (done, failed) = count(&[&a, &b], 4, 12).await;
    assert_eq!((done, failed, total(&a, &key(1)).await), (96, 0, 96));
    assert_eq!(total(&b, &key(1)).await, 96);
}

/// Lets `tasks` tasks of each store increment the counter `times` times. Returns the number of
/// acknowledged increments and of failed commands.
pub(crate) async fn count(stores: &[&Remote], tasks: usize, times: u64) -> (u64, u64) {
    let counting: Vec<_> = stores
        .iter()
        .flat_map(|store| std::iter::repeat_n(*store, tasks))
        .map(|Remote { actor, store }| {
            let (actor, store) = (actor.clone(), *store);
            let count = Command::Count { store, key: [1; 32], times };
            tokio::spawn(async move { actor.ask(&count).await })
        })
        .collect();
    let mut sums = (0, 0);
    for counted in counting {
        match counted.await.unwrap() {
            Answer::Counted { done, failed } => sums = (sums.0 + done, sums.1 + failed),
            other => panic!("{other:?}"),
        }
    }
    sums
}

/// One host writes as fast as it can while the other ends the session with a mark, as a logout does. Once
/// the mark is acknowledged, every load returns it.
pub(crate) async fn a_logout_on_one_host_is_final_on_the_other(hosts: Hosts) {
    let (a, b) = hosts.stores().await;
    let mut changes = 0;
    for round in 0..10_u8 {
        let key = key(round + 1);
        counter(&a, &key).await;
        let count = Command::Count { store: a.store, key: *key.as_bytes(), times: u64::MAX };
        let actor = a.actor.clone();
        let writing = tokio::spawn(async move { actor.ask(&count).await });
        end(&b, &key).await;
        for store in [&a, &b, &a] {
            assert_eq!(store.load(&key).await.unwrap().unwrap().bytes, "ended");
        }
        b.delete(&key).await.unwrap();
        // The writer learns that the session is gone, and the session does not come back.
        let counted = tokio::time::timeout(Duration::from_secs(120), writing).await;
        match counted.expect("it writes on").unwrap() {
            Answer::Counted { done, .. } => changes += done,
            other => panic!("{other:?}"),
        }
        assert_eq!(a.load(&key).await.unwrap(), None);
    }
    assert!(changes > 0, "nothing was written meanwhile");
}

/// Replaces the session with a mark, as a logout does.
pub(crate) async fn end(store: &Remote, key: &StoreKey) {
    let mark = entry(u64::MAX, b"ended");
    loop {
        let there = store.load(key).await.unwrap().unwrap();
        match store.replace(key, &there.version, &mark).await.unwrap() {
            Replaced::Done(_) => break,
            Replaced::Conflict(_) => {}
            Replaced::Gone => panic!("gone"),
        }
    }
}

/// One host deletes the session, the other replaces it until it learns that the session is gone. Both
/// open the file all the time, so each client may serve a stale one.
pub(crate) async fn a_deleted_session_does_not_come_back_from_the_other_host(hosts: Hosts) {
    let (a, b) = hosts.stores().await;
    let mut replaced = 0;
    for round in 0..60_u8 {
        let (key, delay) = (key(round), u64::from(round % 16));
        created(&a, &key, &entry(1, b"a coat")).await;
        let writer = b.clone();
        let writing = tokio::spawn(async move {
            let mut version = Version::from(entry(1, b"").commit);
            for number in 2..10_000 {
                match writer.replace(&key, &version, &entry(number, b"a hat")).await.unwrap() {
                    Replaced::Done(done) => version = done,
                    Replaced::Gone => return number - 2,
                    Replaced::Conflict(entry) => panic!("{entry:?}"),
                }
                writer.load(&key).await.unwrap();
            }
            panic!("the session is never gone");
        });
        tokio::time::sleep(Duration::from_millis(delay)).await;
        a.load(&key).await.unwrap();
        a.delete(&key).await.unwrap();
        assert_eq!(a.load(&key).await.unwrap(), None, "round {round}");
        replaced += writing.await.unwrap();
        assert_eq!(b.load(&key).await.unwrap(), None, "round {round}");
        assert_eq!(a.load(&key).await.unwrap(), None, "round {round}");
    }
    println!("  60 sessions deleted, {replaced} replaces before");
}

/// One process of a host replaces the session while another reads it all the time. The client moves an
/// open file away before it replaces it; no reader, on either host, may take that for a logout.
pub(crate) async fn a_session_is_never_missing_while_another_process_replaces_it(hosts: Hosts) {
    let root = hosts.folder().await;
    let now = cloakroom::Clock::system().now();
    let (a, b) = (hosts.a.open(&root, now).await, hosts.b.open(&root, now).await);
    let neighbour = hosts.neighbour(&hosts.a, "10.98.0.2:7001").await;
    let beside = neighbour.actor.open(&root, now).await;
    counter(&a, &key(1)).await;
    let watching = [&a, &b].map(|Remote { actor, store }| {
        let watch = Command::Watch { store: *store, key: [1; 32], millis: 4_000 };
        let actor = actor.clone();
        tokio::spawn(async move { actor.ask(&watch).await })
    });
    let (done, failed) = count(&[&beside], 1, 300).await;
    for watched in watching {
        match watched.await.unwrap() {
            Answer::Watched { loads, missing, errors } => {
                println!("  {loads} loads beside {done} writes, {missing} found nothing");
                assert_eq!((missing, &*errors), (0, &[][..]));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((done, failed, total(&b, &key(1)).await), (300, 0, 300));
    let left = hosts.a.run(&format!("ls -A {root}/sessions/01")).await;
    println!("  left in the folder: {}", left.split_whitespace().count());
    neighbour.kill().await;
}

pub(crate) async fn each_expired_session_is_removed_once_when_both_hosts_sweep(hosts: Hosts) {
    let (a, b) = hosts.stores().await;
    let mut coat = entry(1, b"a coat");
    coat.deadline = cloakroom::Clock::system().now().saturating_add(Duration::from_secs(60));
    for number in 0..40 {
        coat.deadline = match number % 2 {
            0 => cloakroom::Clock::system().now().saturating_add(Duration::from_secs(60)),
            _ => entry(1, b"").deadline,
        };
        created(&a, &key(number), &coat).await;
    }
    let later = cloakroom::Clock::system().now().saturating_add(Duration::from_secs(600));
    let sweeps = [&a, &b].map(|Remote { actor, store }| {
        let (actor, store) = (actor.clone(), *store);
        tokio::spawn(async move {
            actor.ask(&Command::SetClock(later.as_millis())).await;
            actor.ask(&Command::Sweep { store }).await
        })
    });
    let mut removed = 0;
    for swept in sweeps {
        match swept.await.unwrap() {
            Answer::Swept(sessions) => removed += sessions,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(removed, 20, "each expired session is removed once");
    for number in 0..40 {
        assert_eq!(b.load(&key(number)).await.unwrap().is_some(), number % 2 == 1);
    }
}
