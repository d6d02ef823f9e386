//! The table in the terminal: the most important figures, in 100 columns.

use std::fmt::Write;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table};

use super::chart::steady;
use super::figures::{ABSENT, count, dollars, milliseconds, or_dash, per_second, share};
use crate::cost::{Estimate, Mix, Prices, SIZES_KB, TYPICAL};
use crate::results::{Comparison, Measured, Outcome};

const WIDTH: u16 = 100;

pub fn terminal(comparison: &Comparison) -> String {
    let mut text = String::new();
    if comparison.measured().next().is_some() {
        text += &format!("{}\n\n{}", table(comparison), legend(comparison));
    }
    for outcome in &comparison.strategies {
        // Writing to a string cannot fail.
        let _ = match outcome {
            Outcome::Measured(measured) => measured.remarks.iter().try_for_each(|remark| {
                writeln!(text, "{}: {}", plain(&measured.strategy.title), plain(remark))
            }),
            Outcome::NotRun { strategy, needs } => {
                writeln!(text, "{}: not run: needs {}", plain(&strategy.title), plain(needs))
            }
            Outcome::Failed { strategy, problem } => {
                writeln!(text, "{}: FAILED: {}", plain(&strategy.title), plain(problem))
            }
        };
    }
    if comparison.interrupted {
        text += "Interrupted: the table shows what was measured until then.\n";
    }
    text
}

fn table(comparison: &Comparison) -> String {
    let mut table = Table::new();
    table
        .load_style(NOTHING.header_separator(LineStyle::none().fill('─').junction('─')))
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header([
            "strategy", "req/s", "p50 ms", "p99 ms", "lost", "shrunk", "missing", "back",
            "busiest", "$ / 1M",
        ]);
    let mix = Mix::from_comparison(comparison);
    // Without the price file, only the prices are missing.
    let prices = Prices::read().ok();
    for strategy in comparison.measured() {
        let estimate =
            prices.as_ref().and_then(|prices| Estimate::for_strategy(strategy, mix, prices));
        table.add_row(row(strategy, estimate));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
        column.set_padding((1, 0));
    }
    table.trim_fmt()
}

fn row(strategy: &Measured, estimate: Option<Estimate>) -> [String; 10] {
    let phase = steady(strategy);
    let latency = phase.and_then(|phase| phase.latency);
    let killed = &strategy.node_killed.audit;
    [
        plain(&strategy.strategy.title),
        or_dash(phase, |phase| per_second(phase.requests_per_second)),
        or_dash(latency, |latency| milliseconds(latency.p50_ms)),
        or_dash(latency, |latency| milliseconds(latency.p99_ms)),
        if killed.carts == 0 { ABSENT.to_owned() } else { count(killed.carts_lost) },
        if killed.carts == 0 { ABSENT.to_owned() } else { count(killed.carts_shrunk) },
        count(killed.adds_missing + strategy.parallel_adds.adds_missing),
        count(strategy.logouts.revived),
        share(strategy.node_added.busiest_share_after),
        or_dash(estimate, |estimate| dollars(estimate.dollars[TYPICAL])),
    ]
}

fn legend(comparison: &Comparison) -> String {
    format!(
        "req/s, p50, p99: steady load of {} shoppers on {} servers. Lost, shrunk: carts after one\n\
         server was killed. Missing: acknowledged adds, after that and after parallel adds. Back:\n\
         logged-out sessions. Busiest: its share once a server was added. $: estimated, AWS,\n\
         a million requests, {} KB sessions. {ABSENT}: not measured.\n\n",
        comparison.plan.shoppers, comparison.plan.nodes, SIZES_KB[TYPICAL]
    )
}

/// Removes control characters: the versions and errors in a run may contain commands for a
/// terminal.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
