//! The promises as tests that every store can run.
//!
//! Each test is an async function that opens a house over the store to test. `promises!` makes a
//! `#[test]` of each:
//!
//! ```text
//! cloakroom_testing::promises!(|| House::opening(async |clock| my_store(clock).await));
//! cloakroom_testing::promises!(over_redis, #[ignore = "needs redis-server"]);
//! ```
//!
//! Some tests stop the runtime's clock or count polls. They need a store that answers at once, and
//! run on the memory store only, by `promises_in_memory!`.

mod lists;

mod anonymous;
mod bounded;
mod cookie_attributes;
mod csrf;
mod deadlines;
mod endings;
mod flashes;
mod handles;
mod header;
mod hurried;
mod late_requests;
mod logins;
mod open_handles;
mod p01_forged;
mod p02_untouched;
mod p03_read;
mod p04_write;
mod p05_doubt;
mod p05_lost_update;
mod p06_logout;
mod p07_renewal;
mod p08_acknowledged;
mod p11_clocks;
mod p12_bad_bytes;
mod persistent;
mod responses;
mod revoked;
mod sessions;
mod tickets;
mod users;
mod users_attacks;
mod users_faults;
mod users_listed;
mod users_refused;
mod values;

use crate::House;

/// Opens a house over an empty store, or one whose sessions nobody else can meet.
pub type Ground = fn() -> House;

/// Runs a test on a runtime of one thread, as `#[tokio::test]` does.
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(test);
}

crate::__promises!(__publish_promises);
crate::__promises_in_memory!(__publish_promises);
crate::__promises_with_a_stopped_clock!(__publish_promises);

/// A promise by its name, as a function that panics if the store does not keep it.
pub type Named = (&'static str, fn(Ground));

/// Returns every promise that every store keeps.
pub fn all() -> Vec<Named> {
    crate::__promises!(__promise_list)
}

#[doc(hidden)]
#[macro_export]
macro_rules! __promise_list {
    ([] $($module:ident: $($promise:ident)+;)+) => {
        vec![$($((stringify!($promise), |ground| run($promise(ground)))),+),+]
    };
}

/// Names a test for each promise that every store keeps. `$ground` is a [`Ground`].
#[macro_export]
macro_rules! promises {
    ($ground:expr $(, $(#[$attribute:meta])+)?) => {
        fn ground() -> $crate::House {
            ($ground)()
        }

        $crate::__promises!(__promise_tests $($(#[$attribute])+)?);
    };
}

/// Names a test for each of the other promises.
#[macro_export]
macro_rules! promises_in_memory {
    () => {
        $crate::__promises_in_memory!(__promise_tests_in_memory);
        $crate::__promises_with_a_stopped_clock!(__promise_tests_with_a_stopped_clock);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __publish_promises {
    ([] $($module:ident: $($promise:ident)+;)+) => {
        $(pub use $module::{$($promise),+};)+
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __promise_tests {
    ($attributes:tt $($module:ident: $($promise:ident)+;)+) => {
        $($($crate::__promise_test! { $attributes $promise })+)+
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __promise_test {
    ([$($attribute:tt)*] $promise:ident) => {
        #[test]
        $($attribute)*
        fn $promise() {
            $crate::promises::run($crate::promises::$promise(ground));
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __promise_tests_in_memory {
    ([] $($module:ident: $($promise:ident)+;)+) => {
        $($(#[test]
        fn $promise() {
            $crate::promises::run($crate::promises::$promise());
        })+)+
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __promise_tests_with_a_stopped_clock {
    ([] $($module:ident: $($promise:ident)+;)+) => {
        $($(#[tokio::test(start_paused = true)]
        async fn $promise() {
            $crate::promises::$promise().await;
        })+)+
    };
}
