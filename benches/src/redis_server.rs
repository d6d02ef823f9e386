//! A Redis server for one run, and the compared clients.

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
    _process: Process,
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
        Self { port, _process: process, _folder: folder }
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
