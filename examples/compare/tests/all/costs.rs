//! `compare costs` as a program.

use std::fs;
use std::process::{Command, Output};

use crate::report::files::Folder;

const PRICES: &str = include_str!("../../../../docs/aws-prices.json");
/// Invented prices for what the file has none of.
const MORE: &str = r#"{
  "elasticache_nodes": { "billing": "b", "as_of": "2026", "source": "mine", "dollars_per_hour": { "cache.t4g.micro": 0.02 } },
  "traffic": { "billing": "b", "as_of": "2026", "source": "mine", "dollars_per_gb_between_zones": 0.5, "dollars_per_gb_to_internet": 0.25 },"#;

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
    for words in ["$11,333 + 175 GB", "ElastiCache Serverless for Valkey 5.5 $6.21", "25.4 GB: 2 ×"]
    {
        assert!(text(&output).contains(words), "{words}: {}", text(&output));
    }
}

#[test]
fn prices_of_the_readers_own_fill_what_is_missing() {
    let folder = Folder::new();
    let path = folder.0.join("prices.json");
    fs::write(&path, PRICES.replacen('{', MORE, 1)).unwrap();
    let output = costs(&["--prices", path.to_str().unwrap()]);
    assert!(output.status.success());
    // Two nodes for 730 hours, and 3.23 GB between zones.
    assert!(text(&output).contains("$29 (2 × $31 (2 × $45 (2 ×"), "{}", text(&output));
    // 1.76 GB to visitors.
    assert!(text(&output).contains("signed cookie $0.04 $0.44 $4.40"), "{}", text(&output));
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
