//! Tests the program itself: what a short run finds, and that it leaves nothing behind however it
//! ends.

mod report;
pub(crate) mod running;

use report::Report;
use running::Running;

use crate::page;

/// A run with few shoppers, because the machine may have other work; the phases wait for what has
/// to happen.
const QUICK: &[&str] = &["--quick", "--nodes", "2", "--shoppers", "4"];

/// Strategies that need nothing but this program. One behind `Near` is enough, and that of five seconds is
/// the one whose looks are late on a slow machine too.
const WITHOUT_SERVERS: &str = "memory,sticky,all-to-all,primary-secondary,cookie,private-cookie,dynamodb,\
    near-dynamodb-5s,file";

fn run(options: &[&str]) -> Report {
    let mut running = Running::start(&[QUICK, options].concat());
    let (status, output) = running.wait();
    assert!(status.success(), "{status}: {output}");
    running.assert_nothing_left();
    let report = Report::read(&running);
    report.holds_together();
    report
}

#[test]
fn a_short_run_finds_what_each_strategy_is_known_for() {
    let report = run(&["--only", WITHOUT_SERVERS]);
    report.all_are_measured(WITHOUT_SERVERS);
    report.promises_are_kept("dynamodb");
    report.promises_are_kept("near-dynamodb-5s");
    report.promises_are_kept("file");
    let late = &report.measured("near-dynamodb-5s")["late_looks"];
    assert!(late["changes_late"].as_u64().unwrap() > 0, "{late}");
    assert!(late["logouts_late"].as_u64().unwrap() > 0, "{late}");
    // The check can fail: without a shared store, in turn, nearly everything is lost.
    let parallel = &report.measured("memory")["parallel_adds"];
    assert!(parallel["adds_missing"].as_u64().unwrap() > 0, "{parallel}");
    let losses = report.losses("memory");
    assert!(losses["adds_missing"].as_u64() > parallel["adds_missing"].as_u64(), "{losses}");
    // The dead node's carts are gone, and the others are there.
    let sticky = &report.measured("sticky")["node_killed"]["audit"];
    let (lost, carts) = (sticky["carts_lost"].as_u64().unwrap(), sticky["carts"].as_u64().unwrap());
    assert!(lost > 0 && lost < carts, "{sticky}");
    // A copy of a signed cookie is as good as the cookie.
    for id in ["cookie", "private-cookie"] {
        let logouts = &report.measured(id)["logouts"];
        assert!(logouts["revived_by_copy"].as_u64().unwrap() > 0, "{id}: {logouts}");
        assert_eq!(report.measured(id)["wire"]["between_servers"].as_f64(), Some(0.0));
        let departures = &report.measured(id)["node_killed"]["logouts"];
        assert_eq!(departures["revived_by_copy"], departures["acknowledged"], "{departures}");
        assert!(departures["acknowledged"].as_u64().unwrap() > 0, "{departures}");
        assert_eq!(departures["revived"], 0, "{departures}");
    }
    for id in ["all-to-all", "primary-secondary"] {
        let wire = &report.measured(id)["wire"];
        assert!(wire["between_servers"].as_f64().unwrap() > 100.0, "{id}: {wire}");
    }
}

#[test]
#[ignore = "needs valkey-server or redis-server, and memcached"]
fn a_short_run_with_servers_loses_nothing() {
    let strategies = "redis,memcached,near-redis";
    let report = run(&["--only", strategies]);
    report.all_are_measured(strategies);
    strategies.split(',').for_each(|id| report.promises_are_kept(id));
}

#[test]
#[ignore = "needs ministack"]
fn a_short_run_with_a_bucket_loses_nothing() {
    let report = run(&["--only", "s3"]);
    report.all_are_measured("s3");
    report.promises_are_kept("s3");
}

#[test]
#[ignore = "needs PostgreSQL and MariaDB"]
fn a_short_run_with_databases_loses_nothing() {
    let report = run(&["--only", "postgres,mysql,sqlite"]);
    report.all_are_measured("postgres,mysql,sqlite");
    for id in ["postgres", "mysql", "sqlite"] {
        report.promises_are_kept(id);
    }
}

#[test]
#[ignore = "needs valkey-server or redis-server"]
fn a_failover_is_survived() {
    let report = run(&["--only", "redis-failover", "--failover"]);
    report.all_are_measured("redis-failover");
    // Losses are not checked: what the primary acknowledged last may be lost with it.
    let outage = &report.measured("redis-failover")["store_outage"];
    assert!(outage["seconds_until_healthy"].as_f64().is_some(), "{outage}");
    assert_eq!(outage["audit"]["adds_too_many"].as_u64(), Some(0), "{outage}");
    report.nothing_is_missing("redis-failover", &["parallel_adds", "node_killed", "node_added"]);
    report.logouts_are_final("redis-failover");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and its driver"]
async fn the_page_shows_what_was_measured() {
    let mut running = Running::start(&[QUICK, &["--only", "memory,cookie,file,nfs"]].concat());
    let (status, output) = running.wait();
    assert!(status.success(), "{status}: {output}");
    page::holds(running.report().parent().unwrap()).await;
}

#[test]
fn what_cannot_be_run_is_said_and_is_no_failure() {
    let report = run(&["--only", "redis-failover,nfs"]);
    for id in ["redis-failover", "nfs"] {
        let outcome = report.outcome(id);
        assert_eq!(outcome["outcome"], "not_run", "{outcome}");
        assert!(outcome["needs"].as_str().is_some_and(|needs| !needs.is_empty()));
    }
}

#[test]
fn an_unknown_strategy_is_refused() {
    let mut running = Running::start(&["--only", "tape"]);
    let (status, output) = running.wait();
    assert!(!status.success());
    assert!(output.contains("there is no strategy `tape`"), "{output}");
    running.assert_nothing_left();
}

#[test]
fn ctrl_c_ends_everything_and_what_was_measured_is_kept() {
    let mut running = Running::start(&["--only", "memory,dynamodb", "--nodes", "2"]);
    running.until_there_are_processes(4);
    running.signal("-INT");
    let (status, output) = running.wait();
    assert_eq!(status.code(), Some(130), "{output}");
    running.assert_nothing_left();
    assert_eq!(Report::read(&running).json["interrupted"], true);
}

/// Kills the program, as by a crash: it gets no chance to clean up.
#[test]
fn sigkill_ends_everything_too() {
    let mut running = Running::start(&["--only", "dynamodb", "--nodes", "2"]);
    running.until_there_are_processes(5);
    running.signal("-KILL");
    let (status, _) = running.wait();
    assert!(!status.success());
    running.assert_nothing_left();
}
