//! A server that is killed, frozen, restarted or full, connections that end, and what each error proves.

use std::time::Duration;

use cloakroom::store::{
    NewEntry, PostgresStore, Replaced, SessionStore, StoreError, StoreErrorKind, Version,
};
use cloakroom_testing::postgres::{Server, USER, table};
use cloakroom_testing::processes::{free_port, wait_until};
use cloakroom_testing::proxy::{Cut, Fault, Proxy};

use super::conformance::pool;
use super::refusals::chain;
use super::stores::{at, at_port, builder, created, entry, key, new_store, store};

use StoreErrorKind::{Indeterminate, Unavailable};

/// Returns how many bytes the store has sent.
fn sent(proxy: &Proxy) -> u64 {
    proxy.traffic().iter().map(|traffic| traffic.from_client).sum()
}

/// Waits until a store with one connection for writes and one for reads has closed the one of its checks, and sends
/// nothing by itself.
fn checks_end(proxy: &Proxy) {
    wait_until("the checks' connection is closed", || proxy.open_connections() == 2);
}

/// Loads until the store answers again.
async fn recovers(store: &PostgresStore) {
    let begun = std::time::Instant::now();
    while let Err(error) = store.load(&key(1)).await {
        assert_eq!(error.kind(), Unavailable, "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(60), "{error:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Writes until the store answers again. An answer that is lost may have been applied.
async fn writes_again(store: &PostgresStore, number: u8) {
    let begun = std::time::Instant::now();
    while let Err(error) = store.create(&key(number), &entry(number)).await {
        assert!([Unavailable, Indeterminate].contains(&error.kind()), "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(60), "{error:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_server_that_is_killed_is_unavailable_until_it_is_back_and_loses_nothing() {
    let server = Server::with(&["fsync=on"]);
    let table = table();
    let store = store(&server, &table).await;
    for number in 1..=50 {
        created(&store, &key(number), &entry(number)).await;
    }
    server.kill();
    // The store notices by the end of its connections.
    let error = loop {
        match store.create(&key(100), &entry(100)).await {
            Err(error) if error.kind() == Unavailable => break error,
            other => assert_eq!(other.unwrap_err().kind(), Indeterminate),
        }
    };
    assert!(chain(&error).contains(&format!("127.0.0.1:{}", server.port)), "{error:?}");
    server.start_again();
    recovers(&store).await;
    for number in 1..=50 {
        let found = store.load(&key(number)).await.unwrap().unwrap();
        assert_eq!(found.version, Version::from(entry(number).commit));
    }
    writes_again(&store, 101).await;
}

/// A command that is under way when the server dies may have been applied.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_write_under_way_when_the_server_dies_is_indeterminate() {
    let server = Server::start();
    let proxy = Proxy::on(free_port(), server.port).await;
    let table = table();
    let store = builder(&table).connections(1).connect(&at_port(proxy.port)).await.unwrap();
    checks_end(&proxy);
    server.freeze();
    let before = sent(&proxy);
    let writing = tokio::spawn({
        let store = store.clone();
        async move { store.create(&key(1), &entry(1)).await.unwrap_err() }
    });
    wait_until("the write is sent", || sent(&proxy) > before);
    tokio::task::spawn_blocking(move || {
        server.kill();
        server
    })
    .await
    .unwrap();
    let error = writing.await.unwrap();
    assert_eq!(error.kind(), Indeterminate, "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_frozen_server_is_noticed_within_the_time_out_and_used_again() {
    let server = Server::start();
    let table = table();
    let version = created(&store(&server, &table).await, &key(1), &entry(1)).await;
    let timeout = Duration::from_secs(5);
    let store = builder(&table).command_timeout(timeout).connect(&at(&server)).await.unwrap();
    server.freeze();
    let error = store.replace(&key(1), &version, &entry(2)).await.unwrap_err();
    assert_eq!(error.kind(), Indeterminate, "{error:?}");
    let error = store.load(&key(1)).await.unwrap_err();
    assert_eq!(error.kind(), Unavailable, "{error:?}");
    server.thaw();
    recovers(&store).await;
    // The late write was applied once, or never.
    let found = store.load(&key(1)).await.unwrap().unwrap();
    let versions = [version, Version::from(entry(2).commit)];
    assert!(versions.contains(&found.version), "{found:?}");
    writes_again(&store, 3).await;
}

/// Idle connections cost no error when the server restarts: they have ended before the next command.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_restart_between_two_commands_costs_nothing() {
    let server = Server::start();
    let store = store(&server, &table()).await;
    for number in 0..3 {
        created(&store, &key(number), &entry(number)).await;
        server.start_again();
        // Gives the runtime time to notice that the connection has ended, also on a busy machine.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let new = entry(100 + number);
        assert!(store.load(&key(200)).await.unwrap().is_none());
        created(&store, &key(100 + number), &new).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_backend_that_is_terminated_while_it_waits_is_indeterminate() {
    let server = Server::start();
    let table = table();
    let proxy = Proxy::on(free_port(), server.port).await;
    let builder = builder(&table).connections(1).command_timeout(Duration::from_secs(30));
    let store = builder.connect(&at_port(proxy.port)).await.unwrap();
    checks_end(&proxy);
    let version = created(&store, &key(1), &entry(1)).await;
    let pool = pool(server.port, "-c application_name=holder");
    let holder = pool.get().await.unwrap();
    holder.batch_execute("BEGIN").await.unwrap();
    holder.batch_execute(&format!("SELECT 1 FROM {table} FOR UPDATE")).await.unwrap();
    let replacing = tokio::spawn({
        let store = store.clone();
        async move { store.replace(&key(1), &version, &entry(2)).await.unwrap_err() }
    });
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    wait_until("a backend that waits", || server.sql(waiting) == "1");
    // The server will not show that another command has come: it does not read it yet.
    let before = sent(&proxy);
    let behind = tokio::spawn({
        let store = store.clone();
        async move { store.create(&key(2), &entry(3)).await.unwrap_err() }
    });
    wait_until("the other command is sent", || sent(&proxy) > before);
    let ended = waiting.replace("count(*)", "count(pg_terminate_backend(pid))");
    assert_eq!(server.sql(&ended), "1");
    let error = replacing.await.unwrap();
    assert_eq!(error.kind(), Indeterminate, "{error:?}");
    assert!(chain(&error).contains("57P01"), "{error:?}");
    // It was sent on the same connection, behind the other one.
    assert_eq!(behind.await.unwrap().kind(), Indeterminate);
    holder.batch_execute("ROLLBACK").await.unwrap();
    recovers(&store).await;
    assert_eq!(store.load(&key(1)).await.unwrap().unwrap().version, version);
}

/// The server itself ends a wait for a lock, which proves that nothing was applied.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_row_that_somebody_holds_for_long_is_unavailable_and_nothing_was_written() {
    let table = table();
    let server = Server::shared();
    let patient = store(server, &table).await;
    for (timeout, settings) in [("lock_timeout", "55P03"), ("statement_timeout", "57014")] {
        let pool = pool(server.port, &format!("-c {timeout}=3000"));
        let builder = builder(&table).command_timeout(Duration::from_secs(30));
        let store = builder.pool(pool.clone()).await.unwrap();
        patient.delete(&key(1)).await.unwrap();
        let version = created(&patient, &key(1), &entry(1)).await;
        let holder = super::conformance::pool(server.port, "").get().await.unwrap();
        holder.batch_execute("BEGIN").await.unwrap();
        holder.batch_execute(&format!("SELECT 1 FROM {table} FOR UPDATE")).await.unwrap();
        let error = store.replace(&key(1), &version, &entry(2)).await.unwrap_err();
        assert_eq!(error.kind(), Unavailable, "{error:?}");
        assert!(chain(&error).contains(settings), "{error:?}");
        holder.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(patient.load(&key(1)).await.unwrap().unwrap().version, version);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn own_connections_bound_the_servers_work_too() {
    let table = table();
    let server = Server::start();
    let version = created(&store(&server, &table).await, &key(1), &entry(1)).await;
    let builder = builder(&table).command_timeout(Duration::from_secs(5)).connections(1);
    let store = builder.connect(&at(&server)).await.unwrap();
    let pool = pool(server.port, "");
    let holder = pool.get().await.unwrap();
    holder.batch_execute("BEGIN").await.unwrap();
    holder.batch_execute(&format!("SELECT 1 FROM {table} FOR UPDATE")).await.unwrap();
    let error = store.replace(&key(1), &version, &entry(2)).await.unwrap_err();
    assert!([Unavailable, Indeterminate].contains(&error.kind()), "{error:?}");
    // Nobody waits on the server any more, so connections do not pile up there.
    tokio::task::spawn_blocking(move || {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        wait_until("nobody who waits", || server.sql(waiting) == "0");
    })
    .await
    .unwrap();
}

/// Cuts a connection at every place of an answer. Whatever was applied was applied once, and the error of a
/// write says that it may have been.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn an_answer_that_is_cut_anywhere_is_indeterminate() {
    let table = table();
    let server = Server::shared();
    let proxy = Proxy::on(free_port(), server.port).await;
    let near = store(server, &table).await;
    let builder = builder(&table).connections(1).command_timeout(Duration::from_secs(20));
    let torn = builder.connect(&at_port(proxy.port)).await.unwrap();
    let mut version = created(&near, &key(1), &entry(1)).await;
    let mut lost = 0;
    for cut_at in [0, 1, 4, 5, 6, 20, 40, 60, 80, 100, 120] {
        let new = entry(2 + lost);
        // The connection is open again before the next cut.
        torn.delete(&key(200)).await.unwrap();
        proxy.set_once(Fault::CutReply(cut_at, Cut::Reset));
        match torn.replace(&key(1), &version, &new).await {
            Ok(Replaced::Done(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                assert_eq!(error.kind(), Indeterminate, "{cut_at}: {error:?}");
                lost += 1;
            }
        }
        proxy.set(Fault::None);
        version = near.load(&key(1)).await.unwrap().unwrap().version;
        // A read is repeated by itself.
        proxy.set_once(Fault::CutReply(cut_at, Cut::Fin));
        assert!(torn.load(&key(1)).await.unwrap().is_some(), "{cut_at}");
        proxy.set(Fault::None);
    }
    assert!(lost > 3, "{lost}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_server_without_a_connection_left_is_unavailable() {
    let server = Server::with(&["max_connections=12", "superuser_reserved_connections=3"]);
    let table = table();
    let store = builder(&table).connections(7).connect(&at(&server)).await.unwrap();
    created(&store, &key(1), &entry(1)).await;
    let error = builder(&table).connect(&at(&server)).await.unwrap_err();
    assert_eq!(error.kind(), Unavailable, "{error:?}");
    assert!(chain(&error).contains("SQLSTATE 53300"), "{error:?}");
    drop(store);
    let mut opened = builder(&table).connections(1).connect(&at(&server)).await;
    while let Err(error) = opened {
        assert_eq!(error.kind(), Unavailable);
        tokio::time::sleep(Duration::from_millis(50)).await;
        opened = builder(&table).connections(1).connect(&at(&server)).await;
    }
}

/// The lanes for which there is no connection are opened when there is one.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn some_connections_are_enough_to_begin_with() {
    let server = Server::with(&["max_connections=12", "superuser_reserved_connections=3"]);
    let table = table();
    let first = builder(&table).connections(1).connect(&at(&server)).await.unwrap();
    let store = builder(&table).connections(5).connect(&at(&server)).await;
    let Ok(store) = store else { return };
    drop(first);
    for number in 0..20 {
        writes_again(&store, number).await;
    }
}

/// Needs root for the small file system; elsewhere the table's own quota does not exist.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_full_disk_is_unavailable_and_reads_go_on() {
    let Some(disk) = SmallDisk::mount() else {
        println!("not run: only root can mount a small file system");
        return;
    };
    let server = Server::start();
    disk.give(&server);
    let table = table();
    server.sql(&format!("CREATE TABLESPACE small LOCATION '{}'", disk.space()));
    server.sql(&format!("GRANT CREATE ON TABLESPACE small TO {USER}"));
    server.sql(&format!("ALTER ROLE {USER} SET default_tablespace = small"));
    let store = builder(&table).connect(&at(&server)).await.unwrap();
    let large = |number: u8| {
        NewEntry::new(entry(number).commit, entry(number).deadline, vec![number; 500_000])
    };
    let mut kept = 0;
    let error: StoreError = loop {
        match store.create(&key(kept), &large(kept)).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 100, "it is never full");
    };
    assert_eq!(error.kind(), Unavailable, "{error:?}");
    assert!(chain(&error).contains("SQLSTATE 53100, the server's disk is full"), "{error:?}");
    assert!(kept > 0 && store.load(&key(0)).await.unwrap().is_some());
    assert_eq!(store.load(&key(kept)).await.unwrap(), None);
    store.delete(&key(0)).await.unwrap();
    drop((store, server, disk));
}

/// A file system of some megabytes in memory.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let path = std::env::temp_dir().join(format!("cloakroom-small-{}", std::process::id()));
        std::fs::create_dir_all(&path).ok()?;
        let mut command = std::process::Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(&path);
        let mounted = command.output().is_ok_and(|output| output.status.success());
        if !mounted {
            let _ = std::fs::remove_dir(&path);
            return None;
        }
        let disk = Self(path);
        std::fs::create_dir(disk.space()).unwrap();
        Some(disk)
    }

    fn space(&self) -> String {
        self.0.join("space").display().to_string()
    }

    /// Gives the folder to the owner of the server's data.
    fn give(&self, server: &Server) {
        let mut command = std::process::Command::new("chown");
        command.arg("--reference").arg(server.data_folder()).arg(self.space());
        assert!(command.status().unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn no_error_shows_a_row() {
    let (store, table) = new_store().await;
    created(&store, &key(0x5a), &entry(1)).await;
    // The server's text of this error has the whole row in its detail.
    Server::shared()
        .sql(&format!("ALTER TABLE {table} ADD CONSTRAINT fewer CHECK (length(bytes) < 20)"));
    let secret =
        NewEntry::new(entry(2).commit, entry(2).deadline, "a secret that is too long to be kept");
    let error = store.create(&key(0x5b), &secret).await.unwrap_err();
    let shown = format!("{} {error:?}", chain(&error));
    assert!(shown.contains("SQLSTATE 23514"), "{shown}");
    for word in ["secret", "5b5b", "fewer", "6120736563726574"] {
        assert!(!shown.contains(word), "{word}: {shown}");
    }
}
