//! What a run has measured: what the terminal, the page and `report.json` are made from.
//!
//! A figure that could not be measured is absent, never zero.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Of the JSON. Raised when a field changes its meaning.
pub(crate) const FORMAT: u32 = 1;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Comparison {
    pub(crate) format: u32,
    /// RFC 3339, UTC.
    pub(crate) began: String,
    pub(crate) seconds: f64,
    /// As it can be typed again.
    pub(crate) command: String,
    pub(crate) machine: Machine,
    pub(crate) plan: Plan,
    /// In the order of the table, the ones not run included.
    pub(crate) strategies: Vec<Outcome>,
    /// Whether it was ended before its time; what was measured until then is there.
    pub(crate) interrupted: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Machine {
    /// As `PRETTY_NAME` in os-release.
    pub(crate) system: String,
    pub(crate) kernel: String,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_bytes: u64,
    /// Name and version, of the library first and then of every server that was met.
    pub(crate) versions: BTreeMap<String, String>,
    /// `debug` or `release`.
    pub(crate) build: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Plan {
    pub(crate) quick: bool,
    pub(crate) nodes: usize,
    pub(crate) shoppers: usize,
    pub(crate) seed: u64,
    /// What each session carries beside its cart.
    pub(crate) session_kb: f64,
    /// Whether the shared stores' outage is a fail-over where there is one.
    pub(crate) failover: bool,
}

/// `outcome` tells which.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum Outcome {
    Measured(Box<Measured>),
    NotRun {
        strategy: StrategyName,
        /// Completes "not run: needs …".
        needs: String,
    },
    /// It was begun and could not be finished.
    Failed {
        strategy: StrategyName,
        problem: String,
    },
}

/// `id` is for `--only` and for machines: `memory`, `sticky`, `all-to-all`, `primary-secondary`,
/// `cookie`, `private-cookie`, `redis`, `redis-failover`, `memcached`, `dynamodb`, `file`, `nfs`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct StrategyName {
    pub(crate) id: String,
    /// For people: "ElastiCache for Redis or Valkey".
    pub(crate) title: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Each server has its own sessions.
    Apart,
    /// The servers send copies to each other.
    Clustered,
    /// The visitor carries the session.
    Carried,
    /// All servers ask one store.
    Shared,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Measured {
    pub(crate) strategy: StrategyName,
    /// How it ran here, in one sentence: "Valkey 8.1.1 on loopback, one server".
    pub(crate) setting: String,
    pub(crate) phases: Vec<Phase>,
    pub(crate) parallel_adds: Audit,
    pub(crate) logouts: Logouts,
    pub(crate) node_killed: Fault,
    pub(crate) node_added: Growth,
    /// Of the shared stores only.
    pub(crate) store_outage: Option<Fault>,
    /// Growth of the resident memory of all nodes, by sessions begun meanwhile.
    pub(crate) node_bytes_per_session: Option<f64>,
    pub(crate) wire: Wire,
    /// What one request of each kind asks of the store; absent where there is no store to count at.
    pub(crate) store_commands: Option<CommandsPerRequest>,
    /// Anything that a reader must know to read the figures: "the emulator's latency".
    pub(crate) remarks: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PhaseName {
    WarmUp,
    Steady,
    ParallelAdds,
    Logouts,
    NodeKilled,
    NodeAdded,
    StoreOutage,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Phase {
    pub(crate) name: PhaseName,
    pub(crate) seconds: f64,
    pub(crate) requests: u64,
    pub(crate) requests_per_second: f64,
    /// Of the requests that were acknowledged.
    pub(crate) latency: Option<Latency>,
    pub(crate) answers: Answers,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50_ms: f64,
    pub(crate) p95_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Answers {
    /// 2xx.
    pub(crate) acknowledged: u64,
    /// 409.
    pub(crate) conflicts: u64,
    /// 502, 503, 504.
    pub(crate) unavailable: u64,
    pub(crate) other: u64,
    /// No answer at all.
    pub(crate) broken: u64,
}

/// The shoppers' own lists against what the shop shows afterwards.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Audit {
    pub(crate) carts: u64,
    /// Nothing was left of what had been in the cart before the phase.
    pub(crate) carts_lost: u64,
    /// Something was there, but less than was acknowledged.
    pub(crate) carts_shrunk: u64,
    pub(crate) adds_acknowledged: u64,
    pub(crate) adds_missing: u64,
    /// Things that nobody can have put there: more than acknowledged and unanswered together.
    pub(crate) adds_too_many: u64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Logouts {
    /// Logouts that were acknowledged while another request of that session was in flight.
    pub(crate) raced: u64,
    /// Sessions that answered to their cookie afterwards, as the visitor's browser holds it then.
    pub(crate) revived: u64,
    /// Sessions that answered to a copy of the cookie made before the logout.
    pub(crate) revived_by_copy: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Fault {
    /// "SIGKILL of node-2", "valkey-server stopped for 3 s".
    pub(crate) what: String,
    pub(crate) audit: Audit,
    /// From the fault (of an outage: from its end) until every shopper was served again.
    pub(crate) seconds_until_healthy: Option<f64>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Growth {
    pub(crate) nodes_before: usize,
    pub(crate) nodes_after: usize,
    /// The busiest node's share of the requests, 0 to 1; fair is one over the number of nodes.
    pub(crate) busiest_share_before: f64,
    pub(crate) busiest_share_after: f64,
    /// What the new node got of the requests.
    pub(crate) newcomers_share: f64,
    pub(crate) audit: Audit,
    pub(crate) seconds_until_healthy: Option<f64>,
}

/// Bytes by request. Those of the clients and of clusters are of the steady phase; those between a
/// node and a store are of one shopper alone, through a relay that is there for nothing else.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Wire {
    /// What a shopper sends, head and body.
    pub(crate) from_client: f64,
    pub(crate) to_client: f64,
    /// Between a node and other nodes or the store, both directions. Absent where it cannot be
    /// seen, as with files.
    pub(crate) between_servers: Option<f64>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct CommandsPerRequest {
    /// A request that does not use the session.
    pub(crate) untouched: f64,
    pub(crate) read: f64,
    pub(crate) write: f64,
    pub(crate) login: f64,
    pub(crate) logout: f64,
    /// Of what a shopper asks under steady load, alone.
    pub(crate) steady: f64,
}

impl Comparison {
    pub(crate) fn measured(&self) -> impl Iterator<Item = &Measured> {
        self.strategies.iter().filter_map(|outcome| match outcome {
            Outcome::Measured(measured) => Some(&**measured),
            Outcome::NotRun { .. } | Outcome::Failed { .. } => None,
        })
    }
}

impl Audit {
    pub(crate) fn carts_kept(&self) -> u64 {
        self.carts.saturating_sub(self.carts_lost).saturating_sub(self.carts_shrunk)
    }
}
