//! The measurements of a run, from which the terminal's table, the page and `report.json` are made.
//!
//! A figure that could not be measured is absent, never zero.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of the JSON. It is raised when a field changes its meaning.
pub const FORMAT: u32 = 1;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Comparison {
    pub format: u32,
    /// The time of the start, in RFC 3339 and UTC.
    pub began: String,
    pub seconds: f64,
    /// The command, as it can be typed again.
    pub command: String,
    pub machine: Machine,
    pub plan: Plan,
    /// All strategies in the order of the table, with those that did not run.
    pub strategies: Vec<Outcome>,
    /// Whether the run was interrupted. What was measured until then is there.
    pub interrupted: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Machine {
    /// `PRETTY_NAME` of os-release.
    pub system: String,
    pub processor: String,
    pub cores: usize,
    pub memory_bytes: u64,
    /// Names and versions: the library first, then every server that was used.
    pub versions: BTreeMap<String, String>,
    /// `debug` or `release`.
    pub build: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Plan {
    pub quick: bool,
    pub nodes: usize,
    pub shoppers: usize,
    pub seed: u64,
    /// How much each session carries beside its cart, in KB.
    pub session_kb: f64,
    /// Whether the outage of a shared store is a failover, where it can be one.
    pub failover: bool,
}

/// The result of a strategy; the field `outcome` says which.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
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
/// `cookie`, `private-cookie`, `redis`, `redis-failover`, `memcached`, `dynamodb`, `near-redis`,
/// `near-dynamodb`, `near-dynamodb-5s`, `postgres`, `mysql`, `sqlite`, `file`, `nfs`, `s3`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StrategyName {
    pub id: String,
    /// The name for people: "ElastiCache for Redis or Valkey".
    pub title: String,
    pub sharing: Sharing,
    /// For how long a server may answer a read from its own memory in front of the store. Absent
    /// where it has no such memory, and in reports of earlier releases.
    pub staleness_seconds: Option<u32>,
}

/// How the servers get at each other's sessions.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// Each server has its own sessions.
    None,
    /// The servers send copies to each other.
    Copies,
    /// The visitor's cookie holds the session.
    Cookie,
    /// All servers ask one store.
    Store,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Measured {
    pub strategy: StrategyName,
    /// Describes in one sentence how it ran here: "Valkey 8.1.1 on loopback, one server".
    pub setting: String,
    pub phases: Vec<Phase>,
    /// What was missing after the warm-up and after the steady load, with nothing broken. Absent in
    /// reports of earlier releases.
    pub warm_up: Option<Audit>,
    pub steady_load: Option<Audit>,
    pub parallel_adds: Audit,
    /// Present for shared stores only, and absent in reports of earlier releases.
    pub late_looks: Option<LateLooks>,
    pub logouts: Logouts,
    pub node_killed: Fault,
    pub node_added: Growth,
    /// Present for shared stores only.
    pub store_outage: Option<Fault>,
    /// Growth of the resident memory of all nodes, divided by the sessions that began meanwhile.
    pub node_bytes_per_session: Option<f64>,
    pub wire: Wire,
    /// Store commands of one request of each kind; absent where there is no store to count at.
    pub store_commands: Option<CommandsPerRequest>,
    /// Remarks that a reader must know to read the figures: "the emulator's latency".
    pub remarks: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseName {
    WarmUp,
    Steady,
    ParallelAdds,
    Logouts,
    NodeKilled,
    NodeAdded,
    StoreOutage,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Phase {
    pub name: PhaseName,
    pub seconds: f64,
    pub requests: u64,
    pub requests_per_second: f64,
    /// The latencies of the requests that were acknowledged.
    pub latency: Option<Latency>,
    pub answers: Answers,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Latency {
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Answers {
    /// 2xx.
    pub acknowledged: u64,
    /// 409.
    pub conflicts: u64,
    /// 502, 503, 504.
    pub unavailable: u64,
    pub other: u64,
    /// No answer at all.
    pub broken: u64,
}

/// The comparison of the shoppers' lists with what the shop shows afterwards.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Audit {
    pub carts: u64,
    /// Carts in which nothing was left of what they held before the phase.
    pub carts_lost: u64,
    /// Carts in which something was left, but less than was acknowledged.
    pub carts_shrunk: u64,
    pub adds_acknowledged: u64,
    pub adds_missing: u64,
    /// Items that nobody can have put there: more than the acknowledged and the unanswered
    /// together.
    pub adds_too_many: u64,
}

/// The first looks on other servers after one server had acknowledged something, at sessions that
/// those servers had just read.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct LateLooks {
    /// Looks after a change.
    pub changes: u64,
    /// How many of them did not show the change.
    pub changes_late: u64,
    /// Looks after a logout.
    pub logouts: u64,
    /// How many of them still showed the session.
    pub logouts_late: u64,
    /// The longest time from an acknowledgement to a look that still did not show it; zero where
    /// every look did.
    pub longest_seconds: f64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Logouts {
    /// Logouts that were acknowledged while another request of that session was in flight.
    pub raced: u64,
    /// Sessions that were live afterwards with the cookie that the visitor's browser then held.
    pub revived: u64,
    /// Sessions that were live afterwards with a copy of the cookie from before the logout.
    pub revived_by_copy: u64,
}

/// Logouts that were acknowledged right before something broke.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Departures {
    pub acknowledged: u64,
    /// Sessions that were live after the fault with the cookie that the browser then held.
    pub revived: u64,
    /// Sessions that were live after the fault with a copy of the cookie from before the logout.
    pub revived_by_copy: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Fault {
    /// "SIGKILL of node-2", "valkey-server stopped for 3 s".
    pub what: String,
    pub audit: Audit,
    /// What became of those who logged out right before. Absent in reports of earlier releases.
    pub logouts: Option<Departures>,
    /// From the fault (of an outage: from its end) until every shopper was served again.
    pub seconds_until_healthy: Option<f64>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Growth {
    pub nodes_before: usize,
    pub nodes_after: usize,
    /// The busiest node's share of the requests, 0 to 1; fair is one over the number of nodes.
    pub busiest_share_before: f64,
    pub busiest_share_after: f64,
    /// The new node's share of the requests.
    pub newcomers_share: f64,
    pub audit: Audit,
    pub seconds_until_healthy: Option<f64>,
}

/// Bytes by request. Those of clients and of clusters were counted in the steady phase. Those
/// between a node and a store were counted for one shopper alone, through a relay.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Wire {
    /// Bytes that a shopper sends, head and body.
    pub from_client: f64,
    pub to_client: f64,
    /// Bytes between a node and other nodes or the store, in both directions. Absent where they
    /// cannot be seen, as with files.
    pub between_servers: Option<f64>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct CommandsPerRequest {
    /// A request that does not use the session.
    pub untouched: f64,
    pub read: f64,
    pub write: f64,
    pub login: f64,
    pub logout: f64,
    /// The average of a shopper's requests as under steady load, sent alone.
    pub steady: f64,
}

impl Comparison {
    pub fn measured(&self) -> impl Iterator<Item = &Measured> {
        self.strategies.iter().filter_map(|outcome| match outcome {
            Outcome::Measured(measured) => Some(&**measured),
            Outcome::NotRun { .. } | Outcome::Failed { .. } => None,
        })
    }
}

impl Audit {
    pub fn carts_kept(&self) -> u64 {
        self.carts.saturating_sub(self.carts_lost).saturating_sub(self.carts_shrunk)
    }
}
