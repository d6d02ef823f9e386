//! Bounded work: no work of ours grows faster than n log n in the number of keys.

use std::time::{Duration, Instant};

use cloakroom::{Session, SessionError};

use crate::{Answer, House, Visitor};

/// Keys in descending order, each of which a sorted list would have to insert at its front.
fn keys(count: u32) -> impl Iterator<Item = String> {
    (0..count).rev().map(|n| format!("key-{n:06}"))
}

/// The work of one request, with this many keys.
type Work = fn(&Session, u32) -> Result<(), SessionError>;

fn insert(session: &Session, count: u32) -> Result<(), SessionError> {
    keys(count).enumerate().try_for_each(|(value, key)| session.insert(&key, &value))
}

fn read(session: &Session, count: u32) -> Result<(), SessionError> {
    keys(count).try_for_each(|key| session.get::<u32>(&key).map(drop))
}

fn read_and_insert(session: &Session, count: u32) -> Result<(), SessionError> {
    read(session, count)?;
    keys(count).try_for_each(|key| session.insert(&key, &7_u32))?;
    read(session, count)
}

fn update(session: &Session, count: u32) -> Result<(), SessionError> {
    keys(count).try_for_each(|key| session.update(&key, |value: &mut u32| *value += 1))
}

fn take(session: &Session, count: u32) -> Result<(), SessionError> {
    keys(count).try_for_each(|key| session.take::<u32>(&key).map(drop))
}

fn remove(session: &Session, count: u32) -> Result<(), SessionError> {
    keys(count).try_for_each(|key| session.remove(&key))
}

fn list(session: &Session, count: u32) -> Result<(), SessionError> {
    insert(session, count / 2)?;
    assert!(session.keys().len() >= count as usize / 2);
    Ok(())
}

const WORKS: [(&str, Work); 7] = [
    ("insert", insert),
    ("read", read),
    ("read and insert", read_and_insert),
    ("update", update),
    ("take", take),
    ("remove", remove),
    ("list", list),
];

async fn serve(visitor: &Visitor, work: Work, count: u32) -> Answer {
    visitor.visit(async move |session| work(&session, count)).await
}

/// Returns the time of one request on an empty session, and of one on a session with all keys.
async fn once(work: Work, count: u32) -> Duration {
    let house = House::open();
    let visitor = house.visitor();
    let full = house.visitor();
    serve(&full, insert, count).await.is_ok();
    let start = Instant::now();
    serve(&visitor, work, count).await.is_ok();
    serve(&full, work, count).await.is_ok();
    start.elapsed()
}

/// Returns the least of some times, which others on this machine have disturbed the least.
async fn least(work: Work, count: u32) -> Duration {
    let mut least = Duration::MAX;
    for _ in 0..3 {
        least = least.min(once(work, count).await);
    }
    least
}

/// Eight times as many keys take about ten times as long, and would take 64 times as long if each
/// key looked at all others.
pub async fn eight_times_as_many_keys_are_far_from_64_times_the_work() {
    for (name, work) in WORKS {
        let (few, many) = (least(work, 1_000).await, least(work, 8_000).await);
        assert!(many < few * 24, "{name}: {few:?} for 1,000 keys, {many:?} for 8,000");
    }
}
