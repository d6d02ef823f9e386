//! Sends one command. No other file of the store knows how the client library sends.
//!
//! The library puts all commands on one connection per server and, left to itself, sends a command
//! again when the connection breaks. A write that was applied and whose answer was lost would then be
//! applied twice. Each command therefore has one attempt here.
//!
//! Every command is sent by its name, as a custom command, which costs a system call each. The
//! library's own methods for `GET` and `SET` gather several into one, but after a restart of the client they
//! may stay unsent for good. [`gather`](super::gather) makes one command out of many instead.

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
use super::script::{self, Script};
use super::write::{Alone, Write};
use crate::error::StoreErrorKind;

/// One connection (per primary of a cluster), shared by all requests.
#[derive(Clone)]
pub(super) struct Wire {
    client: WithOptions<Client>,
    endpoint: Endpoint,
    /// The codes on which the client gives up the connection, for [`RedisFailure::classify`].
    fatal: Arc<[String]>,
    /// Absent when the client is the app's own: then the app looks after its connections.
    recovery: Option<Arc<Recovery>>,
}

pub(super) type Answer = Result<Reply, RedisFailure>;

/// The answers that servers give to the commands that are used here.
pub(super) enum Reply {
    Nil,
    Number(i64),
    Bytes(Bytes),
    /// The answers to the parts of a command, each of which may have failed by itself.
    List(Vec<Answer>),
}

impl Wire {
    pub(super) fn new(client: &Client, timeout: Duration, recovery: Option<Arc<Recovery>>) -> Self {
        let options =
            Options { max_attempts: Some(1), timeout: Some(timeout), ..Options::default() };
        let fatal = client.connection_config().reconnect_errors.iter().map(code).collect();
        let endpoint = Endpoint::new(&client.client_config().server);
        Self { client: client.with_options(&options), endpoint, fatal, recovery }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(super) fn is_clustered(&self) -> bool {
        self.client.is_clustered()
    }

    /// Loads one value.
    pub(super) async fn load(&self, key: &Bytes) -> Answer {
        self.send("GET", key, vec![key.clone().into()]).await
    }

    /// Carries out one write.
    pub(super) async fn write(&self, write: &Write) -> Answer {
        let (script, arguments) = match write.alone() {
            Alone::Script(script, arguments) => (script, arguments),
            Alone::Command(command, arguments) => {
                match self.send(command, &write.key, arguments).await? {
                    // Something is there, perhaps past its deadline: the server's clock may be behind ours,
                    // or a `PERSIST` has taken its time to live away.
                    Reply::Nil => write.over_expired(),
                    Reply::Bytes(_) => return Ok(Reply::Number(1)),
                    other => return Ok(other),
                }
            }
        };
        self.run(script, &write.key, arguments).await
    }

    /// Loads several values. `keys` are not empty.
    pub(super) async fn load_all<'a>(
        &self,
        keys: impl Iterator<Item = &'a Bytes> + Clone,
    ) -> Answer {
        let Some(key) = keys.clone().next() else { return Err(unknown_answer()) };
        self.send("MGET", key, keys.cloned().map(Value::from).collect()).await
    }

    /// Carries out several writes. `writes` are not empty.
    pub(super) async fn write_all<'a>(
        &self,
        writes: impl ExactSizeIterator<Item = &'a Write> + Clone,
    ) -> Answer {
        let Some(first) = writes.clone().next() else { return Err(unknown_answer()) };
        let mut arguments = Vec::with_capacity(1 + 6 * writes.len());
        arguments.push(Value::Integer(i64::try_from(writes.len()).unwrap_or(i64::MAX)));
        arguments.extend(writes.clone().map(|write| Value::from(write.key.clone())));
        arguments.extend(writes.flat_map(Write::gathered));
        self.run_on(script::GATHERED, &first.key, arguments).await
    }

    /// Runs a script on one key.
    pub(super) async fn run(&self, script: Script, key: &Bytes, arguments: Vec<Value>) -> Answer {
        let one_key = [Value::Integer(1), key.clone().into()];
        self.run_on(script, key, one_key.into_iter().chain(arguments).collect()).await
    }

    /// Runs a script. `keys_and_arguments` begin with the number of keys, and `key` is one of them. Sends
    /// the script's text only to servers that do not know it.
    pub(super) async fn run_on(
        &self,
        script: Script,
        key: &Bytes,
        keys_and_arguments: Vec<Value>,
    ) -> Answer {
        let call = |script: &'static str, rest: Vec<Value>| {
            [Value::from_static_str(script)].into_iter().chain(rest).collect()
        };
        match self.send("EVALSHA", key, call(script.sha1, keys_and_arguments.clone())).await {
            Err(RedisFailure::NoScript) => {
                self.send("EVAL", key, call(script.text, keys_and_arguments)).await
            }
            other => other,
        }
    }

    /// Sends a command, and follows the redirections of a cluster.
    pub(super) async fn send(
        &self,
        command: &'static str,
        key: &Bytes,
        arguments: Vec<Value>,
    ) -> Answer {
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
    ) -> Answer {
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
    async fn attempt(&self, command: &'static str, key: &Bytes, arguments: Vec<Value>) -> Answer {
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
            recovery.note_outcome(failure_in(&answer), answers_before);
        }
        answer
    }
}

/// Returns the failure that tells something about the server: the command's own, or the first of its parts.
fn failure_in(answer: &Answer) -> Option<&RedisFailure> {
    match answer {
        Err(failure) => Some(failure),
        Ok(Reply::List(parts)) => parts.iter().find_map(|part| part.as_ref().err()),
        Ok(_) => None,
    }
}

fn into_reply(value: Value) -> Answer {
    match value {
        Value::Null => Ok(Reply::Nil),
        Value::Integer(number) => Ok(Reply::Number(number)),
        Value::Bytes(bytes) => Ok(Reply::Bytes(bytes)),
        // The library makes a string of bytes that happen to be UTF-8.
        Value::String(text) => Ok(Reply::Bytes(text.into_inner())),
        Value::Array(parts) => Ok(Reply::List(parts.into_iter().map(into_part).collect())),
        _ => Err(unknown_answer()),
    }
}

/// A part that failed is a list of the text of its error: see `gathered.lua`.
fn into_part(value: Value) -> Answer {
    let Value::Array(texts) = value else { return into_reply(value) };
    let text = texts.first().and_then(Value::as_string).ok_or_else(unknown_answer)?;
    // Said of this very part, so that no code makes it another's.
    Err(RedisFailure::classify(Error::new(ErrorKind::Unknown, text), &[]))
}

pub(super) fn unknown_answer() -> RedisFailure {
    RedisFailure::Lost(Error::new(ErrorKind::Protocol, "the answer is of an unknown type"))
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
