//! The memory store's own promises: its limits, its counters, and that it frees expired sessions.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::MemoryStore;
use super::shards::{ENTRY_OVERHEAD, SHARDS, SWEEP_STEP, Slot, lock};
use crate::clock::{ManualClock, Timestamp};
use crate::error::{StoreError, StoreErrorKind};
use crate::id::{CommitId, StoreKey};
use crate::store::contract::SessionStore;
use crate::store::entry::{Created, NewEntry, Replaced, Version};

const KIB: usize = 1024;
const AN_HOUR: Duration = Duration::from_secs(60 * 60);

fn clock() -> ManualClock {
    ManualClock::at(Timestamp::from_millis(1_700_000_000_000))
}

fn key(number: usize) -> StoreKey {
    let mut bytes = [0; 32];
    // The first byte chooses the shard.
    bytes[0] = number as u8;
    bytes[1..9].copy_from_slice(&number.to_be_bytes());
    StoreKey::from_bytes(bytes)
}

/// Returns an entry that lives for an hour. Versions need not be random here, only different.
fn entry(clock: &ManualClock, commit: u64, bytes: usize) -> NewEntry {
    NewEntry::new(
        CommitId::from_bytes(commit.to_be_bytes()),
        clock.now().saturating_add(AN_HOUR),
        vec![b'x'; bytes],
    )
}

fn version(commit: u64) -> Version {
    Version::from(CommitId::from_bytes(commit.to_be_bytes()))
}

fn held(store: &MemoryStore) -> (usize, usize) {
    (store.len(), store.0.bytes.load(Ordering::SeqCst))
}

/// Writes to other keys, half again as often as it takes to sweep through every shard when `entries`
/// entries are spread over them.
async fn write_to_other_keys(store: &MemoryStore, entries: usize) {
    let steps_of_a_shard = entries.div_ceil(SHARDS).div_ceil(SWEEP_STEP) + 1;
    for number in 0..SHARDS * steps_of_a_shard * 3 / 2 {
        store.delete(&key(1_000_000 + number)).await.unwrap();
    }
}

fn kind<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> StoreErrorKind {
    answer.unwrap_err().kind()
}

#[tokio::test]
async fn a_store_full_of_sessions_refuses_a_new_one_and_changes_nothing() {
    let clock = clock();
    let store = MemoryStore::builder().clock(clock.clone()).max_sessions(2).build();
    for number in 0..2 {
        store.create(&key(number), &entry(&clock, 1, 10)).await.unwrap();
    }
    let before = held(&store);
    let refused = store.create(&key(2), &entry(&clock, 1, 10)).await;
    assert_eq!(kind(refused), StoreErrorKind::Unavailable);
    assert_eq!(store.load(&key(2)).await.unwrap(), None);
    assert_eq!(held(&store), before);
    for number in 0..2 {
        assert!(store.load(&key(number)).await.unwrap().is_some(), "{number}");
    }
}

#[tokio::test]
async fn a_store_full_of_bytes_refuses_a_new_session() {
    let clock = clock();
    let room = 2 * (KIB + ENTRY_OVERHEAD);
    let store = MemoryStore::builder().clock(clock.clone()).max_bytes(room).build();
    for number in 0..2 {
        store.create(&key(number), &entry(&clock, 1, KIB)).await.unwrap();
    }
    assert_eq!(held(&store), (2, room));
    let refused = store.create(&key(2), &entry(&clock, 1, 0)).await;
    assert_eq!(kind(refused), StoreErrorKind::Unavailable);
    assert_eq!(held(&store), (2, room));
}

#[tokio::test]
async fn sessions_of_a_full_store_can_be_changed_within_its_bytes() {
    let clock = clock();
    let room = 2 * KIB + ENTRY_OVERHEAD;
    let store = MemoryStore::builder().clock(clock.clone()).max_sessions(1).max_bytes(room).build();
    store.create(&key(0), &entry(&clock, 1, KIB)).await.unwrap();

    let larger = store.replace(&key(0), &version(1), &entry(&clock, 2, 2 * KIB)).await;
    assert_eq!(larger.unwrap(), Replaced::Done(version(2)));
    let too_large = store.replace(&key(0), &version(2), &entry(&clock, 3, 2 * KIB + 1)).await;
    assert_eq!(kind(too_large), StoreErrorKind::TooLarge);
    let kept = store.load(&key(0)).await.unwrap().unwrap();
    assert_eq!((kept.version, kept.bytes.len()), (version(2), 2 * KIB));

    let smaller = store.replace(&key(0), &version(2), &entry(&clock, 4, 7)).await;
    assert_eq!(smaller.unwrap(), Replaced::Done(version(4)));
    assert_eq!(held(&store), (1, 7 + ENTRY_OVERHEAD));
}

#[tokio::test]
async fn a_delete_makes_room() {
    let clock = clock();
    let store = MemoryStore::builder().clock(clock.clone()).max_sessions(1).build();
    store.create(&key(0), &entry(&clock, 1, 10)).await.unwrap();
    assert_eq!(
        kind(store.create(&key(1), &entry(&clock, 1, 10)).await),
        StoreErrorKind::Unavailable
    );
    store.delete(&key(0)).await.unwrap();
    let created = store.create(&key(1), &entry(&clock, 1, 10)).await.unwrap();
    assert_eq!(created, Created::Done(version(1)));
}

#[tokio::test]
async fn a_store_full_of_expired_sessions_takes_a_new_one() {
    let clock = clock();
    let store = MemoryStore::builder().clock(clock.clone()).max_sessions(5_000).build();
    for number in 0..5_000 {
        store.create(&key(number), &entry(&clock, 1, 10)).await.unwrap();
    }
    assert_eq!(
        kind(store.create(&key(5_000), &entry(&clock, 1, 10)).await),
        StoreErrorKind::Unavailable
    );
    clock.advance(AN_HOUR);
    let created = store.create(&key(5_000), &entry(&clock, 1, 10)).await.unwrap();
    assert_eq!(created, Created::Done(version(1)));
}

#[tokio::test]
async fn the_last_expired_session_is_found_wherever_it_is() {
    for place in [0, 1, 500, 998, 999] {
        let clock = clock();
        let store = MemoryStore::builder().clock(clock.clone()).max_sessions(1_000).build();
        for number in 0..1_000 {
            let mut lasting = entry(&clock, 1, 10);
            if number != place {
                lasting.deadline = Timestamp::MAX;
            }
            store.create(&key(number), &lasting).await.unwrap();
        }
        clock.advance(AN_HOUR);
        let created = store.create(&key(1_000), &entry(&clock, 1, 10)).await;
        assert_eq!(created.unwrap(), Created::Done(version(1)), "session {place} had expired");
        assert_eq!(store.len(), 1_000);
    }
}

#[tokio::test]
async fn writes_free_expired_sessions() {
    // From shards that are looked through at once to those that take many steps.
    for count in [64, 1_344, 2_304, 10_000] {
        let clock = clock();
        let store = MemoryStore::builder().clock(clock.clone()).build();
        for number in 0..count {
            store.create(&key(number), &entry(&clock, 1, 10)).await.unwrap();
        }
        clock.advance(AN_HOUR);
        write_to_other_keys(&store, count).await;
        assert_eq!(held(&store), (0, 0), "{count}");
    }
}

#[tokio::test]
async fn writes_free_no_live_session() {
    let clock = clock();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    for number in 0..1_000 {
        let mut lasting = entry(&clock, 1, 10);
        if number % 2 == 0 {
            lasting.deadline = clock.now().saturating_add(2 * AN_HOUR);
        }
        store.create(&key(number), &lasting).await.unwrap();
    }
    clock.advance(AN_HOUR);
    write_to_other_keys(&store, 1_000).await;
    assert_eq!(store.len(), 500);
    for number in (0..1_000).step_by(2) {
        assert!(store.load(&key(number)).await.unwrap().is_some(), "{number}");
    }
}

#[tokio::test]
async fn purge_expired_frees_them_all_at_once() {
    let clock = clock();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    for number in 0..10_000 {
        store.create(&key(number), &entry(&clock, 1, 10)).await.unwrap();
    }
    let mut lasting = entry(&clock, 1, 10);
    lasting.deadline = Timestamp::MAX;
    store.create(&key(10_000), &lasting).await.unwrap();
    store.purge_expired();
    assert_eq!(store.len(), 10_001, "nothing has expired yet");
    clock.advance(AN_HOUR);
    store.purge_expired();
    assert_eq!(held(&store), (1, 10 + ENTRY_OVERHEAD));
}

#[tokio::test]
async fn a_create_that_finds_a_live_entry_counts_nothing() {
    let clock = clock();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    store.create(&key(0), &entry(&clock, 1, 10)).await.unwrap();
    let before = held(&store);
    for commit in 2..100 {
        let created = store.create(&key(0), &entry(&clock, commit, KIB)).await.unwrap();
        assert_eq!(created, Created::Exists);
    }
    assert_eq!(held(&store), before);
}

#[tokio::test]
async fn a_create_over_an_expired_entry_counts_one() {
    let clock = clock();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    for turn in 0..10 {
        store.create(&key(0), &entry(&clock, turn, 10)).await.unwrap();
        clock.advance(AN_HOUR);
    }
    store.create(&key(0), &entry(&clock, 99, 20)).await.unwrap();
    assert_eq!(held(&store), (1, 20 + ENTRY_OVERHEAD));
}

#[tokio::test]
async fn after_every_delete_nothing_is_counted() {
    let clock = clock();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    for number in 0..1_000 {
        store.create(&key(number), &entry(&clock, 1, number)).await.unwrap();
        store.replace(&key(number), &version(1), &entry(&clock, 2, 1_000 - number)).await.unwrap();
    }
    for number in 0..1_000 {
        store.delete(&key(number)).await.unwrap();
        store.delete(&key(number)).await.unwrap();
    }
    assert_eq!(held(&store), (0, 0));
    assert!(store.is_empty());
}

#[tokio::test]
async fn clones_share_sessions_and_bounds() {
    let clock = clock();
    let store = MemoryStore::builder().clock(clock.clone()).max_sessions(1).build();
    let clone = store.clone();
    store.create(&key(0), &entry(&clock, 1, 10)).await.unwrap();
    assert_eq!(held(&clone), held(&store));
    assert_eq!(
        kind(clone.create(&key(1), &entry(&clock, 1, 10)).await),
        StoreErrorKind::Unavailable
    );
}

/// Threads create, change, touch, delete and let expire the same few sessions. In the end the
/// counters agree with the entries, and after everything has expired they are zero.
#[test]
fn many_threads_leave_the_counters_exact() {
    let clock = clock();
    let store = MemoryStore::builder().clock(clock.clone()).max_sessions(24).build();
    let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let (store, clock) = (&store, &clock);
            scope.spawn(move || {
                runtime().block_on(async move {
                    for turn in 0..2_000 {
                        run_some_command(store, clock, thread * 10_000 + turn).await;
                    }
                });
            });
        }
    });
    let there: usize = store
        .0
        .shards
        .iter()
        .map(|shard| lock(shard).entries.values().map(Slot::size).sum::<usize>())
        .sum();
    let count: usize = store.0.shards.iter().map(|shard| lock(shard).entries.len()).sum();
    assert_eq!(held(&store), (count, there));
    assert!(count <= 24, "{count}");
    clock.advance(10 * AN_HOUR);
    store.purge_expired();
    assert_eq!(held(&store), (0, 0));
}

/// Runs one command, a different one for each `commit`.
async fn run_some_command(store: &MemoryStore, clock: &ManualClock, commit: u64) {
    // A small mixing step, so that neighbours do different things to different sessions.
    let dice = (commit.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as usize;
    let key = key(dice % 32);
    let mut new = entry(clock, commit, dice % 300);
    if dice.is_multiple_of(7) {
        new.deadline = clock.now();
    }
    let there = store.load(&key).await.unwrap().map(|entry| entry.version);
    match (dice % 5, there) {
        (0, _) => store.delete(&key).await.unwrap(),
        (1, Some(version)) => {
            store.touch(&key, &version, new.deadline.saturating_add(AN_HOUR)).await.unwrap();
        }
        (2 | 3, Some(version)) => {
            store.replace(&key, &version, &new).await.unwrap();
        }
        _ => match store.create(&key, &new).await {
            Ok(_) => {}
            Err(full) => assert_eq!(full.kind(), StoreErrorKind::Unavailable),
        },
    }
}

/// The library ends the session that a renewal takes over from right after it.
#[tokio::test]
async fn everybody_in_a_full_store_can_renew_and_end_their_session() {
    let clock = clock();
    let store = MemoryStore::builder().clock(clock.clone()).max_sessions(100).build();
    for number in 0..100 {
        store.create(&key(number), &entry(&clock, 1, 10)).await.unwrap();
    }
    let mark = |commit| entry(&clock, commit, 50).last_word();
    for number in 0..100 {
        let renewed = store.create(&key(1_000 + number), &entry(&clock, 2, 20).renewal()).await;
        assert_eq!(renewed.unwrap(), Created::Done(version(2)), "{number}");
        let ended = store.replace(&key(number), &version(1), &mark(3)).await;
        assert_eq!(ended.unwrap(), Replaced::Done(version(3)), "{number}");
    }
    for number in 0..100 {
        let ended = store.replace(&key(1_000 + number), &version(2), &mark(4)).await;
        assert_eq!(ended.unwrap(), Replaced::Done(version(4)), "{number}");
    }
    let visitor = store.create(&key(5_000), &entry(&clock, 1, 10)).await;
    assert_eq!(kind(visitor), StoreErrorKind::Unavailable);
    let over_twice = store.create(&key(5_000), &entry(&clock, 1, 10).renewal()).await;
    assert_eq!(kind(over_twice), StoreErrorKind::Unavailable);
}

#[tokio::test]
async fn a_mark_fits_into_a_store_that_is_full_of_bytes() {
    let clock = clock();
    let room = 2 * ENTRY_OVERHEAD;
    let store = MemoryStore::builder().clock(clock.clone()).max_bytes(room).build();
    for number in 0..2 {
        store.create(&key(number), &entry(&clock, 1, 0)).await.unwrap();
    }
    let larger = store.replace(&key(0), &version(1), &entry(&clock, 2, 1)).await;
    assert_eq!(kind(larger), StoreErrorKind::Unavailable);
    let mark = store.replace(&key(0), &version(1), &entry(&clock, 2, 60).last_word()).await;
    assert_eq!(mark.unwrap(), Replaced::Done(version(2)));
    assert_eq!(held(&store), (2, room + 60));
}
