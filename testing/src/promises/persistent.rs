//! Cookies that outlive the browser, by `CookieOptionsBuilder::persistent`.

use cloakroom::{CookieOptions, SessionLayer};

use crate::promises::Ground;
use crate::{Answer, HOUR, House, MINUTE, Visitor};

fn persistent(house: &House) -> SessionLayer {
    let name = house.cookie_options().name().to_owned();
    let cookie = CookieOptions::builder().name(name).persistent().build().unwrap();
    house.layer.clone().cookie(cookie)
}

async fn put(visitor: &Visitor, value: u32) -> Answer {
    visitor.visit(async move |session| session.insert("k", &value)).await
}

async fn renew(visitor: &Visitor) -> Answer {
    visitor.visit(async |session| session.renew()).await
}

#[track_caller]
fn max_age(answer: &Answer) -> Option<u64> {
    let [cookie] = answer.is_ok().set_cookies()[..] else { panic!("{answer:?}") };
    let mut ages = cookie.split("; ").filter_map(|attribute| attribute.strip_prefix("Max-Age="));
    let age = ages.next().map(|age| age.parse().unwrap());
    assert_eq!(ages.next(), None, "twice in {cookie}");
    age
}

pub async fn a_persistent_cookie_lasts_as_long_as_its_session_may(ground: Ground) {
    let house = ground();
    let layer = persistent(&house).absolute_lifetime(36 * HOUR);
    let guest = house.visitor().at(&layer);
    assert_eq!(max_age(&put(&guest, 1).await), Some(36 * 3600));
    house.clock.advance(10 * MINUTE);
    // A ticket is issued once: a later cookie could arrive after that of a login.
    assert!(put(&guest, 2).await.is_ok().set_cookies().is_empty());
    assert_eq!(max_age(&renew(&guest).await), Some(36 * 3600), "the lifetime begins anew");
    let login = guest.visit(async |session| session.log_in("ada").await).await;
    assert_eq!(max_age(&login), Some(36 * 3600));
    let gone = guest.visit(async |session| session.destroy().await).await;
    assert_eq!(max_age(&gone), Some(0));
}

pub async fn p11_a_persistent_cookie_does_not_lengthen_the_idle_timeout(ground: Ground) {
    let house = ground();
    let guest = house.visitor().at(&persistent(&house));
    put(&guest, 1).await.is_ok();
    house.clock.advance(30 * MINUTE);
    let after = guest.visit(async |session| session.get::<u32>("k")).await;
    assert_eq!(after.body, "None");
}

pub async fn a_remembered_session_keeps_its_own_max_age_in_a_persistent_cookie(ground: Ground) {
    let house = ground();
    let guest = house.visitor().at(&persistent(&house));
    let remembered = guest.visit(async |session| {
        session.remember(24 * HOUR, 30 * 24 * HOUR)?;
        session.log_in("ada").await
    });
    assert_eq!(max_age(&remembered.await), Some(30 * 24 * 3600));
    assert_eq!(max_age(&renew(&guest).await), Some(30 * 24 * 3600));
    let left = guest.visit(async |session| session.log_out_keeping_data()).await;
    assert!(
        left.is_ok().set_cookies()[0].contains("Max-Age=43200"),
        "the layer's lifetime: {left:?}"
    );
}

pub async fn a_cookie_becomes_persistent_and_back_at_its_next_renewal(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let lasting = guest.at(&persistent(&house));
    assert!(put(&lasting, 2).await.is_ok().set_cookies().is_empty());
    assert_eq!(max_age(&renew(&lasting).await), Some(12 * 3600));
    assert_eq!(max_age(&renew(&guest).await), None);
    let value = guest.visit(async |session| session.get::<u32>("k")).await;
    assert_eq!(value.body, "Some(2)");
}
