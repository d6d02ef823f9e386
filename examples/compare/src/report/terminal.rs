//! The table in the terminal: the most important figures, in 100 columns.

use std::fmt::Write;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table};

use super::chart::steady;
use super::costs::{Costs, Price};
use super::figures::{ABSENT, count, dollars, milliseconds, or_dash, per_second, share};
use super::money;
use crate::cost::{Estimate, Mix, SIZES_KB, TYPICAL};
use crate::prices::Prices;
use crate::results::{Comparison, Measured, Outcome};

const WIDTH: u16 = 100;
/// The width of the tables of bills, which have more columns.
const WIDE: u16 = 130;

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
         a million requests more, {} KB sessions, without hours and storage: \"compare costs\" has\n\
         the bill of a month. {ABSENT}: not measured.\n\n",
        comparison.plan.shoppers, comparison.plan.nodes, SIZES_KB[TYPICAL]
    )
}

/// Writes the bills of a month for a terminal.
pub fn costs(costs: &Costs) -> String {
    let mut text = String::new();
    for mut table in money::tables(costs) {
        if table.id == "months" {
            // What the set-ups are does not fit beside six rates.
            table.columns.remove(1);
            table.rows.iter_mut().for_each(|row| drop(row.remove(1)));
        }
        let mut drawn = Table::new();
        drawn
            .load_style(NOTHING.header_separator(LineStyle::none().fill('─').junction('─')))
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(WIDE)
            .set_header(&table.columns);
        drawn.add_rows(&table.rows);
        text += &format!("{}\n\n{}\n\n", table.title, drawn.trim_fmt());
        if !table.note.is_empty() {
            text += &format!("{}\n\n", wrapped(&table.note, ""));
        }
    }
    text += "What the bills assume\n\n";
    for line in money::assumptions(&costs.assumptions) {
        text += &format!("{}\n", wrapped(&line, "* "));
    }
    text += &format!("\nPrices in {}, US dollars\n\n", costs.region);
    for price in &costs.prices {
        let Price { service, billing, charges, as_of, source } = price;
        let line = format!("{service}, {billing}: {charges} (as of {as_of}: {source})");
        text += &format!("{}\n", wrapped(&line, "* "));
    }
    let missing = costs.not_included.join("; ");
    if missing.is_empty() {
        return text;
    }
    text + "\n" + &wrapped(&format!("Not included: {missing}."), "") + "\n"
}

/// Breaks a text into lines. The first begins with a mark, and the others stand below its end.
fn wrapped(text: &str, mark: &str) -> String {
    let mut lines = vec![mark.to_owned()];
    for word in text.split_whitespace() {
        let room = usize::from(WIDE);
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                if !line.ends_with(' ') && !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            _ => lines.push(format!("{}{word}", " ".repeat(mark.len()))),
        }
    }
    plain_lines(&lines)
}

fn plain_lines(lines: &[String]) -> String {
    lines.iter().map(|line| plain(line)).collect::<Vec<_>>().join("\n")
}

/// Removes control characters: the versions and errors in a run may contain commands for a
/// terminal.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
