//! Each fault that a simpler protocol has, by name.

use cloakroom::store::{Created, SessionStore, StoreErrorKind, Touched};
use cloakroom_testing::{Command, Fault, HOUR, MINUTE};

use crate::pair::{KEY, Pair, conflict, created, kind, replaced};

#[tokio::test]
async fn a_logout_after_a_crash_in_the_move_stays_when_its_mark_is_over() {
    for step in 0..2 {
        let pair = Pair::new();
        let version = pair.in_old("one").await;
        pair.dies_after_the_fence(&version, "two").await;
        let version = pair.all_find("two").await;
        replaced(pair.both()[step].replace(&KEY, &version, &pair.mark()).await);
        for _ in 0..24 {
            pair.clock.advance(10 * MINUTE);
            pair.nobody_finds_it().await;
        }
    }
}

#[tokio::test]
async fn a_logout_in_the_old_store_stays_when_a_tentative_entry_is_left() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    pair.from.faulty.next(Command::Replace, Fault::LoseRequest);
    let answer = pair.new_first().replace(&KEY, &version, &pair.entry("two")).await;
    assert_eq!(kind(answer), StoreErrorKind::Indeterminate);
    replaced(pair.new_first().replace(&KEY, &version, &pair.mark()).await);
    pair.clock.advance(MINUTE);
    assert!(pair.to.has_a_note().await);
    pair.nobody_finds_it().await;
}

#[tokio::test]
async fn a_lost_tentative_create_is_not_taken_for_done_and_revives_nothing_when_it_comes() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    pair.to.faulty.next(Command::Create, Fault::Late);
    let version = replaced(pair.new_first().replace(&KEY, &version, &pair.entry("two")).await);
    assert_eq!(pair.from.has().await.unwrap().bytes, "two");
    pair.to.faulty.deliver().await;
    assert!(pair.to.has_a_note().await);
    assert_eq!(pair.all_find("two").await, version);

    replaced(pair.new_first().replace(&KEY, &version, &pair.mark()).await);
    pair.clock.advance(MINUTE);
    pair.nobody_finds_it().await;
}

/// It has come too late to count, or its maker has died. Nobody changes the entry, so only `advance` can.
#[tokio::test]
async fn advance_moves_an_entry_that_a_tentative_one_was_left_for() {
    let pair = Pair::new();
    pair.in_old("one").await;
    let server = pair.new_first();
    pair.to.faulty.next(Command::Create, Fault::Late);
    assert!(!server.advance(&KEY).await.unwrap());
    pair.to.faulty.deliver().await;
    assert!(pair.to.has_a_note().await);
    pair.clock.advance(MINUTE);
    assert!(!server.advance(&KEY).await.unwrap(), "somebody may still be moving it");
    assert!(server.advance(&KEY).await.unwrap());
    pair.all_find("one").await;
    assert_eq!(pair.to.has().await.unwrap().bytes, "one");
}

/// The fence of one who moved it meanwhile is refused: it would lead to an entry that is gone.
#[tokio::test]
async fn two_that_advance_the_same_entry_lose_nothing() {
    let pair = Pair::new();
    pair.in_old("one").await;
    let other = pair.new_first();
    let advances = Fault::after(move || async move {
        assert!(!other.advance(&KEY).await.unwrap());
    });
    pair.from.faulty.next(Command::Replace, advances);
    assert!(!pair.new_first().advance(&KEY).await.unwrap());
    pair.all_find("one").await;
    assert!(pair.new_first().advance(&KEY).await.unwrap());
    pair.all_find("one").await;
}

#[tokio::test]
async fn a_version_changes_with_a_write_only() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    for server in pair.both() {
        for _ in 0..3 {
            assert_eq!(server.load(&KEY).await.unwrap().unwrap().version, version);
        }
    }
    assert_eq!(pair.to.has().await, None);
    let version = replaced(pair.new_first().replace(&KEY, &version, &pair.entry("two")).await);
    for server in pair.both() {
        assert_eq!(server.load(&KEY).await.unwrap().unwrap().version, version);
    }
}

#[tokio::test]
async fn servers_of_both_steps_make_one_entry_under_a_key() {
    // The other create comes before this command of the first one.
    for (step, is_in_old, command) in [
        (0, false, Command::Load),
        (0, true, Command::Create),
        (1, true, Command::Create),
        (1, false, Command::Create),
    ] {
        let pair = Pair::new();
        let [first, other] =
            if step == 0 { pair.both() } else { [pair.new_first(), pair.old_first()] };
        let entry = pair.entry("theirs");
        let side = if is_in_old { &pair.from } else { &pair.to };
        side.faulty.next(
            command,
            Fault::after(move || async move {
                created(other.create(&KEY, &entry).await);
            }),
        );
        let answer = first.create(&KEY, &pair.entry("mine")).await;
        assert_eq!(answer.unwrap(), Created::Exists);
        pair.all_find("theirs").await;
    }
}

#[tokio::test]
async fn the_old_store_never_gets_an_entry_behind_a_fence() {
    let pair = Pair::new();
    let version = pair.in_new("one").await;
    replaced(pair.new_first().replace(&KEY, &version, &pair.mark()).await);
    pair.clock.advance(MINUTE);
    created(pair.old_first().create(&KEY, &pair.entry("two")).await);
    assert!(pair.from.has_a_note().await);
    assert_eq!(pair.to.has().await.unwrap().bytes, "two");
    pair.all_find("two").await;
}

#[tokio::test]
async fn an_entry_that_is_too_large_stays_and_moves_once_it_fits() {
    let pair = Pair::with(|to| to.max_bytes(1_000));
    let version = pair.in_old("one").await;
    let large = pair.entry(vec![b'x'; 2_000]);
    let version = replaced(pair.new_first().replace(&KEY, &version, &large).await);
    assert_eq!(pair.to.has().await, None);
    assert!(!pair.new_first().advance(&KEY).await.unwrap());
    let version = replaced(pair.new_first().replace(&KEY, &version, &pair.entry("two")).await);
    assert_eq!(pair.to.has().await.unwrap().bytes, "two");
    assert_eq!(pair.all_find("two").await, version);

    let pair = Pair::with(|to| to.max_bytes(1_000));
    let large = pair.entry(vec![b'x'; 2_000]);
    assert_eq!(kind(pair.new_first().create(&KEY, &large).await), StoreErrorKind::TooLarge);
    pair.nobody_finds_it().await;
}

#[tokio::test]
async fn a_skipped_touch_looks_again() {
    for step in 0..2 {
        let pair = Pair::new();
        let old = pair.in_old("one").await;
        let moved = replaced(pair.new_first().replace(&KEY, &old, &pair.entry("two")).await);
        let touch = async |version| {
            pair.both()[step].touch(&KEY, &version, pair.in_a(3 * HOUR)).await.unwrap()
        };
        assert_eq!(touch(old).await, Touched::Skipped);
        assert_eq!(pair.to.has().await.unwrap().bytes, "two");
        replaced(pair.new_first().replace(&KEY, &moved, &pair.entry_for(2 * MINUTE, "x")).await);
        pair.clock.advance(2 * MINUTE);
        assert!(pair.from.has_a_note().await);
        assert_eq!(touch(old).await, Touched::Gone);
        assert_eq!(touch(moved).await, Touched::Gone);
    }
}

#[tokio::test]
async fn a_fence_outlives_its_tentative_entry_by_an_hour() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    pair.dies_after_the_fence(&version, "two").await;
    let tent = pair.to.has().await.unwrap();
    let fence = pair.from.has().await.unwrap();
    assert_eq!(tent.deadline, pair.in_a(HOUR));
    assert_eq!(fence.deadline, tent.deadline.saturating_add(HOUR));
}

#[tokio::test]
async fn an_open_fence_that_is_found_is_lengthened_before_it_is_used() {
    for step in 0..2 {
        let pair = Pair::new();
        pair.to.faulty.next(Command::Create, Fault::Fail(StoreErrorKind::Unavailable));
        let crashed = pair.new_first().create(&KEY, &pair.entry("lost")).await;
        assert_eq!(kind(crashed), StoreErrorKind::Unavailable);
        assert_eq!(pair.from.has().await.unwrap().deadline, pair.in_a(HOUR));
        pair.clock.advance(59 * MINUTE);
        created(pair.both()[step].create(&KEY, &pair.entry("one")).await);
        assert_eq!(pair.from.has().await.unwrap().deadline, pair.in_a(HOUR));
        pair.all_find("one").await;
    }
}

#[tokio::test]
async fn a_fence_that_ends_while_it_is_lengthened_is_not_used() {
    let pair = Pair::new();
    pair.to.faulty.next(Command::Create, Fault::Fail(StoreErrorKind::Unavailable));
    kind(pair.new_first().create(&KEY, &pair.entry("lost")).await);
    // A server of the first step finds the end of the fence and writes into the old store.
    let (clock, other, entry) =
        (pair.clock.clone(), pair.old_first(), pair.entry_for(3 * HOUR, "two"));
    pair.from.faulty.next(
        Command::Touch,
        Fault::after(move || async move {
            clock.advance(HOUR);
            created(other.create(&KEY, &entry).await);
        }),
    );
    assert_eq!(pair.new_first().create(&KEY, &pair.entry("one")).await.unwrap(), Created::Exists);
    assert_eq!(pair.to.has().await, None);
    pair.all_find("two").await;
}

#[tokio::test]
async fn a_foreign_tentative_entry_is_overwritten_only_on_the_old_stores_word() {
    let pair = Pair::new();
    let first = pair.in_old("one").await;
    pair.from.faulty.next(Command::Replace, Fault::LoseRequest);
    kind(pair.new_first().replace(&KEY, &first, &pair.entry("two")).await);
    let foreign = pair.to.has().await.unwrap();
    let second = replaced(pair.from.bare.replace(&KEY, &first, &pair.entry("two")).await);
    let third = replaced(pair.from.bare.replace(&KEY, &second, &pair.entry("three")).await);

    let there = conflict(pair.new_first().replace(&KEY, &second, &pair.entry("mine")).await);
    assert_eq!(there.bytes, "three");
    assert_eq!(pair.to.has().await.unwrap(), foreign);

    replaced(pair.new_first().replace(&KEY, &third, &pair.entry("four")).await);
    assert_eq!(pair.to.has().await.unwrap().bytes, "four");
    pair.all_find("four").await;
}

#[tokio::test]
async fn a_tentative_entry_that_a_fence_leads_to_is_not_overwritten_by_a_late_mover() {
    let pair = Pair::new();
    let first = pair.in_old("one").await;
    let second = replaced(pair.from.bare.replace(&KEY, &first, &pair.entry("two")).await);
    pair.dies_after_the_fence(&second, "three").await;
    let there = conflict(pair.new_first().replace(&KEY, &first, &pair.entry("late")).await);
    assert_eq!(there.bytes, "three");
    pair.all_find("three").await;
}

#[tokio::test]
async fn two_movers_of_one_version_do_not_overwrite_each_other() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    let (other, mine) = (pair.new_first(), pair.entry("theirs"));
    let answer = std::sync::Arc::new(std::sync::Mutex::new(None));
    let told = answer.clone();
    pair.from.faulty.next(
        Command::Replace,
        Fault::after(move || async move {
            *told.lock().unwrap() = Some(other.replace(&KEY, &version, &mine).await);
        }),
    );
    let first = pair.new_first().replace(&KEY, &version, &pair.entry("mine")).await;
    let second = answer.lock().unwrap().take().unwrap();
    // The other one finds a tentative entry for the same version and writes in place.
    replaced(second);
    assert_eq!(conflict(first).bytes, "theirs");
    pair.all_find("theirs").await;
}

#[tokio::test]
async fn a_touch_that_does_not_lengthen_moves_nothing() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    for lifetime in [HOUR, 30 * MINUTE] {
        let touched = pair.new_first().touch(&KEY, &version, pair.in_a(lifetime)).await;
        assert_eq!(touched.unwrap(), Touched::Skipped);
    }
    assert_eq!(pair.to.has().await, None);
    assert_eq!(pair.all_find("one").await, version);
}

#[tokio::test]
async fn what_ends_within_two_minutes_is_not_moved() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    let brief = pair.entry_for(2 * MINUTE - std::time::Duration::from_millis(1), "two");
    let version = replaced(pair.new_first().replace(&KEY, &version, &brief).await);
    assert_eq!(pair.to.has().await, None);
    assert!(!pair.new_first().advance(&KEY).await.unwrap());
    let touched = pair.new_first().touch(&KEY, &version, pair.in_a(2 * MINUTE)).await;
    assert_eq!(touched.unwrap(), Touched::Skipped);
    assert_eq!(pair.to.has().await.unwrap().bytes, "two");
}
