//! The promises over a memory in front of a store, on one server.
//!
//! The tests' faults and counts stand between the library and the memory, so a look at what is held counts as a load.
//! Every test that this lets fail is named here, with the reason.

use std::panic::catch_unwind;
use std::sync::Arc;
use std::thread;

use cloakroom::store::{MemoryStore, Near};
use cloakroom_testing::{House, promises};

fn in_memory() -> House {
    let clock = cloakroom_testing::clock();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    House::over(Arc::new(Near::new(store).clock(clock.clone())), clock)
}

/// A change that leaves the bytes as they are is written, if the session is held: what is held may be out of date.
const UNCHANGED_IS_WRITTEN: [&str; 7] = [
    "p4_a_change_that_is_undone_writes_nothing",
    "p4_a_message_shown_by_the_request_that_left_it_is_not_stored",
    "p4_an_update_that_changes_nothing_writes_nothing",
    "p4_inserting_an_equal_value_writes_nothing",
    "p4_removing_an_absent_key_writes_nothing",
    // It writes an equal value while the clock is an hour behind, and so takes an hour off the session.
    "p11_a_clock_set_back_does_no_harm",
    // It writes an equal value, by which an unlisted session is listed earlier than without.
    "a_server_without_a_roster_beside_one_with",
];

/// An entry that is held and shows no live session is asked for again, which counts as a second load.
const LOOKED_TWICE: [&str; 7] = [
    "p12_a_login_over_an_unreadable_record_begins_anew_under_a_new_id",
    "p12_a_login_over_an_unreadable_record_that_fails_changes_nothing",
    "p12_a_newer_format_is_an_error_and_is_never_written_over",
    "p12_a_record_with_our_head_and_a_damaged_rest_can_be_left",
    "p12_an_unreadable_record_is_ended_by_a_logout_whatever_the_policy",
    "p12_where_the_app_says_so_an_unreadable_record_reads_as_anonymous",
    // Its second fault hits the second look, and not the load for which it is meant.
    "p7_an_unconfirmed_login_exposes_nothing",
];

/// Tests all promises, on two threads.
pub(crate) fn all_but_the_named_ones_hold(ground: promises::Ground) {
    let all = promises::all();
    let broken_of = |half: &[promises::Named]| {
        let fails = |promise: fn(promises::Ground)| catch_unwind(|| promise(ground)).is_err();
        let broken = half.iter().filter(|(_, promise)| fails(*promise));
        broken.map(|(name, _)| *name).collect::<Vec<_>>()
    };
    let (one, other) = all.split_at(all.len() / 2);
    let mut broken = thread::scope(|scope| {
        let one = scope.spawn(|| broken_of(one));
        [broken_of(other), one.join().unwrap()].concat()
    });
    let mut expected = [UNCHANGED_IS_WRITTEN.as_slice(), &LOOKED_TWICE].concat();
    broken.sort_unstable();
    expected.sort_unstable();
    assert_eq!(broken, expected);
    assert!(all.len() > 250, "{}", all.len());
}

#[test]
fn one_server_keeps_all_promises_but_for_what_is_named_here() {
    all_but_the_named_ones_hold(in_memory);
}

#[test]
fn one_server_with_a_roster_does_too() {
    all_but_the_named_ones_hold(|| in_memory().with_a_silent_roster());
}
