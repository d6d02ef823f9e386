//! Opens connections that reconnect by themselves.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::types::config::{ConnectionConfig, PerformanceConfig, ReconnectPolicy};

use super::connection::Connection;
use super::endpoint::Endpoint;
use super::failure;
use super::reauthentication;
use super::recovery::{Recovery, Run};
use super::server::RedisServer;
use super::sockets;
use crate::error::{StoreError, StoreErrorKind};
use crate::store::failure::Failure;

/// The longest that opening a connection may take, and after that the greeting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The longest that the first login's credentials may take: a machine that has just started may not have its
/// AWS credentials at once.
const FIRST_CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(10);
/// The milliseconds between two attempts to reconnect. The pause doubles from the first to the last,
/// and up to a tenth of a second at random is added, so that the servers of an app do not all come at
/// once.
const RECONNECT_DELAYS: RangeInclusive<u32> = 50..=2_000;

/// Connects to a server, once, and looks after the connection from then on.
pub(super) async fn open(
    server: &RedisServer,
    command_timeout: Duration,
) -> Result<Connection, StoreError> {
    server.check()?;
    let config = server.client_config();
    let endpoint = Endpoint::new(&config.server);
    let named = |failure: Failure| failure.at(endpoint.to_string()).for_read();
    fetch_first_credentials(server).await.map_err(named)?;
    let policy =
        ReconnectPolicy::new_exponential(0, *RECONNECT_DELAYS.start(), *RECONNECT_DELAYS.end(), 2);
    let performance = PerformanceConfig::default();
    let client = Client::new(config, Some(performance), Some(connection_config()), Some(policy));
    let run = Run::start(&client).await;
    let run = run.map_err(|error| named(failure::connection_failure(error)))?;
    let provider = server.credential_provider();
    let reauthentication = provider.and_then(|made| reauthentication::start(&client, made));
    let recovery = Recovery::watch(client.clone(), endpoint, run, reauthentication);
    Ok(Connection::new(&client, command_timeout, Some(Arc::new(recovery))))
}

/// Fetches the credentials once before connecting, where they are made anew for each connection. The
/// first time takes longer than an attempt to connect may.
async fn fetch_first_credentials(server: &RedisServer) -> Result<(), Failure> {
    let Some(provider) = server.credential_provider() else { return Ok(()) };
    match tokio::time::timeout(FIRST_CREDENTIALS_TIMEOUT, provider.fetch(None)).await {
        Ok(login) => login.map(drop).map_err(failure::connection_failure),
        Err(late) => Err(Failure::not_applied(StoreErrorKind::Unavailable, late)),
    }
}

fn connection_config() -> ConnectionConfig {
    ConnectionConfig {
        connection_timeout: CONNECT_TIMEOUT,
        internal_command_timeout: CONNECT_TIMEOUT,
        // `connection` follows redirections itself: one `ASK` would end the library's whole client.
        max_redirections: 0,
        // A refusal goes to the command that was refused, and to no other. The library's default
        // hands a `READONLY` to every command under way, also to those that were applied.
        reconnect_errors: Vec::new(),
        tcp: sockets::tcp_config(),
        ..ConnectionConfig::default()
    }
}
