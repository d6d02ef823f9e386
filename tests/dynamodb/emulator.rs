//! A table on an emulator.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryPartition;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use cloakroom::store::{DynamoDbStore, DynamoDbStoreBuilder};
use tokio::net::TcpListener;

use crate::wire::Wire;
use cloakroom_testing::ministack;

/// An empty table on an emulator, and the wire to the emulator.
#[derive(Clone)]
pub struct Table {
    pub endpoint: String,
    pub name: String,
    pub wire: Wire,
}

impl Table {
    /// Creates a table on an emulator in this process, which ends with the runtime.
    pub async fn in_process() -> Self {
        Self::on(in_process().await).await
    }

    /// Creates a table on the emulator process that all tests share.
    pub async fn in_ministack() -> Self {
        Self::on(ministack::endpoint().await).await
    }

    async fn on(endpoint: String) -> Self {
        let table = Self::missing_on(endpoint);
        table.store().build().unwrap().ensure_table().await.expect("a table");
        table.wire.take();
        table
    }

    /// Returns a table that does not exist.
    pub fn missing_on(endpoint: String) -> Self {
        static TABLES: AtomicU32 = AtomicU32::new(0);
        let name = format!("sessions-{}", TABLES.fetch_add(1, Ordering::Relaxed));
        Self { endpoint, name, wire: Wire::new() }
    }

    pub fn client(&self) -> Client {
        self.client_over(self.wire.clone())
    }

    pub fn client_over(&self, wire: Wire) -> Client {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(&self.endpoint)
            // The SDK has one budget for repeats per process; here every table has its own.
            .retry_partition(RetryPartition::new(self.name.clone()))
            .http_client(wire);
        Client::from_conf(config.build())
    }

    pub fn store(&self) -> DynamoDbStoreBuilder {
        // The emulator may have to share the processors with compilers.
        let builder = DynamoDbStore::builder(self.client()).table(&self.name);
        builder.command_timeout(Duration::from_secs(60))
    }
}

pub async fn in_process() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let database = dynoxide::Database::memory().expect("a database");
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    endpoint
}
