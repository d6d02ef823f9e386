//! The section about dollars a month and memory: its tables, and its assumptions in words.

use maud::{Markup, PreEscaped, html};

use super::costs::{Costs, Holding};
use super::figures::{ABSENT, amount, bytes, monthly, or_dash, rate};
use super::page::titled;
use super::tables::Table;
use super::{ReportError, curves};
use crate::cost::{NFS_CHANGE, NFS_LEAST_FILE_KB, NFS_LOAD};
use crate::month::{Bill, DECADES, HOURS, NFS_CREATION, Nodes, SESSIONS, Shop};
use crate::near::LAST_AFTER_SECONDS;

/// Below this amount, what has no price is left out of a cell.
const LEAST_AMOUNT: f64 = 1.0;

/// Writes a month's bill into one cell: the dollars that are known, and what is billed beside them
/// at a price that is not.
pub fn cell(bill: &Bill) -> String {
    let mut words = vec![match (bill.dollars, &bill.nodes) {
        (Some(dollars), Some(nodes)) => format!("{} ({})", monthly(dollars), numbered(nodes)),
        (Some(dollars), None) => monthly(dollars),
        (None, nodes) => or_dash(nodes.as_ref(), numbered),
    }];
    let more =
        bill.unpriced().filter(|part| part.amount >= LEAST_AMOUNT && part.billed.starts_with("GB"));
    words.extend(more.map(|part| format!("{} {}", amount(part.amount), part.billed)));
    words.join(" + ")
}

/// Writes what so many sessions take, and the nodes that hold them.
pub fn memory_cell(holding: &Holding) -> String {
    let size = if holding.bytes > 0.0 { bytes(holding.bytes) } else { "none".to_owned() };
    match &holding.nodes {
        Some(nodes) => format!("{size}: {}", numbered(nodes)),
        None => size,
    }
}

fn numbered(nodes: &Nodes) -> String {
    format!("{} × {}", nodes.number, short(&nodes.node_type))
}

/// Returns a node type without the prefix that all of its service have.
fn short(node_type: &str) -> &str {
    node_type.split_once('.').map_or(node_type, |(_, short)| short)
}

pub(super) fn tables(costs: &Costs) -> [Table; 4] {
    [months(costs), crossings(costs), rivals(costs), memory(costs)]
}

fn months(costs: &Costs) -> Table {
    let rows = costs.setups.iter().map(|setup| {
        let mut row = vec![setup.title.to_owned(), setup.availability.to_owned()];
        row.extend(setup.months.iter().map(cell));
        row
    });
    let mut columns = vec!["set-up".to_owned(), "in several zones".to_owned()];
    columns.extend(DECADES.map(|requests| format!("{} a second", rate(requests))));
    Table {
        id: "months",
        title: "Dollars a month, by requests a second that use their session",
        note: "The smallest set-up of each store, of nodes with how many of which type. Where the price file \
               lacks a price, the cell has the amount in place of dollars, or after a plus sign. For your own \
               prices and visitors: compare costs --help."
            .to_owned(),
        columns,
        rows: rows.collect(),
    }
}

fn crossings(costs: &Costs) -> Table {
    let rows = costs.crossings.iter().enumerate().map(|(number, crossing)| {
        vec![
            (number + 1).to_string(),
            costs.title(crossing.below).to_owned(),
            costs.title(crossing.above).to_owned(),
            rate(crossing.requests_per_second),
            monthly(crossing.dollars),
        ]
    });
    let columns =
        ["point", "cheaper below", "cheaper above", "requests a second", "both cost a month"];
    Table {
        id: "crossings",
        title: "Where two stores cost the same",
        note: "The numbered points of the chart. Only parts with a price are compared. A bill of nodes \
               rises by a step where larger nodes are needed; two stores that change places there, or more \
               than once, are not here."
            .to_owned(),
        columns: columns.map(str::to_owned).into(),
        rows: rows.collect(),
    }
}

fn rivals(costs: &Costs) -> Table {
    let rows = costs.node_prices_to_beat.iter().map(|rival| {
        vec![
            rate(rival.requests_per_second),
            numbered(&rival.nodes),
            costs.title(rival.beats).to_owned(),
            hourly(Some(rival.dollars_per_hour)),
            hourly(rival.listed_dollars_per_hour),
            format!("{} GB", amount(rival.gb_between_zones)),
        ]
    });
    let columns = [
        "requests a second",
        "smallest nodes that hold the sessions",
        "the cheapest without nodes",
        "nodes are cheaper below, for each and hour",
        "in the price file",
        "if these between zones cost nothing",
    ];
    Table {
        id: "rivals",
        title: "When nodes of Valkey are cheaper",
        note: "A primary and a replica are paid by the hour, whatever the traffic. The bytes between zones \
               come on top, and with much traffic they cost more than the nodes; they are none where the \
               app's servers are in the primary's zone. The nodes are chosen by memory only: measure whether \
               their processor and network suffice, those of the t4g types above all."
            .to_owned(),
        columns: columns.map(str::to_owned).into(),
        rows: rows.collect(),
    }
}

/// Writes the price of an hour, which is too small for whole cents.
pub fn hourly(dollars: Option<f64>) -> String {
    dollars.map_or(ABSENT.to_owned(), |dollars| format!("${dollars:.4}"))
}

fn memory(costs: &Costs) -> Table {
    let rows = costs.memory.iter().map(|memory| {
        let each = if memory.bytes_per_session > 0.0 {
            bytes(memory.bytes_per_session)
        } else {
            ABSENT.to_owned()
        };
        let mut row = vec![memory.title.to_owned(), each];
        row.extend(memory.holding.iter().map(memory_cell));
        row
    });
    let mut columns = vec!["place".to_owned(), "each".to_owned()];
    columns.extend(SESSIONS.map(|sessions| format!("{} sessions", rate(sessions))));
    Table {
        id: "memory",
        title: "Memory for live sessions",
        note: "With the smallest nodes that hold them: a primary and a replica of Redis or Valkey, each with a \
               quarter kept free as AWS advises, two nodes of memcached with half each, or a primary and a standby \
               of PostgreSQL, each with rows in half of its memory. Sessions that have expired take room in \
               DynamoDB for up to two days more, in databases and EFS for an hour, and in S3 for two."
            .to_owned(),
        columns,
        rows: rows.collect(),
    }
}

/// The whole section of the page.
pub(super) fn section(costs: &Costs) -> Result<Markup, ReportError> {
    let figure = figure(costs)?;
    Ok(html! {
        section aria-labelledby="bills" {
            h2 id="bills" { "What it costs in a month" }
            p {
                "Computed, not measured: from the commands that the library promises, the prices below, and \
                 what is assumed of the visitors. AWS in " (costs.region) ", US dollars."
            }
            div.grid { (figure) }
            @for table in tables(costs) { (titled(&table)) }
            (assumed(costs))
        }
    })
}

fn figure(costs: &Costs) -> Result<Markup, ReportError> {
    let svg = curves::svg(costs);
    let svg = svg.map_err(|source| ReportError::Drawing { chart: "bills", source })?;
    let drawn = curves::drawn(costs);
    Ok(html! {
        figure id="bills-chart" {
            figcaption {
                h3 id="bills-title" { "Dollars a month over traffic" }
                p id="bills-text" {
                    "From left to right the requests a second that use their session, upwards the dollars; \
                     both axes go in steps of ten times. A set-up has a line if its price is known, a zone's failure \
                     does not stop it and no read is late; only the priced parts are in it. A numbered dot is a point where two cost the same."
                }
            }
            ul.legend aria-hidden="true" {
                @for (setup, class) in &drawn { li { span class={ "swatch " (class) } {} (setup.title) } }
            }
            div.drawing role="img" aria-labelledby="bills-title" aria-describedby="bills-text" {
                (PreEscaped(svg))
            }
            details {
                summary { "The same as a table" }
                table.small {
                    thead {
                        tr {
                            th scope="col" { "a second" }
                            @for (setup, _) in &drawn { th scope="col" { (setup.title) } }
                        }
                    }
                    tbody {
                        @for (row, requests) in DECADES.iter().enumerate() {
                            tr {
                                th scope="row" { (rate(*requests)) }
                                @for (setup, _) in &drawn { td { (cell(&setup.months[row])) } }
                            }
                        }
                    }
                }
            }
        }
    })
}

fn assumed(costs: &Costs) -> Markup {
    html! {
        h3 { "What the bills assume" }
        ul { @for line in assumptions(&costs.assumptions) { li { (line) } } }
        p { "Not included:" }
        ul { @for what in &costs.not_included { li { (what) } } }
    }
}

/// Says what the bills assume of the shop, in sentences.
pub fn assumptions(shop: &Shop) -> Vec<String> {
    [of_visitors(shop), of_stores(shop)].concat()
}

fn of_visitors(shop: &Shop) -> Vec<String> {
    vec![
        format!(
            "A month of {HOURS} hours, with the same traffic all the time. The rate counts requests that use \
             their session; others send no command."
        ),
        format!("A session of {} as it is stored, in DynamoDB with the names of its attributes. Its size does not \
             change.", bytes(shop.session_bytes)),
        format!(
            "A visit of {} requests in {} minutes. The first begins a session, which is one write; {} more \
             change it, which is a load and a write; the others read it, which is a load.",
            rate(shop.requests_per_visit),
            rate(shop.minutes_per_visit),
            rate(shop.changes_per_visit - 1.0)
        ),
        format!(
            "One session for each visit. It lives for {} minutes after the visit, so with each request a \
             second there are {} live ones.",
            rate(shop.idle_minutes),
            rate(shop.load(1.0).live)
        ),
        "No logins, logouts, conflicts or moves of the idle timeout: a login is three commands, a logout two, \
         a conflict or a move one more."
            .to_owned(),
    ]
}

fn of_stores(shop: &Shop) -> Vec<String> {
    vec![
        "DynamoDB: strongly consistent reads, a unit for each 4 KB begun; a write takes a unit for each KB begun."
            .to_owned(),
        "ElastiCache Serverless: an ECPU for each KB of a command, and one at least. A script counts as a simple \
         command; AWS may bill more for it."
            .to_owned(),
        format!(
            "EFS: {NFS_LOAD} NFS requests for a load, {NFS_CREATION} for a new session and {NFS_CHANGE} for a change, \
             each metered as 4 KB at least, and the one with the file as {NFS_LEAST_FILE_KB} KB. A load right after another server's write takes two more."
        ),
        format!(
            "Near: sticky sessions, and a visit in pages. Each change begins one, the other requests follow at once, and \
             the last of them {LAST_AFTER_SECONDS} s after the change. docs/near.md has the loads that this leaves, and those of servers \
             in turn."
        ),
        "S3: a GET for a load and a PUT for a write. Once an hour the sweep lists 256 folders, a thousand names at a time, \
         and it removes each session by a GET and a PUT. A lifecycle rule in its place is free, see docs/object.md."
            .to_owned(),
        format!(
            "The app's servers are spread evenly over {} zones. Of nodes and databases, the bytes that go to another zone and \
             back are counted, each once, and none between primary and replica; of serverless caches, DynamoDB, EFS and \
             S3 none are. Where AWS bills the node's side too, this part is twice as much.",
            rate(shop.zones)
        ),
        "A cookie goes out with each change, and what comes in is not billed. The cookie's bytes are counted; \
         the tickets of the other stores, some 100 bytes for each new session, are not."
            .to_owned(),
        "RDS and Aurora: two instances that keep the live sessions in half of their memory and have, all the time, \
         the processors for 0.1 ms a load and 0.3 ms a write (assumed; yours may need more); nothing is kept free \
         for hours with more traffic. MySQL is taken to need what PostgreSQL needs. Whether the 3,000 disk operations \
         a second of RDS's storage suffice is not computed. Replication between the zones is free."
            .to_owned(),
        "Disks of databases: twice what the rows take, for dead rows and the log, on both instances of RDS; expired \
         rows stay for an hour. Aurora: an I/O for each 4 KB of log begun that a write makes, and none to read, and the \
         cheaper one of Standard and I/O-Optimized."
            .to_owned(),
        "Nodes of a cache are chosen by memory. Whether their processor and network suffice is not computed, and a t4g node \
         has little of both."
            .to_owned(),
        "One app with a store of its own. The servers of the app are not in any bill, and so the memory that \
         sessions take there is not either."
            .to_owned(),
    ]
}
