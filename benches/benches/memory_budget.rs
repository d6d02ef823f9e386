//! Measures how much memory a session takes in the memory store, and checks that expiry frees it.
//!
//! Every allocation is counted, so the result is exact and equal on every machine. With `--check`,
//! a result over the budget is a failure; without it the numbers are only printed.

use std::alloc::System;
use std::time::Duration;

use cloakroom::store::{Created, MemoryStore, SessionStore};
use cloakroom::{ManualClock, Timestamp};
use cloakroom_benches::sessions::{entry_of, key_of, record_with};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::runtime::Builder;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The bytes that a session with one value of [`VALUE`] bytes may take, with the allocator's
/// overhead.
const BUDGET: usize = 800;
const VALUE: usize = 512;
/// The overhead of an allocation: glibc adds 8 bytes and rounds up to a multiple of 16.
const MOST_OVERHEAD: usize = 23;
/// The bytes that an emptied store may hold: its shards, but nothing that grows with the sessions.
const LEFT_OVER: usize = 128 << 10;
const IDLE: Duration = Duration::from_secs(1800);

fn main() {
    let record = record_with(VALUE);
    println!("a session with one value of {VALUE} B is a record of {} B\n", record.len());
    println!("sessions   bytes each   budget   left after expiry");
    let mut within = true;
    for sessions in [100_000, 1_000_000] {
        let found = measure(sessions, &record);
        let each = found.full.div_ceil(sessions);
        println!("{sessions:>8} {each:>12} {BUDGET:>8} {:>17} B", found.after_expiry);
        within &= each <= BUDGET && found.after_expiry <= LEFT_OVER;
    }
    if !within {
        eprintln!("over the budget: {BUDGET} B a session, {LEFT_OVER} B after expiry");
    }
    let check = std::env::args().any(|argument| argument == "--check");
    std::process::exit(i32::from(check && !within));
}

struct Found {
    full: usize,
    after_expiry: usize,
}

fn measure(sessions: usize, record: &[u8]) -> Found {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let clock = ManualClock::at(Timestamp::from_millis(1));
    let region = Region::new(ALLOCATOR);
    let store = MemoryStore::builder().clock(clock.clone()).build();
    runtime.block_on(async {
        for number in 0..sessions {
            let entry = entry_of(number, record, clock.now().saturating_add(IDLE));
            let created = store.create(&key_of(number), &entry).await.expect("there is room");
            assert!(matches!(created, Created::Done(_)), "every key is new");
        }
    });
    assert_eq!(store.len(), sessions);
    let full = held(&region);
    clock.advance(IDLE);
    store.purge_expired();
    assert!(store.is_empty());
    Found { full, after_expiry: held(&region) }
}

/// Returns the bytes in use, with the allocator's overhead.
fn held(region: &Region<'_, System>) -> usize {
    let change = region.change();
    // `bytes_allocated` and `bytes_deallocated` include growing and shrinking reallocations.
    let bytes = change.bytes_allocated.saturating_sub(change.bytes_deallocated);
    let allocations = change.allocations.saturating_sub(change.deallocations);
    bytes + allocations * MOST_OVERHEAD
}
