//! The page: one file that loads nothing and runs nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::arithmetic::arithmetic;
use super::chart::{Chart, Palette};
use super::costs::Costs;
use super::decisions::decisions;
use super::figures::{bytes, seconds};
use super::tables::{self, Table};
use super::{ReportError, drawing, money};
use crate::cost::Mix;
use crate::prices::Prices;
use crate::results::{Comparison, Outcome, Sharing, StrategyName};

const STYLE: &str = include_str!("style.css");

pub(crate) fn page(
    comparison: &Comparison,
    prices: &Prices,
    costs: &Costs,
) -> Result<String, ReportError> {
    let bills = money::section(costs)?;
    let mut figures = Vec::new();
    for chart in Chart::all(comparison, prices) {
        figures.push(figure(&chart)?);
    }
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (document_head())
            body {
                (top(comparison))
                main {
                    section.charts aria-labelledby="charts" {
                        h2 id="charts" { "At a glance" }
                        div.grid { @for figure in &figures { (figure) } }
                        (remarks(comparison))
                    }
                    (bills)
                    section aria-labelledby="figures" {
                        h2 id="figures" { "All figures" }
                        @for table in tables::all(comparison, prices) { (titled(&table)) }
                        (arithmetic(Mix::from_comparison(comparison), prices))
                    }
                    (strategies(comparison))
                    (not_run(comparison))
                    (conditions(comparison))
                    (decisions(comparison, prices))
                }
            }
        }
    };
    Ok(page.into_string())
}

/// The head, whose policy allows this one style and forbids scripts, requests and everything else.
fn document_head() -> Markup {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; \
         form-action 'none'"
    );
    html! {
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(policy);
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { "Where should sessions live? Measured by cloakroom" }
            link rel="icon" href="data:,";
            style { (PreEscaped(STYLE)) }
        }
    }
}

fn top(comparison: &Comparison) -> Markup {
    let plan = &comparison.plan;
    let contents = [
        ("charts", "At a glance"),
        ("bills", "What it costs in a month"),
        ("figures", "All figures"),
        ("strategies", "Each strategy"),
        ("conditions", "Machine and command"),
        ("decisions", "Take this when …"),
    ];
    html! {
        header {
            h1 { "Where should sessions live?" }
            p.lead {
                "The same shop on one machine, with " (plan.nodes) " servers and " (plan.shoppers)
                " shoppers, under " (comparison.measured().count()) " ways of keeping its sessions, \
                 while servers were killed and added. The figures are from this run. The bills of a \
                 month are computed, from assumptions that stand beside them."
            }
            @if comparison.interrupted {
                p.notice { "This run was interrupted. The page shows what was measured until then." }
            }
            @if comparison.machine.build != "release" {
                p.notice {
                    "This is a " (comparison.machine.build) " build: the losses are those of a \
                     release build, the times are not."
                }
            }
            nav aria-label="Contents" {
                ul { @for (id, title) in contents { li { a href={ "#" (id) } { (title) } } } }
            }
        }
    }
}

fn figure(chart: &Chart) -> Result<Markup, ReportError> {
    let svg = drawing::svg(chart);
    let svg = svg.map_err(|source| ReportError::Drawing { chart: chart.id, source })?;
    let (title, text) = (format!("{}-title", chart.id), format!("{}-text", chart.id));
    let shades = match chart.palette {
        Palette::Steps => "steps",
        Palette::Pair => "pair",
        Palette::Signals => "signals",
    };
    Ok(html! {
        figure id=(chart.id) {
            figcaption {
                h3 id=(title) { (chart.title) }
                p id=(text) { (chart.description) }
            }
            @if let Some(svg) = svg {
                ul.legend aria-hidden="true" {
                    @for (number, name) in chart.series.iter().enumerate() {
                        li { span class={ "swatch " (shades) "-" (number + 1) } {} (name) }
                    }
                }
                div.drawing role="img" aria-labelledby=(title) aria-describedby=(text) {
                    (PreEscaped(svg))
                }
                details {
                    summary { "The same as a table" }
                    (charted(chart))
                }
            } @else {
                p.nothing { "Nothing was measured." }
            }
        }
    })
}

fn charted(chart: &Chart) -> Markup {
    html! {
        table.small {
            thead {
                tr {
                    th scope="col" { "strategy" }
                    @for name in &chart.series { th scope="col" { (name) } }
                }
            }
            tbody {
                @for group in &chart.groups {
                    tr {
                        th scope="row" { (group.title) }
                        @for bar in &group.bars { td { (bar.label) } }
                    }
                }
            }
        }
    }
}

fn remarks(comparison: &Comparison) -> Markup {
    let remarked: Vec<_> =
        comparison.measured().filter(|strategy| !strategy.remarks.is_empty()).collect();
    html! {
        @if !remarked.is_empty() {
            h3 { "* Remarks" }
            dl.remarks {
                @for strategy in remarked {
                    dt { (strategy.strategy.title) }
                    @for remark in &strategy.remarks { dd { (remark) } }
                }
            }
        }
    }
}

pub(super) fn titled(table: &Table) -> Markup {
    html! {
        h3 id=(table.id) { (table.title) }
        @if !table.note.is_empty() { p { (table.note) } }
        (rows(table))
    }
}

/// On a phone each row becomes a card, whose lines are named by `data-label`. The roles are
/// explicit, because some browsers no longer announce a table whose layout is changed by CSS.
fn rows(table: &Table) -> Markup {
    html! {
        @if table.rows.is_empty() {
            p.nothing { "Nothing was measured." }
        } @else {
            table.wide role="table" {
                thead role="rowgroup" {
                    tr role="row" {
                        @for column in &table.columns {
                            th scope="col" role="columnheader" { (column) }
                        }
                    }
                }
                tbody role="rowgroup" {
                    @for row in &table.rows {
                        tr role="row" {
                            @let mut cells = row.iter().zip(&table.columns);
                            @if let Some((name, _)) = cells.next() {
                                th scope="row" role="rowheader" { (name) }
                            }
                            @for (cell, column) in cells {
                                td role="cell" data-label=(column) { span { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn strategies(comparison: &Comparison) -> Markup {
    html! {
        section aria-labelledby="strategies" {
            h2 id="strategies" { "Each strategy, phase by phase" }
            @if comparison.measured().next().is_none() { p.nothing { "None was measured." } }
            @for strategy in comparison.measured() {
                article {
                    h3 { (strategy.strategy.title) }
                    p { (strategy.setting) }
                    p.sharing { (sharing_sentence(&strategy.strategy)) }
                    @if !strategy.remarks.is_empty() {
                        ul { @for remark in &strategy.remarks { li { (remark) } } }
                    }
                    details {
                        summary { "Phases" }
                        p { (tables::phases(strategy).note) }
                        (rows(&tables::phases(strategy)))
                    }
                }
            }
        }
    }
}

fn sharing_sentence(strategy: &StrategyName) -> String {
    match (strategy.sharing, strategy.staleness_seconds) {
        (Sharing::None, _) => "Each server has its own sessions.".to_owned(),
        (Sharing::Copies, _) => "The servers send copies to each other.".to_owned(),
        (Sharing::Cookie, _) => "The visitor carries the session.".to_owned(),
        (Sharing::Store, None) => "All servers ask one store.".to_owned(),
        (Sharing::Store, Some(seconds)) => format!(
            "All servers ask one store, and each answers reads from its own memory for {seconds} s."
        ),
    }
}

fn not_run(comparison: &Comparison) -> Markup {
    let all = comparison.strategies.iter();
    let missing = all.filter(|outcome| !matches!(outcome, Outcome::Measured(_)));
    let missing: Vec<_> = missing.collect();
    html! {
        @if !missing.is_empty() {
            section aria-labelledby="not-run" {
                h2 id="not-run" { "Not run" }
                dl.remarks {
                    @for outcome in missing {
                        @match outcome {
                            Outcome::NotRun { strategy, needs } => {
                                dt { (strategy.title) }
                                dd { "Not run: needs " (needs) }
                            }
                            Outcome::Failed { strategy, problem } => {
                                dt { (strategy.title) }
                                dd.failed { "Failed: " (problem) }
                            }
                            Outcome::Measured(_) => {}
                        }
                    }
                }
            }
        }
    }
}

fn conditions(comparison: &Comparison) -> Markup {
    let (machine, plan) = (&comparison.machine, &comparison.plan);
    let failover = if plan.failover {
        "SIGSTOP and SIGCONT; with a replica, SIGKILL"
    } else {
        "SIGSTOP and SIGCONT"
    };
    let lines = [
        ("began", comparison.began.clone()),
        ("took", seconds(comparison.seconds)),
        ("run", if plan.quick { "quick" } else { "full" }.to_owned()),
        ("build", machine.build.clone()),
        ("servers of the app", plan.nodes.to_string()),
        ("shoppers", plan.shoppers.to_string()),
        ("seed", plan.seed.to_string()),
        ("extra bytes of a session", format!("{} KB", plan.session_kb)),
        ("the store's outage", failover.to_owned()),
        ("system", machine.system.clone()),
        ("processor", machine.processor.clone()),
        ("cores", machine.cores.to_string()),
        ("memory", bytes(machine.memory_bytes as f64)),
    ];
    html! {
        section aria-labelledby="conditions" {
            h2 id="conditions" { "Machine and command" }
            pre { code { (comparison.command) } }
            dl.facts {
                @for (name, value) in lines { dt { (name) } dd { (value) } }
                @for (name, version) in &machine.versions { dt { (name) } dd { (version) } }
            }
            p { "The same figures for machines are in " code { "report.json" } " beside this page." }
        }
    }
}
