//! Tests the page as text. `browser` looks at it in a browser.

use compare::report;
use compare::results::{Comparison, Measured, Outcome, Sharing};

use super::files::Folder;
use super::sample::{self, HOSTILE};

fn page(comparison: &Comparison) -> String {
    let folder = Folder::new();
    let written = report::write(comparison, &folder.0).unwrap();
    std::fs::read_to_string(written.page).unwrap()
}

fn redis() -> Measured {
    sample::measured(sample::name("redis", "ElastiCache for Redis", Sharing::Store), 0.0)
}

/// The SVG of a chart's figure.
fn drawing<'a>(page: &'a str, id: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("<figure id=\"{id}\">")).unwrap();
    let (figure, _) = rest.split_once("</figure>").unwrap();
    figure.split_once("<svg").map_or("", |(_, svg)| svg.split_once("</svg>").unwrap().0)
}

#[test]
fn every_text_of_a_run_is_escaped() {
    let mut comparison = sample::empty();
    let mut strategy = redis();
    let hostile = HOSTILE.to_owned();
    strategy.strategy.title.clone_from(&hostile);
    strategy.setting.clone_from(&hostile);
    strategy.node_killed.what.clone_from(&hostile);
    strategy.store_outage.as_mut().unwrap().what.clone_from(&hostile);
    strategy.remarks = vec![hostile.clone()];
    let name = strategy.strategy.clone();
    comparison.strategies = vec![
        Outcome::Measured(Box::new(strategy)),
        Outcome::NotRun { strategy: name.clone(), needs: hostile.clone() },
        Outcome::Failed { strategy: name, problem: hostile.clone() },
    ];
    comparison.began.clone_from(&hostile);
    comparison.command.clone_from(&hostile);
    let machine = &mut comparison.machine;
    for text in [&mut machine.system, &mut machine.processor, &mut machine.build] {
        text.clone_from(&hostile);
    }
    machine.versions.insert(hostile.clone(), hostile);

    let page = page(&comparison);
    assert!(page.matches("&lt;script&gt;").count() > 20);
    assert_eq!(page.matches("<script").count(), 0);
    assert_eq!(page.matches("</style>").count(), 1);
    assert!(!page.contains("alert('x')</script>"));
}

#[test]
fn zero_strategies_one_and_all_are_pages() {
    let none = page(&sample::empty());
    assert!(none.contains("None was measured.") && none.contains("Not measured in this run."));
    let one = page(&sample::one(redis()));
    assert_eq!(one.matches("<svg").count(), 5, "four of the run, and the bills");
    assert!(!one.contains("Not run</h2>"));
    let all = page(&sample::whole());
    assert!(all.contains("Not run: needs a guest kernel for NFS"));
    assert!(all.contains("Failed: memcached ended: exit code 71"));
    assert!(all.contains("The latency is the emulator's."));
}

#[test]
fn figures_that_are_absent_are_dashes_and_no_bars() {
    let mut strategy = redis();
    strategy.phases.iter_mut().for_each(|phase| phase.latency = None);
    strategy.node_killed.audit = Default::default();
    strategy.node_killed.seconds_until_healthy = None;
    strategy.node_added.busiest_share_before = f64::NAN;
    strategy.node_added.busiest_share_after = f64::INFINITY;
    strategy.store_commands = None;
    strategy.store_outage = None;
    strategy.node_bytes_per_session = None;
    strategy.strategy.id = "tape".to_owned();
    let page = page(&sample::one(strategy));
    for chart in ["latency", "survivors", "load", "cost"] {
        assert_eq!(drawing(&page, chart), "", "{chart}");
    }
    assert!(!page.contains("NaN") && !page.contains(">inf"), "figures that are none");
    assert!(page.contains("no price is known"));
}

#[test]
fn one_absent_chart_leaves_the_others() {
    let mut strategy = redis();
    strategy.phases.clear();
    let page = page(&sample::one(strategy));
    assert_eq!(page.matches("<svg").count(), 4);
    assert_eq!(page.matches("Nothing was measured.").count(), 2, "the chart, and the phases");
}

#[test]
fn bars_are_as_long_as_their_figures() {
    let mut comparison = sample::one(redis());
    let mut twice = redis();
    twice.node_added.busiest_share_before *= 2.0;
    comparison.strategies.push(Outcome::Measured(Box::new(twice)));
    let page = page(&comparison);
    let widths: Vec<f64> = drawing(&page, "load")
        .lines()
        .filter(|line| line.starts_with("<rect") && line.contains("#B3A994"))
        .map(|line| line.split_once("width=\"").unwrap().1.split_once('"').unwrap().0)
        .map(|width| width.parse().unwrap())
        .collect();
    let [one, two] = widths[..] else { panic!("{widths:?}") };
    assert!(one > 100.0 && (two / one - 2.0).abs() < 0.02, "{widths:?}");
}

#[test]
fn a_stack_shows_its_parts_and_leaves_out_what_is_none() {
    let mut strategy = redis();
    strategy.node_killed.audit.carts_lost = 12;
    strategy.node_killed.audit.carts_shrunk = 24;
    let page_of = |strategy: Measured| page(&sample::one(strategy));
    let page = page_of(strategy.clone());
    assert!(drawing(&page, "survivors").contains("12 kept, 24 shrunk, 12 lost"));
    assert_eq!(drawing(&page, "survivors").matches("<rect").count(), 3);
    strategy.node_killed.audit.carts_shrunk = 0;
    strategy.node_killed.audit.carts_lost = 48;
    let page = page_of(strategy);
    assert_eq!(drawing(&page, "survivors").matches("<rect").count(), 1);
}

#[test]
fn a_debug_build_and_an_interrupted_run_are_said() {
    let plain = page(&sample::whole());
    assert!(!plain.contains("class=\"notice\""));
    let mut comparison = sample::whole();
    comparison.interrupted = true;
    comparison.machine.build = "debug".to_owned();
    assert_eq!(page(&comparison).matches("class=\"notice\"").count(), 2);
}

#[test]
fn late_looks_are_in_the_table_of_shared_stores() {
    let page = page(&sample::whole());
    let (_, table) = page.split_once("<h3 id=\"late-looks\">").unwrap();
    let (table, _) = table.split_once("</table>").unwrap();
    // All shared stores but the one that failed and the one that was not run.
    assert_eq!(table.matches("<th scope=\"row\"").count(), 11, "{table}");
    let row = |title: &str| {
        let (_, row) = table.split_once(&format!(">{title}</th>")).unwrap();
        let cells = row.split_once("</tr>").unwrap().0.split("<span>").skip(1);
        cells.map(|cell| cell.split_once("</span>").unwrap().0.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(row("DynamoDB"), ["–", "96", "0", "96", "0", "0.00 s"]);
    let near = ["5.00 s", "96", "90", "96", "80", "4.88 s"];
    assert_eq!(row("DynamoDB behind a memory of 5 s"), near);
    assert!(page.contains("each answers reads from its own memory for 5 s"));
}

#[test]
fn the_advice_has_the_figures_of_the_run() {
    let page = page(&sample::whole());
    let (_, decisions) = page.split_once("id=\"decisions\">").unwrap();
    for situation in [
        "One server",
        "A few servers and no infrastructure",
        "Latency first",
        "Serverless",
        "A store that bills each read, behind sticky sessions",
        "A bucket and nothing else",
        "A shared file system already there",
    ] {
        assert!(decisions.contains(situation), "{situation}");
    }
    let line = "One server's memory behind round-robin: p50 0.50 ms, p99 3.25 ms; 16 lost and 0 \
                shrunk of 48 carts with a dead server; about $0 for a million requests more at \
                2 KB.";
    assert!(decisions.contains(line), "{decisions}");
    // 0.75 × $0.125 + 0.25 × $1.375.
    assert!(decisions.contains(
        "about $0.44 for a million requests more at 2 KB. The latency is the emulator's."
    ));
}

#[test]
fn nothing_is_loaded_and_the_policy_lets_in_this_style_only() {
    let page = page(&sample::whole());
    assert!(page.contains("default-src 'none'"));
    assert!(!page.contains("unsafe-inline") && !page.contains(" style=\""));
    for loads in [" src=", "url(", "@import", "<script", "<iframe"] {
        assert!(!page.contains(loads), "{loads}");
    }
}

#[test]
fn the_bills_of_a_month_are_a_chart_with_its_points_and_tables() {
    let page = page(&sample::empty());
    let chart = drawing(&page, "bills-chart");
    // Eleven stores have a curve, and each crossing of two has a dot with its number.
    assert_eq!(chart.matches("<polyline").count() - axes(chart), 11, "{chart}");
    let costs = compare::report::Costs::compute(
        &compare::month::Shop::default(),
        &compare::prices::Prices::read().unwrap(),
        &compare::month::NodeTypes::read().unwrap(),
    );
    assert_eq!(costs.crossings.len(), 27);
    assert_eq!(
        chart.matches("<circle").count(),
        18,
        "Redis and Memcached share seven dots, two with Aurora"
    );
    for shared in ["6, 7", "8, 9", "13, 14, 15", "17, 18, 19", "20, 21", "23, 24", "25, 26"] {
        assert!(chart.contains(&format!("\n{shared}\n")), "{shared}");
    }
    for text in ["$1,000", "10,000", "0.1"] {
        assert!(chart.contains(&format!("\n{text}\n")), "{text} is not on an axis");
    }
    for id in ["months", "crossings", "rivals", "memory"] {
        assert!(page.contains(&format!("<h3 id=\"{id}\">")), "{id}");
    }
    assert!(page.contains("What the bills assume") && page.contains("Not included"));
}

/// The lines of the axes and of the grid.
fn axes(chart: &str) -> usize {
    chart.lines().filter(|line| line.starts_with("<polyline") && line.contains("#E3DDCF")).count()
}
