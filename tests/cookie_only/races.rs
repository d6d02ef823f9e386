//! Revocations at the same time as requests of the revoked sessions.

use std::time::Duration;

use cloakroom::store::MemoryStore;
use cloakroom::{CookieSessions, Revocations, Revoke};

use crate::value;
use cloakroom_testing::Command::Load;
use cloakroom_testing::{Counting, Fault, Faulty, House, MINUTE, Visitor, all, clock};

fn node(memory: &MemoryStore, staleness: Duration) -> (House, Revocations, Faulty, Counting) {
    let faulty = Faulty::new(memory.clone());
    let counting = Counting::new(faulty.clone());
    let revocations = Revocations::builder(counting.clone()).staleness(staleness);
    let revocations = revocations.clock(clock()).build();
    let house = House::in_cookies(CookieSessions::signed());
    (house.with(|layer| layer.revocations(revocations.clone())), revocations, faulty, counting)
}

fn memory() -> MemoryStore {
    MemoryStore::builder().clock(clock()).build()
}

async fn login(house: &House) -> Visitor {
    let visitor = house.guest().await;
    visitor.visit(async move |session| session.log_in("alice").await).await.is_ok();
    visitor
}

#[tokio::test(start_paused = true)]
async fn a_renewal_where_the_revocation_is_not_known_yet_does_not_escape_it() {
    let memory = memory();
    let (west, revocations, ..) = node(&memory, Duration::from_secs(10));
    let (east, ..) = node(&memory, Duration::from_secs(10));
    let thief = login(&west).await.copy().at(&east.layer);
    assert_eq!(value(&thief).await, Some(1));
    west.clock.advance(MINUTE);
    east.clock.advance(MINUTE);
    revocations.revoke_before(Revoke::Principal("alice"), west.clock.now().into()).await.unwrap();
    east.clock.advance(Duration::from_secs(1));
    thief
        .visit(async |session| {
            session.renew().unwrap();
            Ok(())
        })
        .await
        .is_ok();
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(value(&thief).await, None, "revoked everywhere after the staleness");
    assert_eq!(value(&thief.copy().at(&west.layer)).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_in_flight_does_not_escape_a_revocation() {
    let (west, revocations, ..) = node(&memory(), Duration::from_secs(10));
    let thief = login(&west).await.copy();
    west.clock.advance(MINUTE);
    let clock = west.clock.clone();
    thief
        .visit(async move |session| {
            let now = clock.now().into();
            revocations.revoke_before(Revoke::Principal("alice"), now).await?;
            clock.advance(Duration::from_secs(1));
            session.renew().unwrap();
            Ok(())
        })
        .await;
    assert_eq!(value(&thief).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_login_after_the_revocation_is_good_in_an_older_browser() {
    let (west, revocations, ..) = node(&memory(), Duration::from_secs(10));
    let browser = west.guest().await;
    west.clock.advance(MINUTE);
    revocations.revoke_before(Revoke::Principal("alice"), west.clock.now().into()).await.unwrap();
    west.clock.advance(MINUTE);
    browser.visit(async |session| session.log_in("alice").await).await.is_ok();
    assert_eq!(value(&browser).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_revocation_is_in_force_in_its_own_process_at_once() {
    let (west, revocations, faulty, _) = node(&memory(), Duration::from_secs(10));
    let alice = login(&west).await;
    west.clock.advance(MINUTE);
    let tab = alice.copy();
    // The copy of this process is stale, so the next request reads the record.
    tokio::time::advance(Duration::from_secs(10)).await;
    faulty.next(
        Load,
        Fault::after(move || async move {
            tokio::time::advance(Duration::from_millis(1)).await;
            // Another request of this process comes while the revocation is being written.
            let asked = tokio::spawn(async move { value(&tab).await });
            let _ = tokio::time::timeout(Duration::from_millis(1), asked).await;
        }),
    );
    revocations.revoke_before(Revoke::Principal("alice"), west.clock.now().into()).await.unwrap();
    assert!(faulty.is_spent());
    assert_eq!(value(&alice).await, None, "in force in this process at once");
}

#[tokio::test(start_paused = true)]
async fn without_staleness_requests_share_an_answer() {
    let (west, _, faulty, counting) = node(&memory(), Duration::ZERO);
    let guest = west.guest().await;
    faulty.always(Load, || Fault::Delay(Duration::from_millis(50)));
    let guests: Vec<_> = (0..100).map(|_| guest.copy()).collect();
    let answers = all(guests.iter().map(|g| g.visit(async |s| s.get::<u32>("k")))).await;
    let failed = answers.iter().filter(|a| a.status != 200).count();
    assert_eq!(failed, 0);
    assert!(counting.take().len() <= 2, "who asked before need not ask again");
}
