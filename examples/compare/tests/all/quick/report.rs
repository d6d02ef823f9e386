//! Checks `report.json`.

use std::fs;

use serde_json::Value;

use super::running::Running;

/// The phases after which the carts are looked at.
const PHASES: [&str; 6] =
    ["warm_up", "steady_load", "parallel_adds", "node_killed", "node_added", "store_outage"];

pub(crate) struct Report {
    pub(crate) json: Value,
}

impl Report {
    pub(crate) fn read(running: &Running) -> Self {
        let text = fs::read(running.report()).unwrap();
        Self { json: serde_json::from_slice(&text).unwrap() }
    }

    fn outcomes(&self) -> &Vec<Value> {
        self.json["strategies"].as_array().unwrap()
    }

    /// Measured, not run, or failed.
    pub(crate) fn outcome(&self, id: &str) -> &Value {
        let found = self.outcomes().iter().find(|outcome| outcome["strategy"]["id"] == id);
        found.unwrap_or_else(|| panic!("no {id} in {}", self.json))
    }

    pub(crate) fn measured(&self, id: &str) -> &Value {
        let outcome = self.outcome(id);
        assert_eq!(outcome["outcome"], "measured", "{outcome}");
        outcome
    }

    pub(crate) fn all_are_measured(&self, ids: &str) {
        let ids: Vec<_> = ids.split(',').collect();
        let there = self.outcomes().iter().map(|outcome| outcome["strategy"]["id"].as_str());
        assert_eq!(there.map(Option::unwrap).collect::<Vec<_>>(), ids);
        for id in ids {
            self.measured(id);
        }
    }

    /// Checks what holds by the meaning of the figures, whatever was measured.
    pub(crate) fn holds_together(&self) {
        assert_eq!(self.json["format"], 1);
        assert_eq!(self.json["interrupted"], false);
        for outcome in self.outcomes().iter().filter(|outcome| outcome["outcome"] == "measured") {
            for phase in outcome["phases"].as_array().unwrap() {
                phase_holds_together(phase);
            }
            for audit in audits(outcome) {
                audit_holds_together(audit);
            }
            let shares = &outcome["node_added"];
            for share in ["busiest_share_before", "busiest_share_after", "newcomers_share"] {
                assert!((0.0..=1.0).contains(&shares[share].as_f64().unwrap()), "{shares}");
            }
            let wire = &outcome["wire"];
            assert!(wire["from_client"].as_f64().unwrap() > 50.0, "{wire}");
            assert!(wire["to_client"].as_f64().unwrap() > 50.0, "{wire}");
        }
    }

    /// Checks a shared store of the library: what was acknowledged is there, and a logout is final.
    pub(crate) fn promises_are_kept(&self, id: &str) {
        let outcome = self.measured(id);
        let faults = PHASES;
        let there: Vec<_> = faults.into_iter().filter(|fault| !outcome[fault].is_null()).collect();
        // A folder or a file has no outage, and its commands are not counted.
        let is_server = !["file", "sqlite"].contains(&id);
        assert_eq!(there.len(), if is_server { 6 } else { 5 }, "{outcome}");
        self.nothing_is_missing(id, &there);
        self.logouts_are_final(id);
        self.no_loss_is_listed(id);
        self.looks_are_not_later_than_they_may_be(id);
        if is_server {
            self.commands_are_those_of_the_promises(id);
            // Bytes of a request, most of which cost no trip where a server remembers the session.
            let remembers = !outcome["strategy"]["staleness_seconds"].is_null();
            let least = if remembers { 100.0 } else { 1_000.0 };
            assert!(outcome["wire"]["between_servers"].as_f64().unwrap() > least, "{outcome}");
        }
    }

    fn commands_are_those_of_the_promises(&self, id: &str) {
        let outcome = self.measured(id);
        // Reads are one command and writes two. A server that remembers the session needs no load for either.
        let load = if outcome["strategy"]["staleness_seconds"].is_null() { 1.0 } else { 0.0 };
        let least = [("untouched", 0.0), ("read", load), ("write", load + 1.0), ("logout", 2.0)];
        for (kind, least) in least {
            let most = match kind {
                "untouched" => 0.0,
                // The session may not be remembered for so long as a busy machine takes.
                "read" => 2.0,
                // Such a machine may keep a command so long that it takes a second one; not more.
                _ => 4.0,
            };
            let commands = outcome["store_commands"][kind].as_f64().unwrap();
            assert!((least..=most).contains(&commands), "{id}: {kind}: {commands}");
        }
    }

    /// Checks that only a server's own memory makes looks late, and for no longer than its staleness.
    fn looks_are_not_later_than_they_may_be(&self, id: &str) {
        let outcome = self.measured(id);
        let (looks, figure) = (&outcome["late_looks"], |name: &str| &outcome["late_looks"][name]);
        for kind in ["changes", "logouts"] {
            assert!(figure(kind).as_u64().unwrap() > 0, "{id}: {looks}");
        }
        let longest = figure("longest_seconds").as_f64().unwrap();
        match outcome["strategy"]["staleness_seconds"].as_f64() {
            Some(staleness) => assert!(longest < staleness, "{id}: {looks}"),
            None => {
                let late = ["changes_late", "logouts_late"].map(|kind| figure(kind).as_u64());
                assert_eq!(late, [Some(0), Some(0)], "{id}: {looks}");
            }
        }
    }

    pub(crate) fn nothing_is_missing(&self, id: &str, faults: &[&str]) {
        let outcome = self.measured(id);
        for fault in faults {
            let audit = audit(&outcome[fault]);
            assert!(audit["adds_acknowledged"].as_u64().unwrap() > 0, "{id}: {fault}: {audit}");
            assert_eq!(audit["adds_missing"].as_u64(), Some(0), "{id}: {fault}: {audit}");
            assert_eq!(audit["adds_too_many"].as_u64(), Some(0), "{id}: {fault}: {audit}");
        }
        let remarks = outcome["remarks"].as_array().unwrap();
        let tells_of_losses = |remark: &Value| {
            let remark = remark.as_str().unwrap();
            remark.contains("were missing") || remark.contains("nobody had made")
        };
        assert!(!remarks.iter().any(tells_of_losses), "{id}: {remarks:?}");
    }

    pub(crate) fn losses(&self, id: &str) -> &Value {
        let all = self.json["losses"].as_array().unwrap();
        let found = all.iter().find(|losses| losses["strategy"] == id);
        found.unwrap_or_else(|| panic!("no losses of {id}: {}", self.json["losses"]))
    }

    /// Checks the list of losses, as a script would.
    fn no_loss_is_listed(&self, id: &str) {
        let losses = self.losses(id);
        for figure in
            ["adds_missing", "adds_too_many", "logouts_came_back", "logouts_came_back_by_copy"]
        {
            assert_eq!(losses[figure], 0, "{losses}");
        }
        let faults = losses["phases"].as_array().unwrap();
        let faults: Vec<_> = faults.iter().filter(|phase| !phase["broken"].is_null()).collect();
        assert!(!faults.is_empty(), "{losses}");
        for fault in faults {
            assert!(fault["logouts"].as_u64().unwrap() > 0, "{fault}");
        }
    }

    pub(crate) fn logouts_are_final(&self, id: &str) {
        let logouts = &self.measured(id)["logouts"];
        assert!(logouts["raced"].as_u64().unwrap() > 0, "{id}: {logouts}");
        assert_eq!(logouts["revived"].as_u64(), Some(0), "{id}: {logouts}");
        assert_eq!(logouts["revived_by_copy"].as_u64(), Some(0), "{id}: {logouts}");
    }
}

/// Checks the figures of a fault, or of adds alone.
fn audit(part: &Value) -> &Value {
    if part["audit"].is_null() { part } else { &part["audit"] }
}

fn audits(outcome: &Value) -> impl Iterator<Item = &Value> {
    PHASES.into_iter().map(|part| &outcome[part]).filter(|part| !part.is_null()).map(audit)
}

fn audit_holds_together(audit: &Value) {
    let figure = |name: &str| audit[name].as_u64().unwrap();
    assert!(figure("carts") > 0, "{audit}");
    assert!(figure("carts_lost") + figure("carts_shrunk") <= figure("carts"), "{audit}");
    assert!(figure("adds_missing") <= figure("adds_acknowledged"), "{audit}");
    let has_losses = figure("carts_lost") + figure("carts_shrunk") > 0;
    assert_eq!(has_losses, figure("adds_missing") > 0, "{audit}");
}

fn phase_holds_together(phase: &Value) {
    let answers = phase["answers"].as_object().unwrap();
    let counted: u64 = answers.values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(Some(counted), phase["requests"].as_u64(), "{phase}");
    assert!(counted > 0, "{phase}");
    let acknowledged = answers["acknowledged"].as_u64().unwrap();
    let latency = &phase["latency"];
    assert_eq!(acknowledged > 0, !latency.is_null(), "{phase}");
    if acknowledged > 0 {
        let times = ["p50_ms", "p95_ms", "p99_ms", "max_ms"];
        let times = times.map(|name| latency[name].as_f64().unwrap());
        assert!(times.is_sorted() && times[0] > 0.0, "{phase}");
    }
}
