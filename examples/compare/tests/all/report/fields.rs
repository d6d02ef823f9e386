//! The table of fields in `README.md` is what `report.json` has: every field, and of the type that it says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use compare::report;
use serde_json::Value;

use super::files::Folder;
use super::sample;

const README: &str = include_str!("../../../README.md");
/// The objects that several fields have, with the places where they are.
const SHARED: [(&str, &[&str]); 3] = [
    (
        "AUDIT",
        &[
            "strategies[].warm_up",
            "strategies[].steady_load",
            "strategies[].parallel_adds",
            "strategies[].node_added.audit",
            "FAULT.audit",
        ],
    ),
    ("FAULT", &["strategies[].node_killed", "strategies[].store_outage"]),
    (
        "NODES",
        &[
            "costs.setups[].months[].nodes",
            "costs.node_prices_to_beat[].nodes",
            "costs.memory[].holding[].nodes",
        ],
    ),
];

/// The types of a field, as words.
type Fields = BTreeMap<String, BTreeSet<String>>;

/// Reads the table: a row may name several fields.
fn documented() -> Fields {
    let (_, table) = README.split_once("<!-- fields -->\n").unwrap();
    let (table, _) = table.split_once("<!-- end of fields -->").unwrap();
    let mut fields = Fields::new();
    for row in table.lines().skip(2) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        for name in cells[1].split(", ") {
            let name = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')).unwrap();
            let types = cells[2].split(" or ").map(str::to_owned).collect();
            assert_eq!(fields.insert(name.to_owned(), types), None, "{name} stands there twice");
        }
    }
    fields
}

fn written() -> Fields {
    let folder = Folder::new();
    let written = report::write(&sample::whole(), &folder.0).unwrap();
    let report: Value = serde_json::from_slice(&fs::read(written.json).unwrap()).unwrap();
    let mut fields = Fields::new();
    collect("", &report, &mut fields);
    fields
}

fn collect(path: &str, value: &Value, fields: &mut Fields) {
    match value {
        // Its fields are names of programs.
        Value::Object(_) if path == "machine.versions" => {}
        Value::Object(object) => {
            for (name, value) in object {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let shared = SHARED.iter().find(|(_, places)| places.contains(&path.as_str()));
                let known = shared.map_or(kind(value), |(name, _)| match value {
                    Value::Object(_) => name,
                    other => kind(other),
                });
                fields.entry(path.clone()).or_default().insert(known.to_owned());
                if let Some((name, _)) = shared.filter(|_| value.is_object()) {
                    fields.entry((*name).to_owned()).or_default().insert("object".to_owned());
                }
                let inside = shared.map_or(path, |(name, _)| (*name).to_owned());
                collect(&inside, value, fields);
            }
        }
        Value::Array(list) => {
            for value in list.iter().filter(|value| value.is_object()) {
                collect(&format!("{path}[]"), value, fields);
            }
        }
        _ => {}
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

#[test]
fn every_field_is_documented_with_its_type_and_nothing_else_is() {
    let (documented, written) = (documented(), written());
    let names = |fields: &Fields| fields.keys().cloned().collect::<BTreeSet<_>>();
    let only = |one: &Fields, other: &Fields| -> Vec<_> {
        names(one).difference(&names(other)).cloned().collect()
    };
    assert_eq!(only(&written, &documented), Vec::<String>::new(), "not in the README");
    assert_eq!(only(&documented, &written), Vec::<String>::new(), "not in the report");
    for (name, types) in &written {
        assert!(types.is_subset(&documented[name]), "{name}: {types:?}, {:?}", documented[name]);
    }
}
