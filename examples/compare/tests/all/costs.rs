//! `compare costs` as a program.

use std::fs;
use std::process::{Command, Output};

use crate::report::files::Folder;

const PRICES: &str = include_str!("../../../../docs/aws-prices.json");

fn costs(options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_compare")).arg("costs").args(options).output().unwrap()
}

fn text(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn without_options_it_prints_the_bills_of_the_documentation() {
    let output = costs(&[]);
    assert!(output.status.success());
    for words in ["$11,377", "ElastiCache Serverless for Valkey 5.5 $6.21", "25.4 GB: 2 ×"] {
        assert!(text(&output).contains(words), "{words}: {}", text(&output));
    }
}

#[test]
fn prices_of_the_readers_own_take_the_place_of_ours() {
    let mut prices: serde_json::Value = serde_json::from_str(PRICES).unwrap();
    prices["elasticache_valkey_nodes"]["dollars_per_hour"]["cache.t4g.micro"] = 0.02.into();
    prices["traffic"]["dollars_per_gb_between_zones"] = 0.5.into();
    prices["traffic"]["dollars_per_gb_to_internet"] = 0.25.into();
    let text = with(&prices);
    // Two nodes for 730 hours, and 3.23 GB between zones.
    assert!(text.contains("$29 (2 × $31 (2 × $45 (2 ×"), "{text}");
    // 1.76 GB to visitors.
    assert!(text.contains("signed cookie $0.04 $0.44 $4.40"), "{text}");
}

#[test]
fn a_price_that_is_missing_leaves_an_amount() {
    let mut prices: serde_json::Value = serde_json::from_str(PRICES).unwrap();
    prices.as_object_mut().unwrap().remove("traffic");
    prices["dynamodb"].as_object_mut().unwrap().remove("dollars_per_gb_month");
    let text = with(&prices);
    for words in ["$11,333 + 175 GB", "+ 1.8 GB"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

/// Prints the bills with these prices.
fn with(prices: &serde_json::Value) -> String {
    let folder = Folder::new();
    let path = folder.0.join("prices.json");
    fs::write(&path, prices.to_string()).unwrap();
    let output = costs(&["--prices", path.to_str().unwrap()]);
    assert!(output.status.success());
    text(&output)
}

#[test]
fn what_is_wrong_is_said() {
    let folder = Folder::new();
    let path = folder.0.join("prices.json");
    fs::write(&path, "{}").unwrap();
    let output = costs(&["--prices", path.to_str().unwrap()]);
    assert!(!output.status.success());
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(complaint.contains("prices.json: missing field"), "{complaint}");
    let output = costs(&["--changes-per-visit", "50"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("changes its session at least once"));
}
