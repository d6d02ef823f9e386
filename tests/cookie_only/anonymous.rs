//! The shorter idle timeout of visitors who are not logged in, which counts from the last change here.

use std::time::{Duration, SystemTime};

use cloakroom::SessionLayer;

use crate::{kinds, value};
use cloakroom_testing::{HOUR, House, MINUTE, Visitor};

const MOMENT: Duration = Duration::from_millis(1);

fn short(layer: SessionLayer) -> SessionLayer {
    layer.anonymous_idle_timeout(5 * MINUTE)
}

async fn ends_after(house: &House, visitor: &Visitor, idle: Duration) {
    let begun = house.clock.now();
    house.clock.advance(idle - MOMENT);
    assert_eq!(value(visitor).await, Some(1), "before {idle:?}");
    house.clock.advance(MOMENT);
    assert_eq!(value(visitor).await, None, "after {idle:?}");
    house.clock.set(begun);
}

async fn log_in(visitor: &Visitor) {
    visitor.visit(async |session| session.log_in("ada").await).await.is_ok();
}

#[tokio::test]
async fn p11_the_shorter_timeout_holds_until_a_login_and_after_it() {
    for kind in kinds() {
        let house = House::in_cookies(kind).with(short);
        let guest = house.guest().await;
        ends_after(&house, &guest, 5 * MINUTE).await;
        log_in(&guest).await;
        ends_after(&house, &guest, 30 * MINUTE).await;
        guest.visit(async |session| session.insert("n", &1)).await.is_ok();
        ends_after(&house, &guest, 30 * MINUTE).await;
        guest.visit(async |session| session.log_out_keeping_data()).await.is_ok();
        ends_after(&house, &guest, 5 * MINUTE).await;
        let fresh = house.visitor();
        let answer = fresh.visit(async |session| {
            session.insert("k", &1_u32)?;
            session.log_in("bob").await
        });
        answer.await.is_ok();
        ends_after(&house, &fresh, 30 * MINUTE).await;
        fresh.visit(async |session| session.remember(20 * HOUR, 40 * HOUR)).await.is_ok();
        ends_after(&house, &fresh, 20 * HOUR).await;
    }
}

#[tokio::test]
async fn p11_the_shorter_timeout_reaches_sessions_that_exist() {
    let house = House::in_cookies(kinds()[0].clone());
    let guest = house.guest().await;
    let layer = short(house.layer.clone());
    ends_after(&house, &guest.at(&layer), 5 * MINUTE).await;
    ends_after(&house, &guest, 30 * MINUTE).await;
    guest.at(&layer).visit(async |session| session.insert("n", &1)).await.is_ok();
    ends_after(&house, &guest, 5 * MINUTE).await;
    log_in(&guest).await;
    ends_after(&house, &guest.at(&layer), 30 * MINUTE).await;
}

#[tokio::test]
async fn a_session_tells_when_it_ends_after_a_login_and_a_logout() {
    let house = House::in_cookies(kinds()[0].clone()).with(short);
    let guest = house.guest().await;
    let now = SystemTime::from(house.clock.now());
    let answer = guest.visit(async |session| {
        assert_eq!(session.expires_at(), Some(now + 5 * MINUTE));
        session.log_in("ada").await?;
        assert_eq!(session.expires_at(), Some(now + 30 * MINUTE));
        session.log_out_keeping_data()?;
        assert_eq!(session.expires_at(), Some(now + 5 * MINUTE));
        Ok(())
    });
    answer.await.is_ok();
}
