//! The measured columns of the tables in `docs/measured.md` are those of the runs in `measured/` and
//! `measured/near/`.
//!
//! To measure again on a machine that does nothing else, and to write the columns again:
//!
//! ```text
//! cargo run --release -p compare -- --failover --out examples/compare/measured
//! cargo run --release -p compare -- --only redis,near-redis,dynamodb,near-dynamodb,near-dynamodb-5s,s3 \
//!     --out examples/compare/measured/near
//! UPDATE_DOCS=1 cargo test -p compare --test all measured_page
//! ```

use std::fs;
use std::sync::PoisonError;

use compare::cost::{Estimate, Mix, SIZES_KB, TYPICAL};
use compare::losses::Losses;
use compare::month::{HOURS, NodeTypes, Place, Setup, Shop};
use compare::prices::Prices;
use compare::report;
use compare::report::figures::{commands, count, dollars, milliseconds, or_dash, seconds};
use compare::results::{Comparison, FORMAT, Measured, Outcome, PhaseName};

use super::bills_page::{check, row as line_of};
use super::files::PAGES;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const PAGE: &str = "docs/measured.md";
const FOLDER: &str = "examples/compare/measured";
/// The run of the stores behind each server's own memory, and of a bucket.
const NEAR: &str = "examples/compare/measured/near";
const BEGIN: &str = "<!-- stores -->\n";
const END: &str = "<!-- end of stores -->\n";

/// The page's names of the stores, each with the strategy that measures it.
const STORES: [(&str, Option<&str>); 10] = [
    ("memory", Some("memory")),
    ("ElastiCache, Redis, Valkey", Some("redis")),
    ("ElastiCache for Memcached", Some("memcached")),
    ("DynamoDB", Some("dynamodb")),
    ("PostgreSQL", Some("postgres")),
    ("MySQL, MariaDB", Some("mysql")),
    ("SQLite, one server", Some("sqlite")),
    ("EFS, NFS, a local folder", Some("file")),
    ("no store: signed cookie", Some("cookie")),
    ("your own", None),
];

/// The columns after the store's name and how to choose it.
const MEASURED: std::ops::Range<usize> = 2..5;

fn run() -> Comparison {
    run_in(FOLDER)
}

fn run_in(folder: &str) -> Comparison {
    let path = format!("{ROOT}/{folder}/report.json");
    let text = fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn the_run_is_a_whole_one_of_a_release_build() {
    let run = run();
    assert_eq!((run.format, run.machine.build.as_str()), (FORMAT, "release"));
    assert!(!run.interrupted && !run.plan.quick);
    assert!(measured(&run, "redis-failover").is_some(), "the page recommends it");
    for (name, id) in STORES {
        assert!(id.is_none_or(|id| measured(&run, id).is_some()), "{name}");
    }
    for outcome in &run.strategies {
        assert!(!matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
    }
}

#[test]
fn the_pages_are_made_from_the_same_runs() {
    for run in [FOLDER, NEAR] {
        let folder = super::files::Folder::new();
        let written = report::write(&run_in(run), &folder.0).unwrap();
        let page = fs::read_to_string(written.page).unwrap();
        let path = format!("{ROOT}/{run}/report.html");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(path, page).unwrap();
        } else {
            assert!(
                fs::read_to_string(path).unwrap() == page,
                "{run}: UPDATE_DOCS=1 writes it again"
            );
        }
    }
}

/// The losses and the bills in `report.json` follow from the rest of it. Only they are written again,
/// so that no measurement changes its last digit.
#[test]
fn what_follows_from_the_runs_is_in_their_figures() {
    for run in [FOLDER, NEAR] {
        let path = format!("{ROOT}/{run}/report.json");
        let text = fs::read_to_string(&path).unwrap();
        let measured = text.split(DERIVED).next().unwrap().trim_end_matches(['}', '\n', ',', ' ']);
        let folder = super::files::Folder::new();
        let written = report::write(&run_in(run), &folder.0).unwrap();
        let fresh = fs::read_to_string(written.json).unwrap();
        let (_, derived) = fresh.split_once(DERIVED).unwrap();
        let whole = format!("{measured}{DERIVED}{derived}");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(path, whole).unwrap();
        } else {
            assert!(text == whole, "{run}: UPDATE_DOCS=1 writes it again");
        }
    }
}

/// The bills use no figure of the run. What they assume of bytes is what it measured, with sessions
/// that were a little over 2 KB.
#[test]
fn the_run_measured_what_the_bills_assume() {
    let (run, shop) = (run(), Shop::default());
    let near = |measured: f64, assumed: f64| {
        assert!((measured / assumed - 1.0).abs() < 0.1, "{measured} measured, {assumed} assumed");
    };
    let strategy = |id: &str| measured(&run, id).unwrap();
    near(
        strategy("memory").node_bytes_per_session.unwrap(),
        Place::Server.bytes(shop.session_bytes),
    );
    let (prices, types) = (Prices::read().unwrap(), NodeTypes::read().unwrap());
    let amount = |setup: Setup, part: usize| {
        let bytes = setup.bill(&shop, 1.0, &prices, &types).parts[part].amount * f64::from(1 << 30);
        bytes / (HOURS * 3600.0)
    };
    // Half of the bytes stay in their zone. The run's shoppers change something as often, and begin
    // fewer sessions, each of which is a command less.
    let redis = strategy("redis");
    let commands = shop.load(1.0).commands() / (HOURS * 3600.0);
    let steady = redis.store_commands.unwrap().steady;
    near(
        redis.wire.between_servers.unwrap() / steady,
        2.0 * amount(Setup::ValkeyNodes, 1) / commands,
    );
    let cookie = strategy("cookie").wire.to_client - strategy("memory").wire.to_client;
    near(cookie, amount(Setup::Cookie, 0));
}

/// The beginning of what follows from the measurements.
const DERIVED: &str = ",\n  \"losses\": ";

#[test]
fn the_tables_measured_columns_are_what_was_measured() {
    let _turn = PAGES.lock().unwrap_or_else(PoisonError::into_inner);
    let path = format!("{ROOT}/{PAGE}");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (table, after) = rest.split_once(END).unwrap();
    let generated = generate(table, &run());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{generated}{END}{after}")).unwrap();
    } else {
        assert_eq!(table, generated, "UPDATE_DOCS=1 writes it again");
    }
}

/// Returns the table with its measured cells filled, and the conditions of the run below it.
fn generate(table: &str, run: &Comparison) -> String {
    let prices = Prices::read().unwrap();
    let lines = table.lines().take_while(|line| line.starts_with('|'));
    let rows: Vec<_> = lines
        .enumerate()
        .map(|(number, line)| match number {
            0 => with_cells(
                line,
                ["p50, p99 (ms)", "carts hurt", "$ per million more"].map(str::to_owned),
            ),
            1 => line.to_owned(),
            _ => row(line, run, &prices),
        })
        .collect();
    assert_eq!(rows.len(), STORES.len() + 2, "a row for each store");
    format!("{}\n\n{}", rows.join("\n"), conditions(run))
}

fn row(line: &str, run: &Comparison, prices: &Prices) -> String {
    let name = line.trim_start_matches("| ").split(" | ").next().unwrap();
    let store = STORES.iter().find(|(known, _)| *known == name);
    let (_, id) = store.unwrap_or_else(|| panic!("no strategy is known for {name:?}"));
    let strategy = id.and_then(|id| measured(run, id));
    with_cells(
        line,
        [
            or_dash(strategy.and_then(pace), |(p50, p99)| {
                format!("{}, {}", milliseconds(p50), milliseconds(p99))
            }),
            or_dash(strategy, |strategy| {
                let audit = strategy.node_killed.audit;
                format!(
                    "{} of {}",
                    count(audit.carts_lost + audit.carts_shrunk),
                    count(audit.carts)
                )
            }),
            or_dash(
                strategy.and_then(|strategy| {
                    Estimate::for_strategy(strategy, Mix::from_comparison(run), prices)
                }),
                |estimate| dollars(estimate.dollars[TYPICAL]),
            ),
        ],
    )
}

/// Replaces the measured cells of a row.
fn with_cells(line: &str, cells: [String; 3]) -> String {
    let inside = line.strip_prefix("| ").unwrap().strip_suffix(" |").unwrap();
    let mut columns: Vec<_> = inside.split(" | ").map(str::to_owned).collect();
    columns.splice(MEASURED, cells);
    format!("| {} |", columns.join(" | "))
}

fn measured<'a>(run: &'a Comparison, id: &str) -> Option<&'a Measured> {
    run.measured().find(|strategy| strategy.strategy.id == id)
}

fn pace(strategy: &Measured) -> Option<(f64, f64)> {
    let steady = strategy.phases.iter().find(|phase| phase.name == PhaseName::Steady)?;
    steady.latency.map(|latency| (latency.p50_ms, latency.p99_ms))
}

/// Says on what, how and when the columns were measured.
fn conditions(run: &Comparison) -> String {
    let (machine, plan) = (&run.machine, &run.plan);
    let mut lines = vec![
        format!(
            "Measured on {} with {} servers and {} shoppers on one machine",
            run.began.split('T').next().unwrap(),
            plan.nodes,
            plan.shoppers
        ),
        format!("({} cores, {}, {}) by", machine.cores, machine.processor, machine.system),
        format!("`{}`:", run.command),
        format!("the report is `{FOLDER}/report.html`, its figures are `{FOLDER}/report.json`."),
        String::new(),
        "p50 and p99 are the latency of whole requests under steady load. \"Carts hurt\" counts the carts"
            .to_owned(),
        "that were lost or shrunk when one of the servers was killed. The dollars estimate what AWS bills"
            .to_owned(),
        format!(
            "for the store's part of a million requests *more* with sessions of {} KB. Hours and storage are",
            SIZES_KB[TYPICAL]
        ),
        "not in it, and with little traffic they are most of a cache's bill: do not choose by this column,"
            .to_owned(),
        "but by the bills of a month below. The memory row shows the wrong tool on purpose: three servers"
            .to_owned(),
        "that share nothing, behind a balancer that takes them in turn.".to_owned(),
        String::new(),
    ];
    for (name, id) in STORES {
        let remarks = id.and_then(|id| measured(run, id)).map_or(&[][..], |found| &found.remarks);
        lines.extend(remarks.iter().map(|remark| format!("* {name}: {remark}")));
    }
    lines.join("\n").trim_end().to_owned() + "\n"
}

#[test]
fn the_page_has_what_near_saves_and_shows_late() {
    let (run, prices) = (run_in(NEAR), Prices::read().unwrap());
    assert!(!run.interrupted && !run.plan.quick);
    assert_eq!(run.machine.build, "release", "times of a debug build say nothing");
    let heads = [
        "strategy",
        "commands of a read, a change, a logout",
        "p50, p99 (ms)",
        "carts hurt",
        "adds missing",
        "late after a change",
        "late after a logout",
        "longest",
        "$ per million more",
    ];
    let mut text = line_of(heads.map(str::to_owned));
    text += &format!("|{}\n", "---|".repeat(heads.len()));
    for strategy in run.measured() {
        let (counted, looks) = (strategy.store_commands.unwrap(), strategy.late_looks.unwrap());
        let killed = strategy.node_killed.audit;
        let (p50, p99) = pace(strategy).unwrap();
        let estimate = Estimate::for_strategy(strategy, Mix::from_comparison(&run), &prices);
        let cells = [
            strategy.strategy.title.clone(),
            [counted.read, counted.write, counted.logout].map(commands).join(", "),
            format!("{}, {}", milliseconds(p50), milliseconds(p99)),
            format!(
                "{} of {}",
                count(killed.carts_lost + killed.carts_shrunk),
                count(killed.carts)
            ),
            count(Losses::of(strategy).adds_missing),
            format!("{} of {}", count(looks.changes_late), count(looks.changes)),
            format!("{} of {}", count(looks.logouts_late), count(looks.logouts)),
            seconds(looks.longest_seconds),
            or_dash(estimate, |estimate| dollars(estimate.dollars[TYPICAL])),
        ];
        text += &line_of(cells);
    }
    let on = run.began.split('T').next().unwrap();
    text += &format!(
        "\nMeasured on {on} with {} servers and {} shoppers by\n`{}`.\nThe report is `{NEAR}/report.html`, its figures are \
         `{NEAR}/report.json`.\n",
        run.plan.nodes, run.plan.shoppers, run.command
    );
    check(PAGE, "near", &text);
}

/// Every strategy of the table is there, and what the page says of all of them is so.
#[test]
fn near_lost_nothing_and_was_late_for_no_longer_than_it_may_be() {
    let run = run_in(NEAR);
    let ids: Vec<_> = run.measured().map(|strategy| strategy.strategy.id.as_str()).collect();
    let expected = ["redis", "dynamodb", "near-redis", "near-dynamodb", "near-dynamodb-5s", "s3"];
    assert_eq!(ids, expected);
    for strategy in run.measured() {
        let (id, looks) = (&strategy.strategy.id, strategy.late_looks.unwrap());
        let losses = Losses::of(strategy);
        let lost =
            [losses.adds_missing, losses.logouts_came_back, losses.logouts_came_back_by_copy];
        assert_eq!(lost, [0; 3], "{id}");
        match strategy.strategy.staleness_seconds {
            Some(staleness) => assert!(looks.longest_seconds < f64::from(staleness), "{id}"),
            None => assert_eq!((looks.changes_late, looks.logouts_late), (0, 0), "{id}"),
        }
    }
}

#[test]
fn only_measured_cells_are_written_and_twice_is_once() {
    let text = fs::read_to_string(format!("{ROOT}/{PAGE}")).unwrap();
    let table = text.split_once(BEGIN).unwrap().1.split_once(END).unwrap().0;
    let run = super::sample::whole();
    let once = generate(table, &run);
    assert_eq!(generate(&once, &run), once);
    let cells = |table: &str, row: usize| -> Vec<String> {
        let line = table.lines().nth(row).unwrap();
        line.trim_end_matches(" |").split(" | ").map(str::to_owned).collect()
    };
    assert_eq!(cells(&once, 2)[MEASURED], ["0.50, 3.25", "16 of 48", "$0"]);
    assert_eq!(cells(&once, 4)[MEASURED], ["–", "–", "–"], "it had failed");
    for row in 0..STORES.len() + 2 {
        let (mut before, mut after) = (cells(table, row), cells(&once, row));
        if row != 1 {
            before.drain(MEASURED);
            after.drain(MEASURED);
        }
        assert_eq!(before, after);
    }
    assert!(once.ends_with("* DynamoDB: The latency is the emulator's.\n"), "{once}");
}
