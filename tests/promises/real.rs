//! Houses over real servers. One server serves all tests; their ids are random and never meet.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use cloakroom::ManualClock;
use cloakroom::store::{
    FileStore, MemcachedServers, MemcachedStore, RedisServer, RedisStore, SessionStore,
};

use crate::late::Late;
use crate::servers::{Folder, Process, answers, free_port};
use crate::support::{House, clock};

pub(crate) fn house_over(name: &str) -> House {
    let clock = clock();
    let store = match name {
        "redis" => redis(clock.clone()),
        "memcached" => memcached(clock.clone()),
        "file" => files(clock.clone()),
        _ => panic!("PROMISES_STORE={name} is none of redis, memcached, file"),
    };
    House::over(store, clock)
}

fn redis(clock: ManualClock) -> Arc<dyn SessionStore> {
    static SERVER: LazyLock<Server> = LazyLock::new(|| {
        Server::start(|port| format!("redis-server --save  --appendonly no --port {port}"))
    });
    let server = RedisServer::standalone("127.0.0.1", SERVER.port);
    Arc::new(Late::new(move || {
        let (builder, server) = (RedisStore::builder().clock(clock.clone()), server.clone());
        async move { Arc::new(builder.connect(&server).await.unwrap()) as Arc<dyn SessionStore> }
    }))
}

fn memcached(clock: ManualClock) -> Arc<dyn SessionStore> {
    static SERVER: LazyLock<Server> =
        LazyLock::new(|| Server::start(|port| format!("memcached -u root -U 0 -p {port}")));
    let servers = MemcachedServers::nodes([("127.0.0.1", SERVER.port)]);
    Arc::new(Late::new(move || {
        let (builder, servers) = (MemcachedStore::builder().clock(clock.clone()), servers.clone());
        async move { Arc::new(builder.connect(&servers).await.unwrap()) as Arc<dyn SessionStore> }
    }))
}

fn files(clock: ManualClock) -> Arc<dyn SessionStore> {
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
