//! The attributes of the cookies that sessions travel in.

use cloakroom::{CookieOptions, CookieSessions};

use crate::{kinds, put, value};
use cloakroom_testing::{HOUR, House, MINUTE, Visitor};

fn house(kind: CookieSessions) -> House {
    let cookie = CookieOptions::builder().persistent().build().unwrap();
    House::in_cookies(kind).with(|layer| layer.cookie(cookie))
}

#[tokio::test]
async fn a_persistent_cookie_carries_what_is_left_of_its_sessions_lifetime() {
    for kind in kinds() {
        let house = house(kind);
        let guest = house.visitor();
        for left in [12 * 3600, 12 * 3600 - 25 * 60, 12 * 3600 - 50 * 60] {
            let answer = put(&guest, left).await;
            let [cookie] = answer.is_ok().set_cookies()[..] else { panic!("{answer:?}") };
            assert!(cookie.ends_with(&format!("; Max-Age={left}")), "{cookie}");
            house.clock.advance(25 * MINUTE);
        }
        house.clock.advance(5 * MINUTE);
        assert_eq!(value(&guest).await, None, "the idle timeout is the server's");
    }
}

#[tokio::test]
async fn a_remembered_session_and_a_removal_keep_their_max_age_in_a_persistent_cookie() {
    let house = house(kinds()[0].clone());
    let guest = house.visitor();
    let remembered = guest.visit(async |session| {
        session.remember(24 * HOUR, 30 * 24 * HOUR)?;
        session.log_in("ada").await
    });
    assert!(remembered.await.is_ok().set_cookies()[0].ends_with("; Max-Age=2592000"));
    let gone = guest.visit(async |session| session.destroy().await).await;
    assert_eq!(gone.is_ok().set_cookies()[0].matches("Max-Age").count(), 1);
    assert!(gone.set_cookies()[0].ends_with("; Max-Age=0"), "{gone:?}");
}

#[tokio::test]
async fn a_cookie_becomes_persistent_and_back_at_its_next_change() {
    let house = House::in_cookies(kinds()[0].clone());
    let lasting = house.layer.clone().cookie(
        CookieOptions::builder().persistent().build().unwrap(),
    );
    let guest = house.guest().await;
    let is_persistent = async |visitor: &Visitor, value| {
        put(visitor, value).await.is_ok().set_cookies()[0].contains("Max-Age")
    };
    assert!(is_persistent(&guest.at(&lasting), 2).await);
    assert!(!is_persistent(&guest, 3).await);
    assert_eq!(value(&guest).await, Some(3));
}
