//! Flash messages and tokens against cross-site requests, for sessions without a server.

use cloakroom_testing::promises::{self, Ground, run};
use cloakroom_testing::{House, Visitor};

use crate::kinds;

const GROUNDS: [Ground; 2] =
    [|| House::in_cookies(kinds()[0].clone()), || House::in_cookies(kinds()[1].clone())];

#[test]
fn r76_a_token_is_bound_to_the_session_in_the_cookie() {
    for ground in GROUNDS {
        run(promises::r76_a_token_is_good_for_as_long_as_the_session_has_its_id(ground));
        run(promises::r76_a_token_from_before_a_login_or_renewal_is_refused_after_it(ground));
        run(promises::r76_a_token_of_another_session_is_refused(ground));
        run(promises::r76_what_is_no_token_is_refused(ground));
        run(promises::a_session_that_waits_for_its_new_id_has_no_token(ground));
        run(promises::a_visitor_without_a_session_has_no_token(ground));
    }
}

#[test]
fn messages_wait_in_the_cookie() {
    for ground in GROUNDS {
        run(promises::messages_survive_a_login_and_not_a_logout(ground));
        run(promises::the_newest_messages_wait_and_no_more_than_the_limit(ground));
        run(promises::p8_a_request_that_fails_leaves_no_message_and_keeps_what_it_took(ground));
        run(promises::p5_two_clones_of_a_handle_do_not_get_the_same_message(ground));
    }
}

async fn shown(visitor: &Visitor) -> String {
    let answer = visitor.visit(async |session| session.take_flashes::<String>().await);
    answer.await.is_ok().body.clone()
}

/// Nobody keeps two copies of a cookie apart.
#[tokio::test]
async fn two_takers_at_once_both_get_the_messages() {
    for kind in kinds() {
        let house = House::in_cookies(kind);
        let guest = house.guest().await;
        guest.visit(async |session| session.flash("one")).await.is_ok();
        let other_tab = guest.copy();
        assert_eq!(shown(&guest).await, r#"["one"]"#);
        assert_eq!(shown(&other_tab).await, r#"["one"]"#);
        assert_eq!(shown(&guest).await, "[]");
    }
}
