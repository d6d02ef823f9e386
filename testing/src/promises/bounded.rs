//! Bounded work: no work of ours grows faster than n log n in the number of keys, and a session has a
//! largest size.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use cloakroom::{Session, SessionError};

use crate::Command::{Load, Replace};
use crate::promises::Ground;
use crate::{Answer, Fault, House, Visitor};

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
    let start = busy();
    serve(&visitor, work, count).await.is_ok();
    serve(&full, work, count).await.is_ok();
    busy() - start
}

/// Returns how long this thread has had a processor, where the system tells, so that others on this
/// machine do not count.
fn busy() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = schedule.and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

/// Sixteen times as many keys take about 25 times as long, and would take 256 times as long if each
/// key looked at all others. Work of others on this machine may disturb one measurement, but not all.
pub async fn sixteen_times_as_many_keys_are_far_from_256_times_the_work() {
    for (name, work) in WORKS {
        let mut times = Vec::new();
        let is_bounded = loop {
            let (few, many) = (once(work, 1_000).await, once(work, 16_000).await);
            times.push((few, many));
            if many < few * 64 || times.len() == 10 {
                break many < few * 64;
            }
        };
        assert!(is_bounded, "{name}: times for 1,000 and 16,000 keys: {times:?}");
    }
}

async fn add(visitor: &Visitor, key: &'static str, bytes: usize) -> Answer {
    let value = "v".repeat(bytes);
    visitor.visit(async move |session| session.insert(key, &value)).await
}

async fn sizes(visitor: &Visitor) -> String {
    let sizes = visitor.visit(async |session| {
        let size = |key| session.get::<String>(key).map(|value| value.map(|value| value.len()));
        Ok((size("a")?, size("b")?))
    });
    sizes.await.body
}

#[track_caller]
fn is_too_large(answer: &Answer, limit: usize) {
    let Some(SessionError::TooLarge { size, limit: told }) = answer.error else {
        panic!("{answer:?}")
    };
    assert!(size > limit && told == limit, "{answer:?}");
    assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (413, 0));
}

pub async fn a_session_larger_than_the_layer_allows_is_refused_and_stays_as_it_was(ground: Ground) {
    let house = ground().with(|layer| layer.max_session_bytes(2_000));
    let visitor = house.visitor();
    is_too_large(&add(&visitor, "a", 2_001).await, 2_000);
    assert_eq!(house.counting.take(), []);
    add(&visitor, "a", 1_000).await.is_ok();
    add(&visitor, "b", 800).await.is_ok();
    house.counting.take();
    is_too_large(&add(&visitor, "b", 1_000).await, 2_000);
    assert_eq!(house.counting.take(), [Load]);
    assert_eq!(sizes(&visitor).await, "(Some(1000), Some(800))");
    add(&visitor, "b", 600).await.is_ok();
}

pub async fn a_merge_that_would_make_a_session_too_large_is_refused(ground: Ground) {
    let house = ground().with(|layer| layer.max_session_bytes(2_000));
    for login in [false, true] {
        let visitor = house.visitor();
        add(&visitor, "k", 1).await.is_ok();
        let tab = visitor.copy();
        house.faulty.next(
            Replace,
            Fault::after(move || async move {
                add(&tab, "a", 1_200).await.is_ok();
            }),
        );
        let value = "v".repeat(1_200);
        let answer = visitor.visit(async move |session| {
            if login {
                session.log_in("ada").await?;
            }
            session.insert("b", &value)
        });
        is_too_large(&answer.await, 2_000);
        assert_eq!(sizes(&visitor).await, "(Some(1200), None)");
    }
}

/// Whoever lowers the limit logs nobody out.
pub async fn a_session_that_was_larger_before_can_be_read_renewed_and_left(ground: Ground) {
    let house = ground();
    let large = house.visitor();
    add(&large, "a", 3_000).await.is_ok();
    let visitor = large.at(&house.layer.clone().max_session_bytes(2_000));
    house.clock.advance(10 * crate::MINUTE);
    assert_eq!(sizes(&visitor).await, "(Some(3000), None)");
    visitor.visit(async |session| session.renew()).await.is_ok();
    is_too_large(&add(&visitor, "b", 1).await, 2_000);
    add(&visitor, "a", 1).await.is_ok();
    visitor.visit(async |session| session.destroy().await).await.is_ok();
}

pub async fn a_session_has_a_megabyte_unless_the_layer_says_otherwise() {
    let house = House::open();
    let visitor = house.visitor();
    add(&visitor, "a", 1_000_000).await.is_ok();
    is_too_large(&add(&visitor, "b", 100_000).await, 1 << 20);
}
