//! Comparisons with invented figures. All differ from each other, and all stay the same when they
//! are written in decimals and read again.

use std::collections::BTreeMap;

use compare::results::{
    Answers, Audit, CommandsPerRequest, Comparison, Departures, FORMAT, Fault, Growth, LateLooks,
    Latency, Logouts, Machine, Measured, Outcome, Phase, PhaseName, Plan, Sharing, StrategyName,
    Wire,
};

/// A text that has to be escaped wherever it is shown.
pub(crate) const HOSTILE: &str = "<script>alert('x')</script>&\"</style>\u{1b}[31m";

pub(crate) fn empty() -> Comparison {
    Comparison {
        format: FORMAT,
        began: "2026-01-02T03:04:05Z".to_owned(),
        seconds: 57.25,
        command: "compare --quick --nodes 3 --seed 7".to_owned(),
        machine: Machine {
            system: "Debian GNU/Linux 13 (trixie)".to_owned(),
            processor: "An Imagined Processor @ 2.00GHz".to_owned(),
            cores: 2,
            memory_bytes: 24 << 30,
            versions: BTreeMap::from([
                ("cloakroom".to_owned(), "0.1.0".to_owned()),
                ("valkey-server".to_owned(), "8.1.1".to_owned()),
            ]),
            build: "release".to_owned(),
        },
        plan: Plan {
            quick: true,
            nodes: 3,
            shoppers: 48,
            seed: 7,
            session_kb: 2.0,
            failover: false,
        },
        strategies: Vec::new(),
        interrupted: false,
    }
}

/// A whole run: all strategies, one of them failed and one not run.
pub(crate) fn whole() -> Comparison {
    let mut comparison = empty();
    comparison.strategies = STRATEGIES
        .iter()
        .enumerate()
        .map(|(number, (id, title, sharing))| {
            let strategy = name(id, title, *sharing);
            match *id {
                "nfs" => Outcome::NotRun { strategy, needs: "a guest kernel for NFS".to_owned() },
                "memcached" => Outcome::Failed {
                    strategy,
                    problem: "memcached ended: exit code 71".to_owned(),
                },
                _ => Outcome::Measured(Box::new(measured(strategy, number as f64))),
            }
        })
        .collect();
    comparison
}

pub(crate) fn one(strategy: Measured) -> Comparison {
    Comparison { strategies: vec![Outcome::Measured(Box::new(strategy))], ..empty() }
}

pub(crate) const STRATEGIES: [(&str, &str, Sharing); 19] = [
    ("memory", "One server's memory behind round-robin", Sharing::None),
    ("sticky", "ELB sticky sessions", Sharing::None),
    ("all-to-all", "Clustering, all-to-all (Tomcat DeltaManager)", Sharing::Copies),
    ("primary-secondary", "Clustering, primary-secondary (Tomcat BackupManager)", Sharing::Copies),
    ("cookie", "Signed cookie", Sharing::Cookie),
    ("private-cookie", "Private cookie", Sharing::Cookie),
    ("redis", "ElastiCache for Redis or Valkey", Sharing::Store),
    ("redis-failover", "The same, failing over", Sharing::Store),
    ("memcached", "ElastiCache for Memcached", Sharing::Store),
    ("dynamodb", "DynamoDB", Sharing::Store),
    ("near-redis", "Redis or Valkey behind a memory", Sharing::Store),
    ("near-dynamodb", "DynamoDB behind a memory", Sharing::Store),
    ("near-dynamodb-5s", "DynamoDB behind a memory of 5 s", Sharing::Store),
    ("postgres", "RDS or Aurora for PostgreSQL", Sharing::Store),
    ("mysql", "RDS or Aurora for MySQL", Sharing::Store),
    ("sqlite", "SQLite, one file", Sharing::Store),
    ("file", "EFS: a shared directory", Sharing::Store),
    ("nfs", "EFS: over NFS", Sharing::Store),
    ("s3", "S3: objects", Sharing::Store),
];

pub(crate) fn name(id: &str, title: &str, sharing: Sharing) -> StrategyName {
    let staleness_seconds = id.starts_with("near-").then(|| if id.ends_with("5s") { 5 } else { 1 });
    StrategyName { id: id.to_owned(), title: title.to_owned(), sharing, staleness_seconds }
}

pub(crate) fn measured(strategy: StrategyName, number: f64) -> Measured {
    let shared = strategy.sharing == Sharing::Store;
    let is_local = ["file", "sqlite"].contains(&&*strategy.id);
    let lost = if strategy.sharing == Sharing::None { 16 } else { 0 };
    let shrunk = if strategy.sharing == Sharing::Copies { 3 } else { 0 };
    let remarks = match strategy.id.as_str() {
        "dynamodb" => vec!["The latency is the emulator's.".to_owned()],
        _ => Vec::new(),
    };
    let killed = Audit {
        carts: 48,
        carts_lost: lost,
        carts_shrunk: shrunk,
        adds_acknowledged: 1234,
        adds_missing: 5 * (lost + shrunk),
        adds_too_many: 0,
    };
    Measured {
        setting: format!("{} on loopback", strategy.title),
        phases: phases(number),
        warm_up: Some(Audit { carts: 48, adds_acknowledged: 96, ..Audit::default() }),
        steady_load: Some(Audit {
            carts: 48,
            carts_shrunk: 7 * shrunk,
            adds_acknowledged: 4321,
            adds_missing: 9 * shrunk,
            ..Audit::default()
        }),
        parallel_adds: Audit { carts: 12, adds_acknowledged: 600, ..Audit::default() },
        late_looks: shared.then(|| late_looks(&strategy)),
        logouts: Logouts {
            raced: 40,
            revived: 0,
            revived_by_copy: if strategy.sharing == Sharing::Cookie { 40 } else { 0 },
        },
        node_killed: fault("SIGKILL of node-2", killed),
        node_added: Growth {
            nodes_before: 3,
            nodes_after: 4,
            busiest_share_before: 0.375 + number / 64.0,
            busiest_share_after: 0.25 + number / 64.0,
            newcomers_share: 0.25,
            audit: killed,
            seconds_until_healthy: Some(0.25),
        },
        store_outage: (shared && strategy.id != "sqlite")
            .then(|| fault("the server stopped for 3 s", Audit::default())),
        node_bytes_per_session: Some(3456.5 + number),
        wire: Wire {
            from_client: 412.0,
            to_client: 388.0,
            between_servers: (!is_local).then_some(2345.0),
        },
        store_commands: (shared && !is_local).then_some(COMMANDS),
        remarks,
        strategy,
    }
}

const COMMANDS: CommandsPerRequest = CommandsPerRequest {
    untouched: 0.0,
    read: 1.0,
    write: 2.0,
    login: 3.0,
    logout: 2.0,
    steady: 1.25,
};

fn late_looks(strategy: &StrategyName) -> LateLooks {
    let looks = LateLooks { changes: 96, logouts: 96, ..LateLooks::default() };
    match strategy.staleness_seconds {
        None => looks,
        Some(seconds) => LateLooks {
            changes_late: 90,
            logouts_late: 80,
            longest_seconds: f64::from(seconds) - 0.125,
            ..looks
        },
    }
}

fn fault(what: &str, audit: Audit) -> Fault {
    let logouts = Departures { acknowledged: 48, revived: 1, revived_by_copy: 2 };
    let (what, logouts) = (what.to_owned(), Some(logouts));
    Fault { what, audit, logouts, seconds_until_healthy: Some(1.5) }
}

fn phases(number: f64) -> Vec<Phase> {
    use PhaseName::{Logouts, NodeAdded, NodeKilled, ParallelAdds, Steady, StoreOutage, WarmUp};
    let names = [WarmUp, Steady, ParallelAdds, Logouts, NodeKilled, NodeAdded, StoreOutage];
    let phase = |name| Phase {
        name,
        seconds: 4.0,
        requests: 12_345,
        requests_per_second: 3086.25,
        latency: Some(Latency {
            p50_ms: 0.5 + number / 8.0,
            p95_ms: 1.25 + number / 4.0,
            p99_ms: 3.25 + number,
            max_ms: 41.0,
        }),
        answers: Answers {
            acknowledged: 12_300,
            conflicts: 5,
            unavailable: 40,
            other: 0,
            broken: 0,
        },
    };
    names.map(phase).into()
}
