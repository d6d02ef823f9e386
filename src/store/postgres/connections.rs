//! The connections of a store: its own, or those of a pool.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Object;
use tokio::time::Instant;
use tokio_postgres::Client;

use super::call::Call;
use super::failure::Problem;
use super::lane::Lane;
use super::link::{Answer, Link};
use super::opening::Opener;
use super::pooled::Pooled;
use super::statements::{Kind, Statements};
use crate::id::StoreKey;

/// Reads are answered fastest when they follow each other on one connection. A second one keeps the server
/// from doing all of them on one processor.
const READ_LANES: usize = 2;

pub(super) enum Connections {
    Own(Lanes),
    Given(Arc<Pooled>),
}

/// The store's own connections. The commits of one connection wait for the disk one after the other, so
/// writes have more of them than reads.
pub(super) struct Lanes {
    opener: Arc<Opener>,
    reads: Vec<Arc<Lane>>,
    writes: Vec<Arc<Lane>>,
}

impl Lanes {
    pub(super) fn new(opener: Arc<Opener>, writes: usize) -> Self {
        let lanes = |count, kinds| (0..count).map(|_| Lane::new(opener.clone(), kinds)).collect();
        let reads = lanes(READ_LANES.min(writes), Kind::READS);
        Self { reads, writes: lanes(writes, Kind::WRITES), opener }
    }

    /// Chooses the lane by the key: the commands on one session stay in their order, and those that wait for
    /// one row's lock hold up one lane alone.
    fn lane(&self, kind: Kind, key: &StoreKey) -> Option<&Arc<Lane>> {
        let lanes = if kind.is_write() { &self.writes } else { &self.reads };
        let [.., high, low] = key.as_bytes();
        let number = usize::from(u16::from_be_bytes([*high, *low]));
        lanes.get(number % lanes.len().max(1))
    }

    /// Opens all lanes. Returns the first error that does not pass by itself, or that of a kind of command
    /// for which there is no connection at all.
    async fn open(&self, deadline: Instant) -> Result<(), Problem> {
        for lanes in [&self.writes, &self.reads] {
            let (mut opened, mut failed) = (0, None);
            let attempts: tokio::task::JoinSet<_> = lanes
                .iter()
                .cloned()
                .map(|lane| async move { lane.ensure_open(deadline).await })
                .collect();
            for attempt in attempts.join_all().await {
                match attempt {
                    Ok(()) => opened += 1,
                    Err(problem) if problem.may_pass() => failed = Some(problem),
                    Err(problem) => return Err(problem),
                }
            }
            if let Some(problem) = failed.filter(|_| opened == 0) {
                return Err(problem);
            }
        }
        Ok(())
    }
}

/// A connection for work outside of requests. Dropping it closes it, or gives it back to the pool.
pub(super) enum Lease {
    Own(Link),
    Given(Object),
}

impl Lease {
    pub(super) fn client(&self) -> &Client {
        match self {
            Self::Own(link) => link.client(),
            Self::Given(connection) => connection,
        }
    }

    /// Closes the connection, because an answer may still be under way on it.
    pub(super) fn discard(self) {
        match self {
            Self::Own(link) => link.close(),
            Self::Given(connection) => drop(Object::take(connection)),
        }
    }
}

impl Connections {
    pub(super) fn statements(&self) -> &Arc<Statements> {
        match self {
            Self::Own(lanes) => lanes.opener.statements(),
            Self::Given(pool) => pool.statements(),
        }
    }

    pub(super) async fn send(&self, call: Call, deadline: Instant) -> Answer {
        match self {
            Self::Own(lanes) => match lanes.lane(call.kind, &call.key) {
                Some(lane) => lane.send(call, deadline).await,
                None => Err(Problem::not_sent("there is no lane")),
            },
            Self::Given(pool) => pool.send(call, deadline).await,
        }
    }

    /// Opens the connections that the store keeps open.
    pub(super) async fn open(&self, deadline: Instant) -> Result<(), Problem> {
        match self {
            Self::Own(lanes) => lanes.open(deadline).await,
            Self::Given(_) => Ok(()),
        }
    }

    /// Opens a connection for work outside of requests.
    pub(super) async fn lease(&self, patience: Duration) -> Result<Lease, Problem> {
        match self {
            Self::Own(lanes) => Ok(Lease::Own(lanes.opener.open(&[]).await?)),
            Self::Given(pool) => Ok(Lease::Given(pool.take(patience).await?)),
        }
    }
}
