//! What was measured, for a terminal.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table};

use super::{Kind, MeasuredStore, Report, Step};
use crate::report::figures::{count, milliseconds, or_dash, per_second};

const WIDTH: u16 = 100;

pub(super) fn terminal(report: &Report) -> String {
    let mut table = Table::new();
    table
        .load_style(NOTHING.header_separator(LineStyle::none().fill('─').junction('─')))
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header([
            "store",
            "request",
            "at once",
            "req/s",
            "p50 ms",
            "p99 ms",
            "× memory",
            "refused",
        ]);
    for store in &report.stores {
        for step in &store.steps {
            table.add_row(row(&store.name, step));
        }
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = format!(
        "{}\n\nSessions of {} KB, all in one process. × slower: the memory store's requests by second, divided\n\
         by these. Refused: requests that were not acknowledged.\n\n",
        table.trim_fmt(),
        report.session_kb
    );
    for store in &report.stores {
        text += &outcome(store);
    }
    if report.machine.build != "release" {
        text += &format!("This is a {} build: its times are longer.\n", report.machine.build);
    }
    if report.interrupted {
        text += "Interrupted: the table shows what was measured until then.\n";
    }
    text
}

fn row(name: &str, step: &Step) -> [String; 8] {
    let kind = match step.request {
        Kind::Read => "read",
        Kind::Write => "write",
        Kind::Login => "login",
    };
    [
        name.to_owned(),
        kind.to_owned(),
        step.at_once.to_string(),
        per_second(step.requests_per_second),
        or_dash(step.latency, |latency| milliseconds(latency.p50_ms)),
        or_dash(step.latency, |latency| milliseconds(latency.p99_ms)),
        or_dash(step.times_slower, per_second),
        count(step.not_acknowledged),
    ]
}

/// Says what became of the sessions.
fn outcome(store: &MeasuredStore) -> String {
    let mut text = String::new();
    if let Some(problem) = &store.problem {
        text += &format!("{}: FAILED: {problem}\n", store.name);
    }
    if let Some(end) = store.end {
        text += &format!(
            "{}: {} of {} acknowledged changes missing; {} of {} sessions ended; {} of them\n\
             opened again by a copy of the cookie.\n",
            store.name,
            count(end.changes_missing),
            count(end.changes_acknowledged),
            count(end.ended),
            count(end.sessions),
            count(end.came_back_by_copy)
        );
    }
    text
}
