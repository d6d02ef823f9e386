//! The seam: everything that is sent to a server goes through here, and nothing above it knows the
//! client library.
//!
//! The library multiplexes all commands over one connection per server and, left to itself, sends a
//! command again when the connection breaks. A write that was carried out and whose answer was lost
//! would be carried out twice, so each command has one attempt here; reads get a second.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fred::clients::{Client, WithOptions};
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, ClusterInterface};
use fred::types::config::{Options, ReconnectError, Server};
use fred::types::{ClientState, ClusterHash, CustomCommand, Value};
use fred::util::redis_keyslot;

use super::failure::RedisFailure;
use super::recovery::Recovery;
use super::script::Script;
use crate::error::{StoreError, StoreErrorKind};

/// One connection (per server of a cluster), shared by all requests.
#[derive(Clone)]
pub(super) struct Connection {
    client: WithOptions<Client>,
    /// See [`RedisFailure::classify`].
    fatal: Arc<[String]>,
    /// Absent when the client is the app's own: what becomes of its connections is the app's affair.
    recovery: Option<Arc<Recovery>>,
}

/// What servers answer to the commands that are used here.
pub(super) enum Reply {
    Nil,
    Number(i64),
    Bytes(Bytes),
}

impl Connection {
    pub(super) fn new(client: &Client, timeout: Duration, recovery: Option<Arc<Recovery>>) -> Self {
        let options =
            Options { max_attempts: Some(1), timeout: Some(timeout), ..Options::default() };
        let fatal = client.connection_config().reconnect_errors.iter().map(code).collect();
        Self { client: client.with_options(&options), fatal, recovery }
    }

    /// A command that changes nothing. Sent once more if no answer comes.
    pub(super) async fn read(
        &self,
        command: &'static str,
        key: &Bytes,
    ) -> Result<Reply, StoreError> {
        let arguments = || vec![Value::Bytes(key.clone())];
        let answer = match self.send(command, key, arguments()).await {
            // The time for the whole command is spent.
            Err(failure) if failure.is_timeout() => Err(failure),
            Err(RedisFailure::Lost(_)) => self.send(command, key, arguments()).await,
            other => other,
        };
        answer.map_err(RedisFailure::for_read)
    }

    /// A command that changes the key; `arguments` follow the key's name.
    pub(super) async fn write<const N: usize>(
        &self,
        command: &'static str,
        key: &Bytes,
        arguments: [Value; N],
    ) -> Result<Reply, StoreError> {
        let arguments = [key.clone().into()].into_iter().chain(arguments).collect();
        self.send(command, key, arguments).await.map_err(RedisFailure::for_write)
    }

    /// A script on one key. Its text is sent only to servers that do not know it.
    pub(super) async fn run(
        &self,
        script: Script,
        key: &Bytes,
        arguments: [Value; 4],
    ) -> Result<Reply, StoreError> {
        let call = |script: &'static str| {
            let head = [Value::from_static_str(script), Value::Integer(1), key.clone().into()];
            head.into_iter().chain(arguments.iter().cloned()).collect()
        };
        let done = match self.send("EVALSHA", key, call(script.sha1)).await {
            Err(RedisFailure::NoScript) => self.send("EVAL", key, call(script.text)).await,
            other => other,
        };
        done.map_err(RedisFailure::for_write)
    }

    /// `WAIT` on the connection that leads to this key's server; how many replicas have caught up.
    pub(super) async fn wait(
        &self,
        key: &Bytes,
        replicas: u32,
        within: Duration,
    ) -> Result<Reply, StoreError> {
        let within = i64::try_from(within.as_millis()).unwrap_or(i64::MAX);
        let arguments = vec![Value::Integer(replicas.into()), Value::Integer(within)];
        self.send("WAIT", key, arguments).await.map_err(RedisFailure::for_read)
    }

    async fn send(
        &self,
        command: &'static str,
        key: &Bytes,
        arguments: Vec<Value>,
    ) -> Result<Reply, RedisFailure> {
        if !self.client.is_clustered() {
            return self.attempt(command, key, arguments).await;
        }
        match self.attempt(command, key, arguments.clone()).await {
            Err(RedisFailure::Redirected(_)) => {}
            answered => return answered,
        }
        // After a `MOVED` the library knows the new owner.
        let mut answer = self.attempt(command, key, arguments.clone()).await;
        // To each in turn: the library does not tell which one `ASK` has named.
        let primaries = self.client.cached_cluster_state().map(|now| now.unique_primary_nodes());
        for server in primaries.unwrap_or_default() {
            let Err(RedisFailure::Redirected(_)) = answer else { break };
            answer = self.ask(server, command, key, arguments.clone()).await;
        }
        answer
    }

    /// To a node that may be taking over the key's slot; one that is not refuses, and nothing has
    /// been carried out. Both in one go: `ASKING` is for the command that follows it on the
    /// connection. The library's own way takes the next answer on the connection for that to
    /// `ASKING`, whoever's it is.
    async fn ask(
        &self,
        server: Server,
        command: &'static str,
        key: &Bytes,
        arguments: Vec<Value>,
    ) -> Result<Reply, RedisFailure> {
        let slot = ClusterHash::Custom(redis_keyslot(key));
        let options = Options { cluster_node: Some(server), ..self.client.options().clone() };
        let both = self.client.pipeline().with_options(&options);
        let sent = async {
            let asking = CustomCommand::new_static("ASKING", slot.clone(), false);
            let _: Value = both.custom(asking, Vec::<Value>::new()).await?;
            let command = CustomCommand::new_static(command, slot.clone(), false);
            let _: Value = both.custom(command, arguments).await?;
            both.last::<Value>().await
        };
        sent.await.map_err(|error| RedisFailure::classify(error, &self.fatal)).and_then(reply)
    }

    async fn attempt(
        &self,
        command: &'static str,
        key: &Bytes,
        arguments: Vec<Value>,
    ) -> Result<Reply, RedisFailure> {
        if self.client.state() == ClientState::Disconnected {
            // A command sent now would only queue up and time out.
            let error = Error::new(ErrorKind::IO, "not connected");
            return Err(RedisFailure::Refused(StoreErrorKind::Unavailable, error));
        }
        let heard = self.recovery.as_ref().map(|recovery| (recovery, recovery.heard()));
        // By number: the library finds the key of a command it does not know nowhere else.
        let slot = if self.client.is_clustered() { redis_keyslot(key) } else { 0 };
        let command = CustomCommand::new_static(command, ClusterHash::Custom(slot), false);
        let answer = self.client.custom::<Value, _>(command, arguments).await;
        let answer =
            answer.map_err(|error| RedisFailure::classify(error, &self.fatal)).and_then(reply);
        if let Some((recovery, heard)) = heard {
            recovery.observe(answer.as_ref().err(), heard);
        }
        answer
    }
}

fn reply(value: Value) -> Result<Reply, RedisFailure> {
    Ok(match value {
        Value::Null => Reply::Nil,
        Value::Integer(number) => Reply::Number(number),
        Value::Bytes(bytes) => Reply::Bytes(bytes),
        // Bytes that happen to be UTF-8.
        Value::String(text) => Reply::Bytes(text.into_inner()),
        _ => {
            return Err(RedisFailure::Lost(Error::new(
                ErrorKind::Protocol,
                "an answer of no known kind",
            )));
        }
    })
}

fn code(error: &ReconnectError) -> String {
    match error {
        ReconnectError::ClusterDown => "CLUSTERDOWN",
        ReconnectError::Loading => "LOADING",
        ReconnectError::MasterDown => "MASTERDOWN",
        ReconnectError::ReadOnly => "READONLY",
        ReconnectError::Misconf => "MISCONF",
        ReconnectError::Busy => "BUSY",
        ReconnectError::NoReplicas => "NOREPLICAS",
        ReconnectError::Custom(code) => code,
    }
    .to_owned()
}
