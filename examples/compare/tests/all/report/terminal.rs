//! The table in the terminal.

use compare::month::{NodeTypes, Shop};
use compare::prices::Prices;
use compare::report::{Costs, terminal, terminal_costs};
use compare::results::{Outcome, Sharing};

use super::sample::{self, HOSTILE};

#[test]
fn it_fits_into_a_hundred_columns() {
    let mut comparison = sample::whole();
    comparison.strategies.retain(|outcome| matches!(outcome, Outcome::Measured(_)));
    let text = terminal(&comparison);
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    assert!(!text.lines().any(|line| line.ends_with(' ')), "{text}");
}

#[test]
fn each_strategy_has_its_figures_in_one_row() {
    let strategy = sample::measured(sample::name("redis", "Redis", Sharing::Store), 0.0);
    let text = terminal(&sample::one(strategy));
    let row = text.lines().find(|line| line.trim_start().starts_with("Redis")).unwrap();
    let cells: Vec<_> = row.split_whitespace().collect();
    // A quarter of the requests are writes: 0.75 × $0.0046 + 0.25 × $0.0092.
    let expected = ["Redis", "3,086", "0.50", "3.25", "0", "0", "0", "0", "25.0", "%", "$0.0057"];
    assert_eq!(cells, expected);
}

#[test]
fn what_was_not_run_or_failed_says_so_and_remarks_are_there() {
    let text = terminal(&sample::whole());
    for line in [
        "EFS: over NFS: not run: needs a guest kernel for NFS",
        "ElastiCache for Memcached: FAILED: memcached ended: exit code 71",
        "DynamoDB: The latency is the emulator's.",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
    }
}

#[test]
fn nothing_measured_is_no_table() {
    assert_eq!(terminal(&sample::empty()), "");
    let mut comparison = sample::empty();
    comparison.interrupted = true;
    assert!(terminal(&comparison).starts_with("Interrupted"));
}

#[test]
fn absent_figures_are_dashes_and_no_terminal_is_commanded() {
    let mut strategy = sample::measured(sample::name("redis", HOSTILE, Sharing::Store), 0.0);
    strategy.phases.clear();
    strategy.node_killed.audit.carts = 0;
    strategy.node_added.busiest_share_after = f64::NAN;
    strategy.remarks = vec![HOSTILE.to_owned()];
    let text = terminal(&sample::one(strategy));
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert!(!text.contains("NaN"), "{text}");
    let dashes = text.matches(" – ").count();
    assert_eq!(dashes, 6, "{text}");
}

#[test]
fn the_bills_of_a_month_fit_into_a_wide_terminal() {
    let (prices, types) = (Prices::read().unwrap(), NodeTypes::read().unwrap());
    let text = terminal_costs(&Costs::compute(&Shop::default(), &prices, &types));
    for line in text.lines() {
        assert!(line.chars().count() <= 130, "{line}");
    }
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("$332") && text.contains("2 × t4g.micro"), "{text}");
    for words in [
        "What the bills assume",
        "as of June 2026: a third party",
        "Not included: nodes of more than",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
}
