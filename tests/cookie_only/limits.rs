//! The limits of sessions without a server. They are exactly as documented, neither better nor
//! worse.

use crate::{kinds, put, value};
use cloakroom_testing::{House, MINUTE, all, respond};

#[tokio::test]
async fn p5_of_parallel_requests_the_last_answer_wins_and_nobody_is_refused() {
    for kind in kinds() {
        let house = House::in_cookies(kind);
        let guest = house.guest().await;
        let tabs = [guest.copy(), guest.copy()];
        let answers = all(tabs.iter().map(|tab| {
            tab.visit(async |session| {
                let before = session.get::<u32>("k")?;
                session.update("k", |k: &mut u32| *k += 1)?;
                Ok(before)
            })
        }))
        .await;
        for (tab, answer) in tabs.iter().zip(&answers) {
            assert_eq!(answer.is_ok().body, "Some(1)");
            assert_eq!(value(tab).await, Some(2), "a store would have counted three");
        }
    }
}

#[tokio::test]
async fn p6_a_logout_removes_the_cookie_and_a_copy_goes_on_until_it_expires() {
    for kind in kinds() {
        let house = House::in_cookies(kind);
        let guest = house.guest().await;
        let copy = guest.copy();
        let answer = guest.visit(async |session| session.destroy().await).await;
        let removal = answer.is_ok().set_cookies();
        assert_eq!(removal.len(), 1);
        assert!(removal[0].starts_with("__Host-id=; ") && removal[0].contains("Max-Age=0"));
        assert!(removal[0].contains("Secure") && removal[0].contains("Path=/"));
        assert_eq!((guest.cookie("__Host-id"), value(&guest).await), (None, None));
        assert_eq!(value(&copy).await, Some(1));
        house.clock.advance(30 * MINUTE);
        assert_eq!(value(&copy).await, None);
    }
}

#[tokio::test]
async fn p6_a_late_change_brings_the_session_back_in_the_same_browser() {
    let house = House::in_cookies(kinds()[0].clone());
    let guest = house.guest().await;
    let tab = guest.clone();
    guest
        .visit(async move |session| {
            let answer = tab.visit(async |session| session.destroy().await).await;
            answer.is_ok();
            session.insert("k", &2_u32)
        })
        .await
        .is_ok();
    assert_eq!(value(&guest).await, Some(2));
}

#[tokio::test]
async fn p6_a_late_read_brings_nothing_back() {
    let house = House::in_cookies(kinds()[0].clone());
    let guest = house.guest().await;
    house.clock.advance(29 * MINUTE);
    let tab = guest.clone();
    let answer = guest.visit(async move |session| {
        tab.visit(async |session| session.destroy().await).await.is_ok();
        session.get::<u32>("k")
    });
    assert_eq!(answer.await.is_ok().body, "Some(1)");
    assert_eq!((guest.cookie("__Host-id"), value(&guest).await), (None, None));
}

#[tokio::test]
async fn p7_a_copy_from_before_a_renewal_lives_on_without_what_came_after() {
    let house = House::in_cookies(kinds()[1].clone());
    let guest = house.guest().await;
    let copy = guest.copy();
    guest
        .visit(async |session| {
            session.log_in("alice").await?;
            Ok(())
        })
        .await
        .is_ok();
    let who = async |session: cloakroom::Session| Ok(session.principal());
    assert_eq!(guest.visit(who).await.body, "Some(\"alice\")");
    assert_eq!(copy.visit(who).await.body, "None");
    assert_eq!(value(&copy).await, Some(1));
}

#[tokio::test]
async fn sliding_on_reads_is_an_option_and_puts_a_late_cookie_back() {
    let sliding = cloakroom::CookieSessions::signed().insecure_slide_on_reads();
    let house = House::in_cookies(sliding);
    let guest = house.guest().await;
    house.clock.advance(2 * MINUTE);
    let answer = guest.visit(async |session| session.get::<u32>("k")).await;
    assert_eq!(answer.is_ok().set_cookies().len(), 0, "not a tenth of the idle time yet");
    for _ in 0..4 {
        house.clock.advance(27 * MINUTE);
        let peek = async |lazy: cloakroom::LazySession| lazy.peek().await?.get::<u32>("k");
        let answer = guest.ask(async |lazy| respond(peek(lazy).await)).await;
        assert_eq!(answer.is_ok().set_cookies().len(), 0, "a peek is no use");
        let answer = guest.visit(async |session| session.get::<u32>("k")).await;
        assert_eq!(answer.is_ok().set_cookies().len(), 1);
        assert_eq!(answer.body, "Some(1)");
    }
    // This is the risk that the documentation names.
    house.clock.advance(5 * MINUTE);
    let tab = guest.clone();
    let slow = guest.visit(async move |session| {
        tab.visit(async |session| session.destroy().await).await.is_ok();
        session.get::<u32>("k")
    });
    slow.await.is_ok();
    assert_eq!(value(&guest).await, Some(1));
    put(&guest, 2).await.is_ok();
}
