//! A Redis server for one run, and the ways into it that are compared.

use cloakroom::store::{RedisServer, RedisStore};
use cloakroom_testing::processes::{Folder, Process, answers, free_port};
use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::config::{Config, ConnectionConfig, ServerConfig, TcpConfig};

const HOST: &str = "127.0.0.1";

/// A `redis-server` on a free port that keeps nothing on disk, ended when dropped.
#[derive(Debug)]
pub struct LocalRedis {
    port: u16,
    _process: Process,
    _folder: Folder,
}

impl LocalRedis {
    /// Starts it, and waits until it answers.
    ///
    /// # Panics
    ///
    /// When there is no `redis-server` on the `PATH`.
    pub fn start() -> Self {
        let (folder, port) = (Folder::new(), free_port());
        let number = port.to_string();
        let program = ["redis-server", "--bind", HOST, "--port", &number, "--save", ""];
        let process = Process::start(program, folder.join("log"));
        process.wait_until("the server answers", || answers(port));
        Self { port, _process: process, _folder: folder }
    }

    /// A store with its defaults, on a connection of its own.
    ///
    /// # Panics
    ///
    /// When the server is gone.
    pub async fn store(&self) -> RedisStore {
        let server = RedisServer::standalone(HOST, self.port);
        RedisStore::builder().connect(&server).await.expect("the server is there")
    }

    /// fred as it comes, on a connection of its own: no timeouts, no reconnecting. Only Nagle's
    /// algorithm is off, as in the store, because it would be measured instead of anything else.
    ///
    /// # Panics
    ///
    /// When the server is gone.
    pub async fn client(&self) -> Client {
        let server = ServerConfig::new_centralized(HOST, self.port);
        let tcp = TcpConfig { nodelay: Some(true), ..TcpConfig::default() };
        let connection = ConnectionConfig { tcp, ..ConnectionConfig::default() };
        let config = Config { server, ..Config::default() };
        let client = Client::new(config, None, Some(connection), None);
        client.init().await.expect("the server is there");
        client
    }
}
