//! The metrics, the table that documents them, and the dashboard that queries them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use cloakroom::events::CommandOutcome;
use cloakroom::store::StoreErrorKind;
use cloakroom::{MetricsObserver, Roster};
use cloakroom_testing::House;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};
use serde_json::Value;

use crate::misbehaving::everything;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs");

fn recorder() -> PrometheusRecorder {
    let times = Matcher::Full("cloakroom_store_seconds".to_owned());
    let builder = PrometheusBuilder::new();
    builder.set_buckets_for_metric(times, &MetricsObserver::SECONDS).unwrap().build_recorder()
}

/// The values of each label of each metric.
type Metrics = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Reads the exporter's text. What a histogram is made of counts as one metric, without its bounds.
fn rendered(text: &str) -> Metrics {
    let mut metrics = Metrics::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, rest) = line.split_once('{').expect("every metric has a label");
        let labels = metrics.entry(histogram(name).to_owned()).or_default();
        for (label, value) in matchers(rest.split_once('}').unwrap().0) {
            if label != "le" {
                labels.entry(label.to_owned()).or_default().insert(value.to_owned());
            }
        }
    }
    metrics
}

fn histogram(name: &str) -> &str {
    ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

/// Reads `a="b",c=~"d|e"` as pairs of a label and its value.
fn matchers(labels: &str) -> impl Iterator<Item = (&str, &str)> {
    labels.split(',').filter(|pair| !pair.is_empty()).map(|pair| {
        let (label, value) = pair.split_at(pair.find(['=', '!']).expect("an operator"));
        (label.trim(), value.trim_start_matches(['=', '!', '~']).trim_matches('"'))
    })
}

/// Reads the table of the guide.
fn documented() -> Metrics {
    let page = fs::read_to_string(format!("{DOCS}/observing.md")).unwrap();
    let (_, table) = page.split_once("| metric | kind | label | values |\n").unwrap();
    let (mut metrics, mut name) = (Metrics::new(), String::new());
    for row in table.lines().skip(1).take_while(|line| line.starts_with('|')) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let code = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let named: Vec<String> = code(cells[0]);
        name = named.first().cloned().unwrap_or(name);
        let label: Vec<String> = code(cells[2]);
        let labels = metrics.entry(name.clone()).or_default();
        labels.insert(label[0].clone(), code(cells[3]).into_iter().collect());
    }
    metrics
}

#[test]
fn every_counter_begins_at_zero_and_is_in_the_table() {
    let recorder = recorder();
    ::metrics::with_local_recorder(&recorder, MetricsObserver::new);
    let text = recorder.handle().render();
    let counters: Vec<_> = text.lines().filter(|line| line.starts_with("cloakroom")).collect();
    assert!(counters.iter().all(|line| line.ends_with(" 0")), "{text}");
    let mut documented = documented();
    assert!(documented.remove("cloakroom_store_seconds").is_some());
    assert_eq!(rendered(&text), documented);
    for name in documented.keys() {
        assert!(text.contains(&format!("# HELP {name} ")), "{name} is described");
        assert!(text.contains(&format!("# TYPE {name} counter")), "{name} is a counter");
    }
}

#[tokio::test(start_paused = true)]
async fn what_happens_is_counted_under_documented_names() {
    let recorder = recorder();
    let handle = recorder.handle();
    let _recorder = ::metrics::set_default_local_recorder(&recorder);
    let house = House::open().with(|layer| layer.roster(Roster::default()));
    let house = house.with(|layer| layer.observer(MetricsObserver::new()));
    everything(&house, |_, _| ()).await;
    let (text, documented) = (handle.render(), documented());
    for line in [
        r#"cloakroom_sessions_total{event="logged_in"} 2"#,
        r#"cloakroom_sessions_ended_total{by="other_device"} 1"#,
        r#"cloakroom_sessions_ended_total{by="visitor"} 1"#,
        r#"cloakroom_cookies_refused_total{why="malformed"} 1"#,
        r#"cloakroom_conflicts_total{outcome="merged"} 1"#,
        r#"cloakroom_outages_total{phase="begun"} 2"#,
        r#"cloakroom_outages_total{phase="over"} 2"#,
    ] {
        assert!(text.lines().any(|there| there == line), "{line}: {text}");
    }
    assert!(text.contains("# TYPE cloakroom_store_seconds histogram"), "{text}");
    for (name, labels) in rendered(&text) {
        for (label, values) in labels {
            let known = &documented[&name][&label];
            assert!(values.is_subset(known), "{name} {label}: {values:?}");
        }
    }
}

#[test]
fn the_table_has_every_outcome_of_a_command() {
    let kinds = [
        StoreErrorKind::Unavailable,
        StoreErrorKind::Indeterminate,
        StoreErrorKind::TooLarge,
        StoreErrorKind::Corrupt,
        StoreErrorKind::NewerFormat,
        StoreErrorKind::Denied,
        StoreErrorKind::Misconfigured,
    ];
    let outcomes = [CommandOutcome::Done, CommandOutcome::Unmet];
    let outcomes = outcomes.into_iter().chain(kinds.map(CommandOutcome::Failed));
    let names: BTreeSet<_> = outcomes.map(|outcome| outcome.name().to_owned()).collect();
    assert_eq!(documented()["cloakroom_store_seconds"]["outcome"], names);
}

/// Returns every metric that a query asks for, with the values of its labels.
fn queried(query: &str) -> Metrics {
    let mut metrics = Metrics::new();
    for (at, _) in query.match_indices("cloakroom_") {
        let rest = &query[at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let labels = metrics.entry(histogram(&rest[..end]).to_owned()).or_default();
        let selected = rest[end..].strip_prefix('{').and_then(|rest| rest.split_once('}'));
        for (label, values) in matchers(selected.map_or("", |(selected, _)| selected)) {
            let values = values.split('|').map(|value| value.trim_end_matches('\\').to_owned());
            labels.entry(label.to_owned()).or_default().extend(values);
        }
    }
    metrics
}

#[track_caller]
fn is_documented(query: &str) {
    let documented = documented();
    let asked = queried(query);
    assert!(!asked.is_empty(), "{query}");
    for (name, labels) in asked {
        let known = documented.get(&name).unwrap_or_else(|| panic!("{name} in {query}"));
        for (label, values) in labels {
            assert!(values.is_subset(&known[&label]), "{label} in {query}");
        }
    }
}

fn expressions(node: &Value, found: &mut Vec<String>) {
    match node {
        Value::Object(fields) => {
            found.extend(fields.get("expr").map(|expr| expr.as_str().unwrap().to_owned()));
            fields.values().for_each(|field| expressions(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_asks_only_for_what_the_code_emits() {
    let text = fs::read_to_string(format!("{DOCS}/grafana.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.iter().all(|panel| panel["targets"].as_array().is_some_and(|t| !t.is_empty())));
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    let mut queries = Vec::new();
    expressions(&dashboard, &mut queries);
    queries.iter().for_each(|query| is_documented(query));
    let shown: BTreeSet<_> = queries.iter().flat_map(|query| queried(query).into_keys()).collect();
    assert_eq!(shown, documented().into_keys().collect(), "every metric is on it");
}

#[test]
fn the_alarms_ask_only_for_what_the_code_emits() {
    let page = fs::read_to_string(format!("{DOCS}/observing.md")).unwrap();
    let (_, alarms) = page.split_once("| what | query | what it means |\n").unwrap();
    let rows: Vec<_> = alarms.lines().skip(1).take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 5);
    for row in rows {
        is_documented(row.split('`').nth(1).unwrap());
    }
}

#[test]
fn a_query_for_something_else_is_noticed() {
    for query in ["cloakroom_commits_total", r#"rate(cloakroom_outages_total{phase="ended"}[5m])"#]
    {
        assert!(std::panic::catch_unwind(|| is_documented(query)).is_err(), "{query}");
    }
}
