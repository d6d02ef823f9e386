//! Opens connections that reconnect by themselves.
//!
//! The client library takes the first Sentinel that accepts a connection, and asks no other if that one
//! then says nothing. The kernel accepts connections for a process that is frozen. So clients that begin
//! with each of the Sentinels are started one after the other, and the first that is connected stays.

use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::types::config::{Config, ConnectionConfig, PerformanceConfig, ReconnectPolicy};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::connection::Connection;
use super::endpoint::Endpoint;
use super::failure;
use super::handshake;
use super::reauthentication;
use super::recovery::{Recovery, Run};
use super::server::RedisServer;
use super::sockets;
use crate::backoff::Backoff;
use crate::entropy;
use crate::error::{StoreError, StoreErrorKind};
use crate::store::failure::Failure;

/// The longest that opening a connection may take, and after that the greeting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The time that one Sentinel has to itself before the next one is asked too.
const HEAD_START: Duration = Duration::from_millis(250);
/// The longest that the first login's credentials may take: a machine that has just started may not have its
/// AWS credentials at once.
const FIRST_CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(10);
/// The milliseconds of the first pause between two attempts to reconnect. It doubles up to the longest, and the
/// library adds up to a tenth of a second at random.
const FIRST_RECONNECT_DELAY: u32 = 50;
/// The longest pause, which is one of these for each client. The library cuts the sum to it, so that nothing
/// random is left in it: with one length for all, the servers of an app would come in step.
const LONGEST_RECONNECT_DELAYS: Backoff =
    Backoff::new(Duration::from_secs(1), Duration::from_secs(2));

/// Connects to a server, once, and looks after the connection from then on.
pub(super) async fn open(
    server: &RedisServer,
    command_timeout: Duration,
) -> Result<Connection, StoreError> {
    server.check()?;
    let endpoint = Endpoint::new(&server.client_config().server);
    let named = |failure: Failure| failure.at(endpoint.to_string()).for_read();
    fetch_first_credentials(server).await.map_err(named)?;
    let (client, run) = match start_first(server.client_configs().into_iter().map(client)).await {
        Ok(started) => started,
        Err(error) => {
            let error = certificate_error(server).await.unwrap_or(error);
            return Err(named(failure::connection_failure(error)));
        }
    };
    let provider = server.credential_provider();
    let reauthentication = provider.and_then(|made| reauthentication::start(&client, made));
    let recovery = Recovery::watch(client.clone(), endpoint, run, reauthentication);
    Ok(Connection::new(&client, command_timeout, Some(Arc::new(recovery))))
}

fn client(config: Config) -> Client {
    let random = entropy::for_a_pause(entropy::operating_system);
    let longest = LONGEST_RECONNECT_DELAYS.pause(1, random).as_millis();
    let longest = u32::try_from(longest).unwrap_or(u32::MAX);
    let policy = ReconnectPolicy::new_exponential(0, FIRST_RECONNECT_DELAY, longest, 2);
    Client::new(config, Some(PerformanceConfig::default()), Some(connection_config()), Some(policy))
}

/// Starts the clients in turn: the next one when the one before it has failed, or has not connected for
/// a while. Returns the first that is connected; the others end. The error is that of the first to fail,
/// because a refusal comes sooner than a time-out.
async fn start_first(
    mut clients: impl ExactSizeIterator<Item = Client>,
) -> Result<(Client, Run), Error> {
    let (mut attempts, mut first_error) = (JoinSet::new(), None);
    loop {
        if let Some(client) = clients.next() {
            attempts.spawn(async move { Run::start(&client).await.map(|run| (client, run)) });
        }
        let patience = if clients.len() == 0 { Duration::MAX } else { HEAD_START };
        let error = match timeout(patience, attempts.join_next()).await {
            Err(_not_yet) => continue,
            Ok(Some(Ok(Ok(started)))) => return Ok(started),
            Ok(Some(Ok(Err(error)))) => error,
            Ok(Some(Err(ended))) => ended.into(),
            Ok(None) => break,
        };
        first_error.get_or_insert(error);
    }
    Err(first_error.unwrap_or_else(|| Error::new(ErrorKind::Config, "no server is named")))
}

/// Returns the error that the client library has forgotten, where that is a Sentinel's certificate.
async fn certificate_error(server: &RedisServer) -> Option<Error> {
    let (sentinels, trusted) = server.sentinels_over_tls()?;
    handshake::refused_certificate(sentinels, trusted).await
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
