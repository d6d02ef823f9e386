//! What a run leaves behind.

use std::fs;
use std::path::Path;

use crate::Fallible;
use crate::results::{Comparison, Measured, Outcome, PhaseName};

/// `report.json`, and a few lines for whoever waits.
pub(crate) fn write(comparison: &Comparison, folder: &Path) -> Fallible<()> {
    fs::create_dir_all(folder)?;
    let file = folder.join("report.json");
    fs::write(&file, serde_json::to_vec_pretty(comparison)?)?;
    for outcome in &comparison.strategies {
        println!("{}", line(outcome));
    }
    println!("{}", file.display());
    Ok(())
}

fn line(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Measured(measured) => measured_line(measured),
        Outcome::NotRun { strategy, needs } => {
            format!("{:<18} not run: needs {needs}", strategy.id)
        }
        Outcome::Failed { strategy, problem } => format!("{:<18} failed: {problem}", strategy.id),
    }
}

fn measured_line(measured: &Measured) -> String {
    let steady = measured.phases.iter().find(|phase| phase.name == PhaseName::Steady);
    let (rate, p95) = steady.map_or((0.0, 0.0), |phase| {
        (phase.requests_per_second, phase.latency.map_or(0.0, |latency| latency.p95_ms))
    });
    let killed = measured.node_killed.audit;
    format!(
        "{:<18} {rate:>7.0}/s  p95 {p95:>6.1} ms  lost to the kill: {} of {} carts, {} shrunk  \
         lost in parallel: {} adds  revived: {} ({} by a copy)",
        measured.strategy.id,
        killed.carts_lost,
        killed.carts,
        killed.carts_shrunk,
        measured.parallel_adds.adds_missing,
        measured.logouts.revived,
        measured.logouts.revived_by_copy,
    )
}
