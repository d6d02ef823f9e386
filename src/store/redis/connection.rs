//! The way to a server: every command of the store goes through here.
//!
//! Loads and writes may be gathered with their neighbours. What is rare goes alone.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fred::clients::Client;
use fred::types::Value;

use super::failure::RedisFailure;
use super::gather::Gather;
use super::gatherable::Load;
use super::recovery::Recovery;
use super::script::Script;
use super::wire::{Answer, Reply, Wire};
use super::write::Write;
use crate::error::StoreError;
use crate::store::failure::Failure;

/// One connection (per primary of a cluster), shared by all requests.
#[derive(Clone)]
pub(super) struct Connection {
    wire: Wire,
    /// Absent in a cluster, whose keys are on several servers.
    gathers: Option<(Gather<Load>, Gather<Write>)>,
}

impl Connection {
    pub(super) fn new(client: &Client, timeout: Duration, recovery: Option<Arc<Recovery>>) -> Self {
        let wire = Wire::new(client, timeout, recovery);
        let gathers = (!wire.is_clustered()).then(|| {
            let large = Arc::default();
            let loads = Gather::new(wire.clone(), timeout, Arc::clone(&large));
            (loads, Gather::new(wire.clone(), timeout, large))
        });
        Self { wire, gathers }
    }

    /// Returns the same connection, for commands that are never gathered.
    pub(super) fn one_by_one(&self) -> Self {
        Self { gathers: None, ..self.clone() }
    }

    /// Loads a value. Asks once more if the answer is lost.
    pub(super) async fn load(&self, key: &Bytes) -> Result<Reply, StoreError> {
        let answer = match self.load_once(key).await {
            // A second attempt would take longer than one command may.
            Err(failure) if failure.is_timeout() => Err(failure),
            // Alone, in case that a neighbour is what spoils the answer.
            Err(RedisFailure::Lost(_)) => self.wire.load(key).await,
            other => other,
        };
        answer.map_err(|failure| self.named(failure).for_read())
    }

    async fn load_once(&self, key: &Bytes) -> Answer {
        match &self.gathers {
            Some((loads, _)) => loads.send(Load(key.clone())).await,
            None => self.wire.load(key).await,
        }
    }

    /// Carries out a write of one session.
    pub(super) async fn write(&self, write: Write) -> Result<Reply, StoreError> {
        let answer = match &self.gathers {
            Some((_, writes)) => writes.send(write).await,
            None => Box::pin(self.wire.write(&write)).await,
        };
        answer.map_err(|failure| self.named(failure).for_write())
    }

    /// Runs a script on one key.
    pub(super) async fn run<const N: usize>(
        &self,
        script: Script,
        key: &Bytes,
        arguments: [Value; N],
    ) -> Result<Reply, StoreError> {
        let answer = self.wire.run(script, key, arguments.into()).await;
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
        let answer = self.wire.wait(key, replicas, within).await;
        answer.map_err(|failure| self.named(failure).for_read())
    }

    /// Names the servers in a failure, also in one about what they hold.
    pub(super) fn named(&self, failure: impl Into<Failure>) -> Failure {
        failure.into().at(self.wire.endpoint().to_string())
    }
}
