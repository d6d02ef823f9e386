//! The tests. `scripts/nfs-test` starts the server and its two clients, and then runs this program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cart;
mod contract;
mod costs;
mod environment;
mod hosts;
mod outages;
mod sharing;

use std::time::Instant;

use hosts::Hosts;

macro_rules! tests {
    ($hosts:ident, $($module:ident: $($name:ident)+;)+) => {
        vec![$($((
            concat!(stringify!($module), "::", stringify!($name)),
            Box::pin($module::$name($hosts.clone())) as Test,
        )),+),+]
    };
}

type Test = std::pin::Pin<Box<dyn Future<Output = ()>>>;

#[tokio::main]
async fn main() {
    tokio::task::LocalSet::new().run_until(run()).await;
}

async fn run() {
    let hosts = Hosts::from_environment().await;
    let filter = std::env::args().nth(1).unwrap_or_default();
    let tests = tests![hosts,
        sharing:
            a_session_created_on_the_other_host_is_found_after_a_miss
            each_host_reads_what_the_other_has_just_written
            a_host_that_holds_the_file_open_reads_the_new_session
            a_process_that_holds_the_file_open_keeps_no_old_session_alive
            counts_from_both_hosts_are_exact
            a_logout_on_one_host_is_final_on_the_other
            a_deleted_session_does_not_come_back_from_the_other_host
            a_session_is_never_missing_while_another_process_replaces_it
            each_expired_session_is_removed_once_when_both_hosts_sweep
            of_many_creates_one_wins_and_the_others_find_its_session
        ;
        contract:
            every_law_holds_with_handles_on_two_hosts
            every_law_about_damage_holds
        ;
        costs:
            each_command_makes_as_many_requests_as_documented
        ;
        environment:
            a_folder_restored_from_a_copy_works_without_a_restart
            an_exceeded_quota_refuses_writes_and_loses_nothing
            a_mount_that_would_lose_updates_is_refused
            closing_a_store_on_a_frozen_mount_blocks_no_other_work
        ;
        cart:
            three_nodes_on_two_hosts_keep_the_promises_of_the_cart
            a_frozen_server_gives_503_and_other_requests_succeed
        ;
        outages:
            killed_writers_leave_whole_sessions_and_no_lock
            a_frozen_server_delays_and_loses_nothing
            a_restarted_server_loses_nothing
            a_client_cut_off_for_less_than_the_lease_loses_nothing
            a_write_that_arrives_after_the_lease_undoes_no_later_write
        ;
    ];
    let (mut passed, mut failed) = (0, Vec::new());
    for (name, test) in tests {
        if !name.contains(&filter) {
            continue;
        }
        let began = Instant::now();
        let ended = tokio::task::spawn_local(test).await;
        let seconds = began.elapsed().as_secs_f64();
        println!(
            "test {name} ... {} ({seconds:.1} s)",
            if ended.is_ok() { "ok" } else { "FAILED" }
        );
        match ended {
            Ok(()) => passed += 1,
            Err(_) => failed.push(name),
        }
    }
    let verdict = if failed.is_empty() && passed > 0 { "ok" } else { "FAILED" };
    println!("test result: {verdict}. {passed} passed; {} failed; 0 ignored", failed.len());
    std::process::exit(i32::from(verdict != "ok"));
}
