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
use std::time::{Duration, Instant};

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

/// The most parts of an answer that the library may take for a published message.
const LONGEST_MESSAGE: usize = 5;
/// If keys are divided among two servers, all of these are on one of them once in 32,768 times.
const PROBES: usize = 16;
/// The time that these keys live: much longer than a busy machine takes to set them, or those that have expired
/// meanwhile would be taken for keys on another server.
const PROBE_LIFETIME: Duration = Duration::from_secs(60);

pub(super) type Answer = Result<Reply, RedisFailure>;

/// The answers that servers give to the commands that are used here.
pub(super) enum Reply {
    Nil,
    Number(i64),
    Bytes(Bytes),
}

/// The answers to the parts of a command, each of which may have failed by itself.
pub(super) type Answers = Result<Vec<Answer>, RedisFailure>;

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
        self.send("GET", key, vec![key.clone().into()]).await.and_then(into_reply)
    }

    /// Carries out one write.
    pub(super) async fn write(&self, write: &Write) -> Answer {
        let (script, arguments) = match write.alone() {
            Alone::Script(script, arguments) => (script, arguments),
            Alone::Command(command, arguments) => {
                let answer = self.send(command, &write.key, arguments).await?;
                if has_set(answer)? {
                    return Ok(Reply::Number(1));
                }
                // Something is there, perhaps past its deadline: the server's clock may be behind ours, or a
                // `PERSIST` has taken its time to live away.
                write.over_expired()
            }
        };
        self.run(script, &write.key, arguments).await
    }

    /// Loads several values.
    ///
    /// The library takes a list of three to five that begins with the text `message`, or with another word of
    /// publishing, for a published message, and every later answer for the one before it. Such a text may be
    /// anybody's value, so shorter lists are filled up with a key that is never there.
    pub(super) async fn load_all<'a>(
        &self,
        keys: impl ExactSizeIterator<Item = &'a Bytes> + Clone,
    ) -> Answers {
        let Some(first) = keys.clone().next() else { return Ok(Vec::new()) };
        let count = keys.len();
        let nobodys = Bytes::from([first, &b"-"[..]].concat());
        let filling = (LONGEST_MESSAGE + 1).saturating_sub(count);
        let filled = keys.cloned().chain(std::iter::repeat_n(nobodys, filling));
        let answer = self.send("MGET", first, filled.map(Value::from).collect()).await?;
        let mut parts = into_parts(answer, count + filling)?;
        parts.truncate(count);
        Ok(parts)
    }

    /// Sends `WAIT`. The answer is the number of replicas that have everything that was sent before.
    pub(super) async fn wait(&self, key: &Bytes, replicas: u32, within: Duration) -> Answer {
        let within = i64::try_from(within.as_millis()).unwrap_or(i64::MAX);
        let arguments = vec![Value::Integer(replicas.into()), Value::Integer(within)];
        self.send("WAIT", key, arguments).await.and_then(into_reply)
    }

    /// Carries out several writes. The answer begins with their number: see [`Wire::load_all`].
    pub(super) async fn write_all<'a>(
        &self,
        writes: impl ExactSizeIterator<Item = &'a Write> + Clone + Send,
    ) -> Answers {
        let Some(first) = writes.clone().next() else { return Ok(Vec::new()) };
        let count = writes.len();
        // The last of them has come by now, so this is the time for all of them.
        let now = writes.clone().map(|write| write.now).max().unwrap_or(first.now);
        let letters: String = writes.clone().map(Write::letter).collect();
        let arguments = move |script: &'static str| {
            let mut arguments = Vec::with_capacity(4 + 4 * count);
            arguments.extend([Value::from_static_str(script), number(count)]);
            arguments.extend(writes.clone().map(|write| Value::from(write.key.clone())));
            arguments.extend([now.as_millis().to_string().into(), letters.clone().into()]);
            arguments.extend(writes.clone().flat_map(Write::gathered));
            arguments
        };
        let answer = self.run_on(script::GATHERED, &first.key, arguments).await?;
        let parts = into_written(answer, count)?;
        self.note_refusals(&parts);
        Ok(parts)
    }

    /// Whether all keys are on one server. A proxy may divide them among several, and send a script to the
    /// server of its first key.
    ///
    /// A few keys beside `key` are set. Then a script looks for all of them, and deletes those that it finds.
    /// `None` if that took so long that they may have expired.
    pub(super) async fn has_one_server(&self, key: &Bytes) -> Result<Option<bool>, RedisFailure> {
        let begun = Instant::now();
        let probe = |at: usize| Bytes::from([key, format!("-probe-{at}").as_bytes()].concat());
        let keys: Vec<_> = (0..PROBES).map(probe).collect();
        for key in &keys {
            let [value, for_seconds] = ["probe", "EX"].map(Value::from_static_str);
            let lifetime = Value::Integer(PROBE_LIFETIME.as_secs().cast_signed());
            self.send("SET", key, vec![key.clone().into(), value, for_seconds, lifetime]).await?;
        }
        let arguments = |script| {
            let count = [Value::from_static_str(script), number(PROBES)];
            count.into_iter().chain(keys.iter().cloned().map(Value::from)).collect()
        };
        let found = self.run_on(script::PROBE, &keys[0], arguments).await?;
        let are_all = matches!(
            into_reply(found)?,
            Reply::Number(found) if usize::try_from(found) == Ok(PROBES)
        );
        Ok((are_all || begun.elapsed() < PROBE_LIFETIME / 2).then_some(are_all))
    }

    /// Runs a script on one key.
    pub(super) async fn run(&self, script: Script, key: &Bytes, arguments: Vec<Value>) -> Answer {
        let arguments = |script| {
            let one_key = [Value::from_static_str(script), number(1), key.clone().into()];
            one_key.into_iter().chain(arguments.iter().cloned()).collect()
        };
        self.run_on(script, key, arguments).await.and_then(into_reply)
    }

    /// Runs a script. Its arguments begin with its name or its text, which they are made from, and with the
    /// number of keys; `key` is one of them. Sends the text only to servers that do not know the script.
    async fn run_on(
        &self,
        script: Script,
        key: &Bytes,
        arguments: impl Fn(&'static str) -> Vec<Value> + Send,
    ) -> Result<Value, RedisFailure> {
        match self.send("EVALSHA", key, arguments(script.sha1)).await {
            Err(RedisFailure::NoScript) => self.send("EVAL", key, arguments(script.text)).await,
            other => other,
        }
    }

    /// Sends a command.
    async fn send(
        &self,
        command: &'static str,
        key: &Bytes,
        arguments: Vec<Value>,
    ) -> Result<Value, RedisFailure> {
        if !self.client.is_clustered() {
            return self.attempt(command, key, arguments).await;
        }
        Box::pin(self.follow(command, key, arguments)).await
    }

    /// Sends a command to a cluster, and follows its redirections.
    async fn follow(
        &self,
        command: &'static str,
        key: &Bytes,
        arguments: Vec<Value>,
    ) -> Result<Value, RedisFailure> {
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
    ) -> Result<Value, RedisFailure> {
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
        sent.await.map_err(|error| RedisFailure::classify(error, &self.fatal))
    }

    /// Sends a command once.
    async fn attempt(
        &self,
        command: &'static str,
        key: &Bytes,
        arguments: Vec<Value>,
    ) -> Result<Value, RedisFailure> {
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
        // Boxed, because the library's future would be in each of the store's, and most of those wait for a
        // gathered command that another task sends. Large futures cost more than this allocation.
        let answer = Box::pin(self.client.custom::<Value, _>(command, arguments)).await;
        let answer = answer.map_err(|error| RedisFailure::classify(error, &self.fatal));
        if let Some((recovery, answers_before)) = recovery {
            recovery.note_outcome(answer.as_ref().err(), answers_before);
        }
        answer
    }

    /// Looks for the present primary if a part was refused because this is none any more. The client does
    /// not see what is inside an answer.
    fn note_refusals(&self, parts: &[Answer]) {
        let mut failures = parts.iter().filter_map(|part| part.as_ref().err());
        let demotion = failures.find(|failure| failure.is_demotion());
        // The app's own client finds it out by the next command that goes alone, if it is told to.
        if let (Some(recovery), Some(_)) = (&self.recovery, demotion) {
            recovery.note_outcome(demotion, recovery.answers());
        }
    }
}

fn number(count: usize) -> Value {
    Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

pub(super) fn into_reply(value: Value) -> Answer {
    match value {
        Value::Null => Ok(Reply::Nil),
        Value::Integer(number) => Ok(Reply::Number(number)),
        Value::Bytes(bytes) => Ok(Reply::Bytes(bytes)),
        // The library makes a string of bytes that happen to be UTF-8.
        Value::String(text) => Ok(Reply::Bytes(text.into_inner())),
        _ => Err(unknown_answer()),
    }
}

/// Returns whether `SET … NX` has written. Another text than this one is somebody else's answer.
pub(super) fn has_set(value: Value) -> Result<bool, RedisFailure> {
    match into_reply(value)? {
        Reply::Nil => Ok(false),
        Reply::Bytes(text) if text == "OK" => Ok(true),
        _ => Err(unknown_answer()),
    }
}

/// Takes the answer to so many gathered writes apart. It begins with their number.
pub(super) fn into_written(value: Value, count: usize) -> Answers {
    let mut parts = into_parts(value, 1 + count)?;
    match parts.remove(0) {
        Ok(Reply::Number(said)) if usize::try_from(said) == Ok(count) => Ok(parts),
        _ => Err(unknown_answer()),
    }
}

/// Takes an answer with so many parts apart. A longer or shorter one says nothing about any of them.
pub(super) fn into_parts(value: Value, count: usize) -> Answers {
    match value {
        Value::Array(parts) if parts.len() == count => {
            Ok(parts.into_iter().map(into_part).collect())
        }
        _ => Err(unknown_answer()),
    }
}

/// A part that failed is a list of the text of its error: see `gathered.lua`.
fn into_part(value: Value) -> Answer {
    let Value::Array(texts) = value else {
        return match into_reply(value)? {
            // The parts share one buffer, and a handle may keep its part for hours.
            Reply::Bytes(bytes) => Ok(Reply::Bytes(Bytes::copy_from_slice(&bytes))),
            reply => Ok(reply),
        };
    };
    let text = texts.first().and_then(Value::as_string).ok_or_else(unknown_answer)?;
    // Said of this very part, so that no code makes it another's.
    Err(RedisFailure::classify(Error::new(ErrorKind::Unknown, text), &[]))
}

fn unknown_answer() -> RedisFailure {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Within a `MULTI` a server answers `QUEUED`, and what a proxy answers nobody knows.
    #[test]
    fn only_ok_says_that_a_set_has_written() {
        assert!(has_set(Value::from("OK")).unwrap());
        assert!(!has_set(Value::Null).unwrap());
        for other in
            [Value::from("QUEUED"), Value::from(""), Value::Integer(1), Value::Boolean(true)]
        {
            let failure = has_set(other).unwrap_err();
            assert!(matches!(failure, RedisFailure::Lost(_)), "{failure:?}");
        }
    }

    #[test]
    fn an_answer_to_gathered_writes_of_another_number_says_nothing_of_any() {
        let parts = |numbers: &[i64]| {
            Value::Array(numbers.iter().map(|number| Value::Integer(*number)).collect())
        };
        assert_eq!(into_written(parts(&[2, 1, 0]), 2).unwrap().len(), 2);
        for other in [parts(&[2, 1]), parts(&[1, 1, 0]), parts(&[2, 1, 0, 1]), Value::from("OK")] {
            assert!(matches!(into_written(other, 2), Err(RedisFailure::Lost(_))));
        }
    }
}
