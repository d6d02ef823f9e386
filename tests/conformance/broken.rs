//! The laws find every fault: a store that breaks the contract in one way breaks the laws about that, and
//! no law about anything else.

use std::collections::BTreeSet;

use cloakroom::store::conformance::{run_all, run_damage};

use crate::fault::Fault;
use crate::shelf::ShelfHarness;

mod without_a_fault {
    use super::*;
    cloakroom::store_conformance!(ShelfHarness::new(Fault::None), damage);
}

mod attributes_reach_every_test {
    use super::*;

    async fn no_server() -> ShelfHarness {
        panic!("no server here")
    }

    cloakroom::store_conformance!(
        no_server().await,
        damage,
        #[should_panic(expected = "no server here")]
    );
}

/// A fault, the laws that must find it, and the laws that may find it: by a race, or because they begin
/// with a command that is broken.
pub(crate) type Expected = (Fault, &'static [&'static str], &'static [&'static str]);

/// For faults in commands that nearly every law begins with.
const ANY: &[&str] = &["any"];

const RACES: &[&str] = &[
    "concurrent_writers_never_tear_a_value",
    "nothing_comes_back_after_a_delete",
    "one_of_many_creates_wins",
    "one_of_many_replaces_wins",
    "parallel_increments_are_exact",
    "parallel_writers_lose_no_byte",
    "touches_undo_no_replace",
];

const LOADING_AND_TIME: &[Expected] = &[
    (Fault::AbsentIsEmpty, &["an_absent_entry_is_none"], ANY),
    (Fault::VersionsDiffer, &["what_was_created_is_loaded"], ANY),
    (Fault::EmptyIsAbsent, &["any_length_survives"], &["parallel_writers_lose_no_byte"]),
    (Fault::BytesAsText, &["every_byte_value_survives"], &[]),
    (Fault::CutsAtLimit, &["the_limit_is_exact_and_nothing_is_cut"], &[]),
    (Fault::ShortKeys, &["keys_are_independent"], &[]),
    (Fault::DebugShows, &["debug_shows_no_entry_bytes"], &[]),
    (
        Fault::HandlesApart,
        &["handles_share_their_entries", "every_command_sees_the_one_before_it"],
        RACES,
    ),
    (Fault::HandlesCache, &["every_command_sees_the_one_before_it"], RACES),
    (Fault::ExpiresEarly, &["an_entry_lives_until_its_deadline"], &[]),
    (
        Fault::ServesExpired,
        &[
            "an_entry_born_expired_is_never_live",
            "an_expired_entry_is_none",
            "replace_may_bring_the_deadline_nearer",
            "replace_of_an_expired_entry_is_gone",
            "touch_of_an_expired_entry_is_gone",
        ],
        &[],
    ),
    (
        Fault::LiveAtDeadline,
        &[
            "an_expired_entry_is_none",
            "create_works_over_an_expired_entry",
            "replace_may_bring_the_deadline_nearer",
            "replace_of_an_expired_entry_is_gone",
            "touch_of_an_expired_entry_is_gone",
        ],
        &[],
    ),
    (Fault::ForgetsFarDeadlines, &["far_deadlines_are_kept"], &[]),
];

const CREATING_AND_DELETING: &[Expected] = &[
    (
        Fault::CreateOverwrites,
        &["create_never_overwrites_a_live_entry", "one_of_many_creates_wins"],
        &[],
    ),
    (Fault::CreateBlockedByExpired, &["create_works_over_an_expired_entry"], &[]),
    (Fault::CreateNotAtomic, &["one_of_many_creates_wins"], &[]),
    (Fault::CreateTears, &["a_cancelled_create_is_all_or_nothing"], &[]),
    (
        Fault::DeleteFailsOnAbsent,
        &["a_cancelled_delete_is_all_or_nothing", "deleting_the_absent_succeeds"],
        &[],
    ),
    (
        Fault::DeleteDoesNothing,
        &[
            "a_cancelled_delete_is_all_or_nothing",
            "create_works_again_after_a_delete",
            "delete_removes_damage",
            "delete_removes_the_entry",
            "every_command_sees_the_one_before_it",
            "handles_share_their_entries",
            "keys_are_independent",
            "nothing_comes_back_after_a_delete",
            "replace_after_delete_does_not_resurrect",
            "replace_of_a_deleted_version_is_a_conflict",
            "touch_after_delete_does_not_resurrect",
            "versions_never_repeat",
        ],
        &[],
    ),
    (
        Fault::DamageIsAbsent,
        &["damage_is_corrupt_when_loaded", "damage_is_never_written_over"],
        &[],
    ),
    (Fault::DamageIsReplaced, &["damage_is_never_written_over"], &[]),
    (Fault::DamageStays, &["delete_removes_damage"], &[]),
];

const REPLACING: &[Expected] = &[
    (
        Fault::ReplaceIgnoresVersion,
        &[
            "one_of_many_replaces_wins",
            "parallel_increments_are_exact",
            "parallel_writers_lose_no_byte",
            "replace_of_a_deleted_version_is_a_conflict",
            "replace_of_a_foreign_version_is_a_conflict",
            "replace_of_a_former_version_is_a_conflict",
            "replace_sent_twice_is_applied_once",
        ],
        RACES,
    ),
    (
        Fault::ReplaceResurrects,
        &[
            "replace_after_delete_does_not_resurrect",
            "replace_of_an_absent_entry_is_gone",
            "replace_of_an_expired_entry_is_gone",
        ],
        &["nothing_comes_back_after_a_delete"],
    ),
    (Fault::ReplaceRevivesExpired, &["replace_of_an_expired_entry_is_gone"], &[]),
    (
        Fault::ReplaceKeepsDeadline,
        &[
            "a_replaced_entry_outlives_its_first_deadline",
            "an_entry_born_expired_is_never_live",
            "replace_changes_data_version_and_deadline",
            "replace_may_bring_the_deadline_nearer",
            "replace_of_a_former_version_is_a_conflict",
        ],
        &["a_cancelled_touch_changes_no_data"],
    ),
    (
        Fault::ReplaceNeverShortens,
        &["an_entry_born_expired_is_never_live", "replace_may_bring_the_deadline_nearer"],
        &["a_cancelled_touch_changes_no_data"],
    ),
    (
        Fault::ReplaceKeepsVersion,
        &[
            "a_cancelled_replace_is_all_or_nothing",
            "one_of_many_replaces_wins",
            "replace_changes_data_version_and_deadline",
            "replace_of_a_former_version_is_a_conflict",
            "replace_sent_twice_is_applied_once",
            "touch_of_another_version_is_skipped",
            "versions_never_repeat",
        ],
        RACES,
    ),
    (
        Fault::ConflictIsStale,
        &[
            "one_of_many_replaces_wins",
            "replace_of_a_former_version_is_a_conflict",
            "replace_sent_twice_is_applied_once",
        ],
        &[],
    ),
    (Fault::ReplaceSwallowsRepeat, &["replace_sent_twice_is_applied_once"], &[]),
    (
        Fault::ReplaceNotAtomic,
        &[
            "nothing_comes_back_after_a_delete",
            "one_of_many_replaces_wins",
            "parallel_increments_are_exact",
            "parallel_writers_lose_no_byte",
        ],
        RACES,
    ),
    (
        Fault::ReplaceTears,
        &["a_cancelled_replace_is_all_or_nothing", "concurrent_writers_never_tear_a_value"],
        RACES,
    ),
    (Fault::ReplaceLeavesAGap, &["a_cancelled_replace_is_all_or_nothing"], RACES),
    (
        Fault::VersionsCount,
        &[
            "replace_of_a_deleted_version_is_a_conflict",
            "replace_of_a_foreign_version_is_a_conflict",
            "versions_never_repeat",
        ],
        &[],
    ),
    (
        Fault::VersionsHash,
        &["replace_of_a_deleted_version_is_a_conflict", "versions_never_repeat"],
        &[],
    ),
];

const TOUCHING: &[Expected] = &[
    (Fault::TouchShortens, &["touch_never_moves_the_deadline_back"], &[]),
    (Fault::TouchIgnoresVersion, &["touch_of_another_version_is_skipped"], &[]),
    (
        Fault::TouchChangesVersion,
        &[
            "a_cancelled_touch_changes_no_data",
            "a_touched_entry_outlives_its_first_deadline",
            "touch_moves_the_deadline_and_nothing_else",
        ],
        &["touches_undo_no_replace"],
    ),
    (
        Fault::TouchDoesNothing,
        &[
            "a_touched_entry_outlives_its_first_deadline",
            "touch_moves_the_deadline_and_nothing_else",
        ],
        &[],
    ),
    (Fault::TouchRevivesExpired, &["touch_of_an_expired_entry_is_gone"], &[]),
    (
        Fault::TouchSkipsAbsent,
        &[
            "touch_after_delete_does_not_resurrect",
            "touch_of_an_absent_entry_is_gone",
            "touch_of_an_expired_entry_is_gone",
        ],
        &[],
    ),
    (Fault::TouchLeavesAGap, &["a_cancelled_touch_changes_no_data"], RACES),
    (Fault::TouchNotAtomic, &["touches_undo_no_replace"], &["nothing_comes_back_after_a_delete"]),
];

pub(crate) fn expected() -> impl Iterator<Item = &'static Expected> {
    [LOADING_AND_TIME, CREATING_AND_DELETING, REPLACING, TOUCHING].into_iter().flatten()
}

/// Returns all laws, and those that a store with this fault breaks.
async fn tried(fault: Fault) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
    let harness = ShelfHarness::new(fault);
    let mut reports = run_all(&harness).await;
    reports.extend(run_damage(&harness).await);
    let broken = reports.iter().filter(|(_, verdict)| verdict.is_err()).map(|(law, _)| *law);
    (reports.iter().map(|(law, _)| *law).collect(), broken.collect())
}

/// Returns the laws that a few attempts have broken: a race is found nearly always, not always.
async fn tried_until(fault: Fault, must: &[&str]) -> BTreeSet<&'static str> {
    let mut broken = BTreeSet::new();
    for _ in 0..5 {
        broken.extend(tried(fault).await.1);
        if must.iter().all(|law| broken.contains(law)) {
            break;
        }
    }
    broken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_fault_breaks_the_laws_about_it_and_no_others() {
    let mut surprises = Vec::new();
    for (fault, must, may) in expected() {
        let broken = tried_until(*fault, must).await;
        for law in must.iter().filter(|law| !broken.contains(*law)) {
            surprises.push(format!("{fault:?} was not found by {law}"));
        }
        for law in
            broken.iter().filter(|law| *may != ANY && !must.contains(law) && !may.contains(law))
        {
            surprises.push(format!("{fault:?} broke {law}"));
        }
    }
    assert!(surprises.is_empty(), "{surprises:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_law_is_broken_by_some_fault() {
    let (mut laws, _) = tried(Fault::None).await;
    for (_, must, _) in expected() {
        laws.retain(|law| !must.contains(law));
    }
    assert!(laws.is_empty(), "no store here breaks {laws:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_violation_cites_the_contract() {
    let reports = run_all(&ShelfHarness::new(Fault::ReplaceResurrects)).await;
    let law = "replace_after_delete_does_not_resurrect";
    let (_, verdict) = reports.into_iter().find(|(name, _)| *name == law).unwrap();
    let violation = verdict.unwrap_err();
    assert_eq!(
        violation.to_string(),
        "the store contract says: \"Where no entry is live it is Replaced::Gone and creates none.\" \
         But replace answered Done, not Gone."
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_does_not_hang_the_laws() {
    let reports = run_all(&ShelfHarness::new(Fault::NeverAnswers)).await;
    let (_, verdict) = &reports[0];
    let message = verdict.clone().unwrap_err().to_string();
    assert!(message.contains("no answer within 300s"), "{message}");
}

#[test]
#[should_panic(expected = "Its absence is success.")]
fn a_test_of_a_broken_law_panics_with_the_sentence() {
    use cloakroom::store::conformance::{check, deleting_the_absent_succeeds};
    let harness = ShelfHarness::new(Fault::DeleteFailsOnAbsent);
    check(async { deleting_the_absent_succeeds(&harness).await });
}
