//! What the promises are tried on: a memory store, or a real server of the kind that
//! `PROMISES_STORE` names: `redis`, `memcached` or `file`. One server serves all tests; their ids are
//! random and never meet.
//!
//! Tests that stop the runtime's clock or count polls need answers that come at once, and so the
//! memory store: they open their house themselves.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::{env, fs};

use cloakroom::ManualClock;
use cloakroom::store::SessionStore;

use crate::late::Late;
use crate::servers::{Folder, Process, answers, free_port};
use crate::support::{House, clock};

pub(crate) fn house() -> House {
    let Some(name) = env::var_os("PROMISES_STORE") else { return House::open() };
    let clock = clock();
    let store: Arc<dyn SessionStore> = match name.to_str() {
        #[cfg(feature = "redis")]
        Some("redis") => redis(clock.clone()),
        #[cfg(feature = "memcached")]
        Some("memcached") => memcached(clock.clone()),
        #[cfg(feature = "file")]
        Some("file") => files(clock.clone()),
        _ => panic!("PROMISES_STORE={name:?} is none of redis, memcached, file"),
    };
    House::over(store, clock)
}

#[cfg(feature = "redis")]
fn redis(clock: ManualClock) -> Arc<dyn SessionStore> {
    use cloakroom::store::{RedisServer, RedisStore};
    static SERVER: LazyLock<Server> = LazyLock::new(|| {
        Server::start(|port| format!("redis-server --save  --appendonly no --port {port}"))
    });
    let server = RedisServer::standalone("127.0.0.1", SERVER.port);
    Arc::new(Late::new(move || {
        let (builder, server) = (RedisStore::builder().clock(clock.clone()), server.clone());
        async move { Arc::new(builder.connect(&server).await.unwrap()) as Arc<dyn SessionStore> }
    }))
}

#[cfg(feature = "memcached")]
fn memcached(clock: ManualClock) -> Arc<dyn SessionStore> {
    use cloakroom::store::{MemcachedServers, MemcachedStore};
    static SERVER: LazyLock<Server> =
        LazyLock::new(|| Server::start(|port| format!("memcached -u root -U 0 -p {port}")));
    let servers = MemcachedServers::nodes([("127.0.0.1", SERVER.port)]);
    Arc::new(Late::new(move || {
        let (builder, servers) = (MemcachedStore::builder().clock(clock.clone()), servers.clone());
        async move { Arc::new(builder.connect(&servers).await.unwrap()) as Arc<dyn SessionStore> }
    }))
}

#[cfg(feature = "file")]
fn files(clock: ManualClock) -> Arc<dyn SessionStore> {
    use cloakroom::store::FileStore;
    static ROOT: LazyLock<(Folder, PathBuf)> = LazyLock::new(|| {
        let folder = Folder::new();
        let root = folder.join("sessions");
        fs::create_dir(&root).unwrap();
        (folder, root)
    });
    let root = ROOT.1.clone();
    Arc::new(Late::new(move || {
        let options = FileStore::builder(&root).clock(clock.clone());
        async move { Arc::new(options.open().await.unwrap()) as Arc<dyn SessionStore> }
    }))
}

/// Ends with this process.
struct Server {
    port: u16,
    _process: Process,
    _folder: Folder,
}

impl Server {
    fn start(command: impl Fn(u16) -> String) -> Self {
        let (port, folder) = (free_port(), Folder::new());
        let process = Process::start(command(port).split(' '), folder.join("log"));
        process.wait_until("a server that listens", || answers(port));
        Self { port, _process: process, _folder: folder }
    }
}
