//! The lists of the laws, and the macro that makes tests of them. Each law is named once, here; all
//! that needs the list (tests, reports, exports) gets it from here.

/// Hands every law except those of damage to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __store_laws {
    ([$($then:tt)+] $($given:tt)*) => {
        $($then)+! { [$($given)*]
            entries:
                an_absent_entry_is_none
                what_was_created_is_loaded
                every_byte_value_survives
                any_length_survives
                create_never_overwrites_a_live_entry
                create_works_again_after_a_delete
                delete_removes_the_entry
                deleting_the_absent_succeeds
                keys_are_independent
                handles_share_their_entries
                every_command_sees_the_one_before_it
                versions_never_repeat
                debug_shows_no_entry_bytes;
            limits:
                the_limit_is_exact_and_nothing_is_cut;
            expiry:
                an_entry_lives_until_its_deadline
                an_expired_entry_is_none
                create_works_over_an_expired_entry
                replace_of_an_expired_entry_is_gone
                touch_of_an_expired_entry_is_gone
                an_entry_born_expired_is_never_live
                far_deadlines_are_kept
                a_touched_entry_outlives_its_first_deadline
                a_replaced_entry_outlives_its_first_deadline
                replace_may_bring_the_deadline_nearer;
            replacing:
                replace_changes_data_version_and_deadline
                replace_of_a_former_version_is_a_conflict
                replace_of_a_foreign_version_is_a_conflict
                replace_of_a_deleted_version_is_a_conflict
                replace_sent_twice_is_applied_once
                replace_of_an_absent_entry_is_gone
                replace_after_delete_does_not_resurrect;
            touching:
                touch_moves_the_deadline_and_nothing_else
                touch_never_moves_the_deadline_back
                touch_of_another_version_is_skipped
                touch_of_an_absent_entry_is_gone
                touch_after_delete_does_not_resurrect;
            concurrency:
                parallel_writers_lose_no_byte
                parallel_increments_are_exact
                one_of_many_replaces_wins
                one_of_many_creates_wins
                nothing_comes_back_after_a_delete
                concurrent_writers_never_tear_a_value
                touches_undo_no_replace;
            cancellation:
                a_cancelled_create_is_all_or_nothing
                a_cancelled_replace_is_all_or_nothing
                a_cancelled_touch_changes_no_data
                a_cancelled_delete_is_all_or_nothing;
        }
    };
}

/// Hands the laws of damage to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __store_damage_laws {
    ([$($then:tt)+] $($given:tt)*) => {
        $($then)+! { [$($given)*]
            damage:
                damage_is_corrupt_when_loaded
                damage_is_never_written_over
                delete_removes_damage;
        }
    };
}

/// Makes one `#[test]` per law of the [store contract](crate::store::conformance).
///
/// `store_conformance!(harness)` makes tests of the laws of every store,
/// `store_conformance!(harness, damage)` of those of [damage](crate::store::conformance::Damage) too.
/// The harness is an expression that each test evaluates anew inside a tokio runtime: it may
/// `.await`. Attributes after it go on every test, so that tests whose server is missing count as
/// ignored and not as passed:
///
/// ```
/// # use cloakroom::store::conformance::Harness;
/// # use std::{sync::Arc, time::Duration};
/// # struct Server;
/// # impl Server { async fn connect() -> Self { Self } }
/// # #[async_trait::async_trait]
/// # impl Harness for Server {
/// #     async fn open(&self) -> Arc<dyn cloakroom::store::SessionStore> {
/// #         Arc::new(cloakroom::store::MemoryStore::new())
/// #     }
/// #     fn now(&self) -> cloakroom::Timestamp { cloakroom::Clock::system().now() }
/// #     async fn advance(&self, by: Duration) { tokio::time::sleep(by).await }
/// #     fn max_entry_bytes(&self) -> Option<usize> { None }
/// # }
/// cloakroom::store_conformance!(Server::connect().await, #[ignore = "needs a server"]);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! store_conformance {
    ($harness:expr, damage $(, #[$attribute:meta])* $(,)?) => {
        $crate::__store_laws!([$crate::__test_store_laws] [$(#[$attribute])*] $harness);
        $crate::__store_damage_laws!([$crate::__test_store_laws] [$(#[$attribute])*] $harness);
    };
    ($harness:expr $(, #[$attribute:meta])* $(,)?) => {
        $crate::__store_laws!([$crate::__test_store_laws] [$(#[$attribute])*] $harness);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __test_store_laws {
    ([$attributes:tt $harness:expr] $($module:ident: $($law:ident)+;)+) => {
        $($($crate::__test_store_law!($attributes $harness, $law);)+)+
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __test_store_law {
    ([$(#[$attribute:meta])*] $harness:expr, $law:ident) => {
        #[test]
        $(#[$attribute])*
        fn $law() {
            $crate::store::conformance::check(async {
                let harness = $harness;
                $crate::store::conformance::$law(&harness).await
            });
        }
    };
}
