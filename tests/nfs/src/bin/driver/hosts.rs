//! The NFS server, and the processes on its clients.

use std::process::Command as Process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cloakroom::store::{CommitId, Created, NewEntry, SessionStore, StoreKey};
use cloakroom::{Clock, Timestamp};
use cloakroom_nfs::{Actor, Command, Remote};

/// The lease that `scripts/nfs-guest` configures on the server.
pub(crate) const LEASE: Duration = Duration::from_secs(10);

/// The mount options that AWS recommends, as in `scripts/nfs-guest`.
pub(crate) const OPTIONS: &str =
    "nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport";

#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    /// The process on the server's host, which runs shell commands only.
    pub(crate) server: Actor,
    pub(crate) a: Actor,
    pub(crate) b: Actor,
    pid: String,
}

impl Hosts {
    pub(crate) async fn from_environment() -> Self {
        let hosts = Self {
            server: Actor::at("10.98.0.1:7000"),
            a: Actor::at("10.98.0.2:7000"),
            b: Actor::at("10.98.0.3:7000"),
            pid: std::env::var("SERVER_PID").expect("run by scripts/nfs-test"),
        };
        for actor in [&hosts.server, &hosts.a, &hosts.b] {
            is_up(actor).await;
        }
        hosts
    }

    /// Stops the server, like a machine that hangs, until the returned value is dropped. So a test that
    /// fails meanwhile leaves a running server to the next one.
    pub(crate) fn freeze_server(&self) -> Frozen {
        let frozen = Frozen(self.pid.clone());
        run(Process::new("kill").args(["-STOP", &self.pid]));
        let stopped = |status: String| status.lines().any(|line| line.starts_with("State:\tT"));
        let status = format!("/proc/{}/status", self.pid);
        while !stopped(std::fs::read_to_string(&status).unwrap()) {
            std::thread::sleep(Duration::from_millis(1));
        }
        frozen
    }

    pub(crate) async fn restart_server(&self) {
        let restart = "rpc.nfsd 0; sleep 1; rpc.nfsd --no-nfs-version 3 --nfs-version 4.1 4";
        self.server.run(restart).await;
    }

    /// Cuts a client off, as if its cable was pulled. Neither side is told.
    pub(crate) fn unplug(&self, client: u8) {
        run(Process::new("ip").args(["link", "set", &format!("tap{client}"), "nomaster"]));
    }

    pub(crate) fn plug_in(&self, client: u8) {
        run(Process::new("ip").args(["link", "set", &format!("tap{client}"), "master", "bridge0"]));
    }

    /// Makes a folder that no other test uses, and opens a store on each client.
    pub(crate) async fn stores(&self) -> (Remote, Remote) {
        let root = self.folder().await;
        let now = Clock::system().now();
        (self.a.open(&root, now).await, self.b.open(&root, now).await)
    }

    /// Like [`Hosts::stores`], with a third store on the first client that has `shared_mount(false)`.
    pub(crate) async fn stores_and_one_that_is_alone(&self) -> (Remote, Remote, Remote) {
        let root = self.folder().await;
        let now = Clock::system().now();
        let alone = self.a.try_open(&root, now, Some(false)).await.unwrap();
        (self.a.open(&root, now).await, self.b.open(&root, now).await, alone)
    }

    pub(crate) async fn folder(&self) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let root = format!("/mnt/efs/{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.a.run(&format!("mkdir -m 700 {root}")).await;
        root
    }

    /// Starts another process on a client. [`Neighbour::kill`] ends it.
    pub(crate) async fn neighbour(&self, of: &Actor, address: &str) -> Neighbour {
        let start = format!(
            "{} {address} >/dev/null 2>&1 </dev/null & echo $!",
            std::env::current_exe().unwrap().with_file_name("actor").display()
        );
        let pid = of.run(&start).await.trim().to_owned();
        let actor = Actor::at(address);
        is_up(&actor).await;
        Neighbour { actor, host: of.clone(), pid }
    }
}

/// The stopped server. It continues when this is dropped.
pub(crate) struct Frozen(String);

impl Drop for Frozen {
    fn drop(&mut self) {
        // No assertion: this may be the end of a test that has failed.
        let continued = Process::new("kill").args(["-CONT", &self.0]).status();
        if !continued.is_ok_and(|status| status.success()) {
            eprintln!("the stopped server could not be continued");
        }
    }
}

async fn is_up(actor: &Actor) {
    let begun = Instant::now();
    while actor.try_ask(&Command::Ping).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{actor:?} does not answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A second actor on a client.
pub(crate) struct Neighbour {
    pub(crate) actor: Actor,
    host: Actor,
    pid: String,
}

impl Neighbour {
    pub(crate) async fn kill(self) {
        self.host.run(&format!("kill -9 {}", self.pid)).await;
    }
}

fn run(command: &mut Process) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

pub(crate) fn key(number: u8) -> StoreKey {
    StoreKey::from_bytes([number; 32])
}

pub(crate) fn entry(commit: u64, bytes: &[u8]) -> NewEntry {
    NewEntry::new(
        CommitId::from_bytes(commit.to_be_bytes()),
        Timestamp::from_millis(4_000_000_000_000),
        bytes.to_vec(),
    )
}

pub(crate) async fn created(store: &Remote, key: &StoreKey, entry: &NewEntry) {
    assert_eq!(store.create(key, entry).await.unwrap(), Created::Done(entry.commit.into()));
}

/// Creates a session with a counter at zero.
pub(crate) async fn counter(store: &Remote, key: &StoreKey) {
    created(store, key, &entry(1, &0_u64.to_be_bytes())).await;
}

pub(crate) async fn total(store: &Remote, key: &StoreKey) -> u64 {
    let entry = store.load(key).await.unwrap().unwrap();
    u64::from_be_bytes(*entry.bytes.first_chunk().unwrap())
}
