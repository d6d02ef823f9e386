//! A Redis server for one run, and the compared clients.

use std::fs;
use std::time::Duration;

use cloakroom::store::{RedisServer, RedisStore};
use cloakroom_testing::processes::{Folder, Process, answers, free_port};
use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::config::{Config, ConnectionConfig, ServerConfig, TcpConfig};

const HOST: &str = "127.0.0.1";

/// The number of databases: more than the lanes of a run.
const DATABASES: &str = "64";

/// A `redis-server` on a free port that keeps nothing on disk. Dropping it ends the server.
#[derive(Debug)]
pub struct LocalRedis {
    port: u16,
    process: Process,
    _folder: Folder,
}

impl LocalRedis {
    /// Starts the server and waits until it answers.
    ///
    /// # Panics
    ///
    /// If `redis-server` is not on the `PATH`.
    pub fn start() -> Self {
        let (folder, port) = (Folder::new(), free_port());
        let number = port.to_string();
        let program = [
            "redis-server",
            "--bind",
            HOST,
            "--port",
            &number,
            "--save",
            "",
            "--databases",
            DATABASES,
        ];
        let process = Process::start(program, folder.join("log"));
        process.wait_until("the server answers", || answers(port));
        Self { port, process, _folder: folder }
    }

    /// Returns the CPU time that the server has taken so far.
    ///
    /// # Panics
    ///
    /// If the system does not say.
    pub fn cpu_time(&self) -> Duration {
        // Its first number is the time of the main thread, which carries out the commands.
        let path = format!("/proc/{}/schedstat", self.process.pid());
        let text = fs::read_to_string(path).expect("Linux with schedstat");
        let nanos = text.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
        Duration::from_nanos(nanos.expect("three numbers"))
    }

    /// Ends the server as an operator does, so that a profiler that it runs under writes its counts.
    ///
    /// # Panics
    ///
    /// If the server does not end within a minute.
    pub fn end(&self) {
        self.process.terminate();
    }

    /// Returns a store with its defaults, on a new connection to the numbered database.
    ///
    /// # Panics
    ///
    /// If the server has ended.
    pub async fn store(&self, database: u8) -> RedisStore {
        let server = RedisServer::standalone(HOST, self.port).database(database);
        RedisStore::builder().connect(&server).await.expect("the server is there")
    }

    /// Returns a fred client with its defaults, on a new connection to the numbered database: no
    /// timeouts, no reconnecting. Only Nagle's algorithm is off, as in the store; otherwise its
    /// delays would be measured.
    ///
    /// # Panics
    ///
    /// If the server has ended.
    pub async fn client(&self, database: u8) -> Client {
        let server = ServerConfig::new_centralized(HOST, self.port);
        let tcp = TcpConfig { nodelay: Some(true), ..TcpConfig::default() };
        let connection = ConnectionConfig { tcp, ..ConnectionConfig::default() };
        let config = Config { server, database: Some(database), ..Config::default() };
        let client = Client::new(config, None, Some(connection), None);
        client.init().await.expect("the server is there");
        client
    }
}
