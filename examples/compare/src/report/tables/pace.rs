//! The tables of latencies and of requests that failed.

use super::{Table, absent, name};
use crate::report::chart::steady;
use crate::report::figures::{count, milliseconds, or_dash, per_second, seconds};
use crate::results::{Answers, Comparison, Latency, Measured, Phase, PhaseName};

pub(crate) fn steady_load(comparison: &Comparison) -> Table {
    let row = |strategy: &Measured| {
        let phase = steady(strategy);
        let [rate, p50, p95, p99, longest, refused] = phase.map_or_else(absent, speed);
        let missing = or_dash(strategy.steady_load, |audit| count(audit.adds_missing));
        [name(strategy), rate, p50, p95, p99, longest, refused, missing]
    };
    Table::new(
        "steady",
        "Steady load",
        LATENCIES,
        [
            "strategy",
            "requests by second",
            "p50",
            "p95",
            "p99",
            "longest",
            "not acknowledged",
            "adds missing",
        ],
        comparison.measured().map(row),
    )
}

const LATENCIES: &str = "Latencies in milliseconds, of the requests that were acknowledged.";

/// Returns requests by second, p50, p95, p99, the longest, and what was not acknowledged.
fn speed(phase: &Phase) -> [String; 6] {
    let latency = |figure: fn(&Latency) -> f64| {
        or_dash(phase.latency.as_ref(), |latency| milliseconds(figure(latency)))
    };
    [
        per_second(phase.requests_per_second),
        latency(|latency| latency.p50_ms),
        latency(|latency| latency.p95_ms),
        latency(|latency| latency.p99_ms),
        latency(|latency| latency.max_ms),
        answers(phase.answers),
    ]
}

/// Returns the table of one strategy, with a row for each phase.
pub(crate) fn phases(strategy: &Measured) -> Table {
    let row = |phase: &Phase| {
        let [rate, p50, p95, p99, longest, refused] = speed(phase);
        let [took, requests] = [seconds(phase.seconds), count(phase.requests)];
        let name = phase_name(phase.name).to_owned();
        [name, took, requests, rate, p50, p95, p99, longest, refused]
    };
    Table::new(
        "phases",
        "Phases",
        LATENCIES,
        [
            "phase",
            "took",
            "requests",
            "by second",
            "p50",
            "p95",
            "p99",
            "longest",
            "not acknowledged",
        ],
        strategy.phases.iter().map(row),
    )
}

fn phase_name(phase: PhaseName) -> &'static str {
    match phase {
        PhaseName::WarmUp => "warm-up",
        PhaseName::Steady => "steady load",
        PhaseName::ParallelAdds => "parallel adds",
        PhaseName::Logouts => "logouts in a race",
        PhaseName::NodeKilled => "a server is killed",
        PhaseName::NodeAdded => "a server is added",
        PhaseName::StoreOutage => "the store is away",
    }
}

/// Lists the requests that were not acknowledged, by kind.
fn answers(answers: Answers) -> String {
    let kinds = [
        ("409", answers.conflicts),
        ("502 to 504", answers.unavailable),
        ("other", answers.other),
        ("no answer", answers.broken),
    ];
    let there = kinds.into_iter().filter(|(_, times)| *times > 0);
    let words: Vec<_> = there.map(|(kind, times)| format!("{kind}: {}", count(times))).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}
