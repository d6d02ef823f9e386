//! The measurements of a run, from which the terminal's table, the page and `report.json` are made.
//!
//! A figure that could not be measured is absent, never zero.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of the JSON. It is raised when a field changes its meaning.
pub(crate) const FORMAT: u32 = 1;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Comparison {
    pub(crate) format: u32,
    /// The time of the start, in RFC 3339 and UTC.
    pub(crate) began: String,
    pub(crate) seconds: f64,
    /// The command, as it can be typed again.
    pub(crate) command: String,
    pub(crate) machine: Machine,
    pub(crate) plan: Plan,
    /// All strategies in the order of the table, with those that did not run.
    pub(crate) strategies: Vec<Outcome>,
    /// Whether the run was interrupted. What was measured until then is there.
    pub(crate) interrupted: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Machine {
    /// `PRETTY_NAME` of os-release.
    pub(crate) system: String,
    pub(crate) kernel: String,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_bytes: u64,
    /// Names and versions: the library first, then every server that was used.
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
    /// How much each session carries beside its cart, in KB.
    pub(crate) session_kb: f64,
    /// Whether the outage of a shared store is a failover, where it can be one.
    pub(crate) failover: bool,
}

/// The result of a strategy; the field `outcome` says which.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum Outcome {
    Measured(Box<Measured>),
    NotRun {
        strategy: StrategyName,
        /// Completes "not run: needs …".
        needs: String,
    },
    /// It was started and could not be finished.
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
    /// The name for people: "ElastiCache for Redis or Valkey".
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
    /// Describes in one sentence how it ran here: "Valkey 8.1.1 on loopback, one server".
    pub(crate) setting: String,
    pub(crate) phases: Vec<Phase>,
    pub(crate) parallel_adds: Audit,
    pub(crate) logouts: Logouts,
    pub(crate) node_killed: Fault,
    pub(crate) node_added: Growth,
    /// Present for shared stores only.
    pub(crate) store_outage: Option<Fault>,
    /// Growth of the resident memory of all nodes, divided by the sessions that began meanwhile.
    pub(crate) node_bytes_per_session: Option<f64>,
    pub(crate) wire: Wire,
    /// Store commands of one request of each kind; absent where there is no store to count at.
    pub(crate) store_commands: Option<CommandsPerRequest>,
    /// Remarks that a reader must know to read the figures: "the emulator's latency".
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
    /// The latencies of the requests that were acknowledged.
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

/// The comparison of the shoppers' lists with what the shop shows afterwards.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Audit {
    pub(crate) carts: u64,
    /// Carts in which nothing was left of what they held before the phase.
    pub(crate) carts_lost: u64,
    /// Carts in which something was left, but less than was acknowledged.
    pub(crate) carts_shrunk: u64,
    pub(crate) adds_acknowledged: u64,
    pub(crate) adds_missing: u64,
    /// Items that nobody can have put there: more than the acknowledged and the unanswered
    /// together.
    pub(crate) adds_too_many: u64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Logouts {
    /// Logouts that were acknowledged while another request of that session was in flight.
    pub(crate) raced: u64,
    /// Sessions that were live afterwards with the cookie that the visitor's browser then held.
    pub(crate) revived: u64,
    /// Sessions that were live afterwards with a copy of the cookie from before the logout.
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
    /// The new node's share of the requests.
    pub(crate) newcomers_share: f64,
    pub(crate) audit: Audit,
    pub(crate) seconds_until_healthy: Option<f64>,
}

/// Bytes by request. Those of clients and of clusters were counted in the steady phase. Those
/// between a node and a store were counted for one shopper alone, through a relay.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Wire {
    /// Bytes that a shopper sends, head and body.
    pub(crate) from_client: f64,
    pub(crate) to_client: f64,
    /// Bytes between a node and other nodes or the store, in both directions. Absent where they
    /// cannot be seen, as with files.
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
    /// The average of a shopper's requests as under steady load, sent alone.
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
