//! The promises in layers that seal, on memory, on a database and on a Redis server.
//!
//! Every test that this lets fail is named here, with the reason.

use std::panic::catch_unwind;
use std::sync::LazyLock;
use std::thread;

use cloakroom::SessionLayer;
use cloakroom::store::SqliteStore;
use cloakroom_testing::processes::Folder;
use cloakroom_testing::{House, patient, promises};

use crate::{house, only};

/// They look at the values of a session from outside of its requests, or change them.
const VALUES_FROM_OUTSIDE: [&str; 8] = [
    "a_list_has_every_session_of_its_user_and_no_other",
    "a_listed_session_can_be_changed_and_ended_and_not_renewed",
    "an_edit_reaches_a_session_that_is_being_renewed",
    "an_edit_reaches_every_session_and_loses_no_change",
    "an_edit_that_refuses_is_the_callers_error",
    "lists_and_ends_cost_what_the_page_says",
    "p6_the_end_of_a_listed_session_reaches_it_through_renewals",
    "p6_the_end_of_a_listed_session_that_has_learned_of_it_spares_that_login",
];

/// They look for values in the bytes that the store has, or give one session the bytes of another.
const BYTES_OF_THE_STORE: [&str; 3] = [
    "a_list_of_small_numbers_is_stored_as_a_list",
    "bytes_are_stored_as_bytes",
    "p5_a_change_is_never_merged_into_another_users_session",
];

/// Tests all promises, on two threads.
fn all_but_the_named_ones_hold(ground: promises::Ground) {
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
    let mut expected = [VALUES_FROM_OUTSIDE.as_slice(), &BYTES_OF_THE_STORE].concat();
    broken.sort_unstable();
    expected.sort_unstable();
    assert_eq!(broken, expected);
    assert!(all.len() > 250, "{}", all.len());
}

#[test]
fn all_promises_hold_but_for_what_is_named_here() {
    all_but_the_named_ones_hold(house);
}

#[test]
fn they_hold_with_a_roster_too() {
    all_but_the_named_ones_hold(|| house().with_a_silent_roster());
}

/// Over a store on a disk or a server, which may be slow.
fn patient_only(layer: SessionLayer) -> SessionLayer {
    patient(only(layer))
}

static FOLDER: LazyLock<Folder> = LazyLock::new(Folder::new);

/// A database that all tests share: their session ids are random and never collide.
fn on_a_database() -> House {
    let open = async |clock| {
        let store = SqliteStore::builder().sweep_every(None).clock(clock);
        let store = store.command_timeout(std::time::Duration::from_secs(30));
        store.open(FOLDER.join("sessions.db")).await.unwrap()
    };
    House::opening(open).everywhere(patient_only)
}

#[test]
fn they_hold_on_a_database() {
    all_but_the_named_ones_hold(on_a_database);
}

#[cfg(feature = "redis")]
mod on_redis {
    use std::sync::LazyLock;

    use cloakroom::ManualClock;
    use cloakroom::store::{RedisServer, RedisStore};
    use cloakroom_testing::redis::{Flavour, Standalone};
    use cloakroom_testing::{House, MINUTE, patiently};

    use super::patient_only;

    /// One server serves all tests: their ids are random and never meet.
    static SERVER: LazyLock<Standalone> = LazyLock::new(|| Standalone::start(Flavour::Redis7));

    fn house() -> House {
        // Before the first command, which would have to wait for it.
        let port = SERVER.port;
        let open = move |clock: ManualClock| async move {
            let server = RedisServer::standalone("127.0.0.1", port);
            let builder = RedisStore::builder().command_timeout(MINUTE).clock(clock);
            patiently(|| builder.clone().connect(&server)).await
        };
        House::opening(open).everywhere(patient_only)
    }

    #[test]
    #[ignore = "needs redis-server"]
    fn they_hold_on_a_server() {
        super::all_but_the_named_ones_hold(house);
    }
}
