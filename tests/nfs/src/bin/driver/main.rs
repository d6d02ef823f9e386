//! The tests. Run by `scripts/nfs-test`, which has started the server and its two clients.

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
            created_on_the_other_host_after_a_miss
            read_after_write_across_hosts
            a_reader_that_holds_the_file_open_sees_the_new_state
            a_neighbour_that_holds_the_file_open_keeps_no_state_alive
            counts_from_both_hosts_are_exact
            a_logout_on_one_host_is_final_on_the_other
            a_deleted_session_does_not_come_back_from_the_other_host
            a_session_is_never_missing_while_a_neighbour_replaces_it
            both_hosts_sweep
        ;
        contract:
            every_law_with_handles_on_two_hosts
            every_law_of_damage
        ;
        costs:
            each_command_costs_what_the_page_says
        ;
        environment:
            a_folder_that_was_put_back_from_a_copy_is_used_again
            an_exceeded_quota_refuses_writes_and_loses_nothing
            a_mount_that_would_lose_updates_is_refused
            a_store_that_ends_on_a_frozen_mount_holds_up_nobody
        ;
        cart:
            three_nodes_on_two_hosts_keep_what_the_cart_promises
            a_frozen_server_is_503_and_what_needs_no_session_goes_on
        ;
        outages:
            killed_writers_leave_whole_sessions_and_no_lock
            a_frozen_server_delays_and_loses_nothing
            a_restarted_server_loses_nothing
            a_client_cut_off_for_less_than_the_lease_loses_nothing
            beyond_the_lease_what_comes_late_finds_nothing_to_publish
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
