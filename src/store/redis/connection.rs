//! Sends commands to a server. Everything goes through here, and no other file of the store knows
//! how the client library sends.
//!
//! The library puts all commands on one connection per server and, left to itself, sends a command
//! again when the connection breaks. A write that was applied and whose answer was lost would then be
//! applied twice. Each command therefore has one attempt here; reads get a second.
//!
//! Every command is sent by its name, as a custom command, which costs a system call each. The
//! library's own methods for `GET` and `SET` gather several into one and are a quarter faster with
//! many tasks, but after a restart of the client they may stay unsent for good.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fred::clients::{Client, WithOptions};
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, ClusterInterface};
use fred::types::config::{Options, ReconnectError, Server};
use fred::types::{ClientState, ClusterHash, CustomCommand, Value};
use fred::util::redis_keyslot;

use super::endpoint::Endpoint;
use super::failure::RedisFailure;
use super::recovery::Recovery;
use super::script::Script;
use crate::error::{StoreError, StoreErrorKind};
use crate::store::failure::Failure;

/// One connection (per primary of a cluster), shared by all requests.
#[derive(Clone)]
pub(super) struct Connection {
    client: WithOptions<Client>,
    endpoint: Endpoint,
    /// The codes on which the client gives up the connection, for [`RedisFailure::classify`].
    fatal: Arc<[String]>,
    /// Absent when the client is the app's own: then the app looks after its connections.
    recovery: Option<Arc<Recovery>>,
}

/// The answers that servers give to the commands that are used here.
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
        let endpoint = Endpoint::new(&client.client_config().server);
        Self { client: client.with_options(&options), endpoint, fatal, recovery }
    }

    /// Sends a command that changes nothing. Sends it once more if its answer is lost.
    pub(super) async fn read(
        &self,
        command: &'static str,
        key: &Bytes,
    ) -> Result<Reply, StoreError> {
        let arguments = || vec![Value::Bytes(key.clone())];
        let answer = match self.send(command, key, arguments()).await {
            // A second attempt would take longer than one command may.
            Err(failure) if failure.is_timeout() => Err(failure),
            Err(RedisFailure::Lost(_)) => self.send(command, key, arguments()).await,
            other => other,
        };
        answer.map_err(|failure| self.named(failure).for_read())
    }

    /// Sends a command that changes the key. `arguments` follow the key's name.
    pub(super) async fn write<const N: usize>(
        &self,
        command: &'static str,
        key: &Bytes,
        arguments: [Value; N],
    ) -> Result<Reply, StoreError> {
        let arguments = [key.clone().into()].into_iter().chain(arguments).collect();
        let answer = self.send(command, key, arguments).await;
        answer.map_err(|failure| self.named(failure).for_write())
    }

    /// Runs a script on one key. Sends its text only to servers that do not know it.
    pub(super) async fn run<const N: usize>(
        &self,
        script: Script,
        key: &Bytes,
        arguments: [Value; N],
    ) -> Result<Reply, StoreError> {
        let call = |script: &'static str| {
            let head = [Value::from_static_str(script), Value::Integer(1), key.clone().into()];
            head.into_iter().chain(arguments.iter().cloned()).collect()
        };
        let answer = match self.send("EVALSHA", key, call(script.sha1)).await {
            Err(RedisFailure::NoScript) => self.send("EVAL", key, call(script.text)).await,
            other => other,
        };
        answer.map_err(|failure| self.named(failure).for_write())
    }

    /// Sends `WAIT` on the connection that leads to this key's server. The answer is the number of
    /// replicas that have everything that was sent before.
    pub(super) async fn wait(
        &self,
        key: &Bytes,
        replicas: u32,
        within: Duration,
    ) -> Result<Reply, StoreError> {
        let within = i64::try_from(within.as_millis()).unwrap_or(i64::MAX);
        let arguments = vec![Value::Integer(replicas.into()), Value::Integer(within)];
        let answer = self.send("WAIT", key, arguments).await;
        answer.map_err(|failure| self.named(failure).for_read())
    }

    /// Names the servers in a failure, also in one about what they hold.
    pub(super) fn named(&self, failure: impl Into<Failure>) -> Failure {
        failure.into().at(self.endpoint.to_string())
    }

    /// Sends a command, and follows the redirections of a cluster.
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
        // Every primary is asked in turn, because the library does not tell which one `ASK` named.
        let primaries = self.client.cached_cluster_state().map(|now| now.unique_primary_nodes());
        for server in primaries.unwrap_or_default() {
            let Err(RedisFailure::Redirected(_)) = answer else { break };
            answer = self.ask(server, command, key, arguments.clone()).await;
        }
        answer
    }

    /// Sends `ASKING` and the command to a node that may be taking over the key's slot. A node that
    /// is not refuses, and then the command was not applied.
    ///
    /// Both go in one pipeline, because `ASKING` is for the next command on the connection. The
    /// library's own way of following an `ASK` is not used: it takes the next answer on the
    /// connection for the answer to `ASKING`, although it may belong to another request.
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
        sent.await.map_err(|error| RedisFailure::classify(error, &self.fatal)).and_then(into_reply)
    }

    /// Sends a command once.
    async fn attempt(
        &self,
        command: &'static str,
        key: &Bytes,
        arguments: Vec<Value>,
    ) -> Result<Reply, RedisFailure> {
        if self.client.state() == ClientState::Disconnected {
            // A command sent now would only wait in a queue until it times out.
            let error = Error::new(ErrorKind::IO, "not connected");
            return Err(RedisFailure::Refused(StoreErrorKind::Unavailable, error));
        }
        let recovery = self.recovery.as_ref().map(|recovery| (recovery, recovery.answers()));
        // The slot is given as a number, because the library does not look for the key of a custom
        // command.
        let slot = if self.client.is_clustered() { redis_keyslot(key) } else { 0 };
        let command = CustomCommand::new_static(command, ClusterHash::Custom(slot), false);
        let answer = self.client.custom::<Value, _>(command, arguments).await;
        let answer =
            answer.map_err(|error| RedisFailure::classify(error, &self.fatal)).and_then(into_reply);
        if let Some((recovery, answers_before)) = recovery {
            recovery.note_outcome(answer.as_ref().err(), answers_before);
        }
        answer
    }
}

fn into_reply(value: Value) -> Result<Reply, RedisFailure> {
    match value {
        Value::Null => Ok(Reply::Nil),
        Value::Integer(number) => Ok(Reply::Number(number)),
        Value::Bytes(bytes) => Ok(Reply::Bytes(bytes)),
        // The library makes a string of bytes that happen to be UTF-8.
        Value::String(text) => Ok(Reply::Bytes(text.into_inner())),
        _ => {
            let error = Error::new(ErrorKind::Protocol, "the answer is of an unknown type");
            Err(RedisFailure::Lost(error))
        }
    }
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
