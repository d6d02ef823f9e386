//! Messages for the next page: each is given to one taker, and none is lost that nobody took.

use std::sync::{Arc, Mutex};

use cloakroom::store::StoreErrorKind::Unavailable;
use cloakroom::{Session, SessionError};

use crate::Command::{Create, Load, Replace};
use crate::promises::Ground;
use crate::{Answer, Fault, House, Visitor, all, reply, respond};

/// Returns the same browser in front of another server.
fn elsewhere(house: &House, visitor: &Visitor) -> Visitor {
    visitor.at(&house.server(house.store.clone(), house.key.clone()))
}

async fn flash(visitor: &Visitor, message: &str) {
    visitor.visit(async |session| session.flash(message)).await.is_ok();
}

async fn take(visitor: &Visitor) -> Answer {
    visitor.visit(async |session| session.take_flashes::<String>().await).await
}

/// Returns what the visitor's next page shows.
async fn shown(visitor: &Visitor) -> String {
    take(visitor).await.is_ok().body.clone()
}

pub async fn p5_of_two_takers_at_once_one_gets_the_messages(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let other_tab = elsewhere(&house, &guest);
    flash(&guest, "one").await;
    flash(&guest, "two").await;
    let slower = guest.visit(async |session| {
        assert_eq!(shown(&other_tab).await, r#"["one", "two"]"#);
        session.take_flashes::<String>().await
    });
    assert_eq!(slower.await.is_ok().body, "[]");
    assert_eq!(shown(&guest).await, "[]");
}

pub async fn p5_messages_left_and_taken_at_once_are_each_shown_once(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let tabs = [guest.clone(), elsewhere(&house, &guest)];
    let shown = Arc::new(Mutex::new(Vec::<u32>::new()));
    all((0..24_u32).map(|n| {
        let (tab, shown) = (tabs[n as usize % 2].clone(), shown.clone());
        async move {
            let answer = tab.visit(async |session| {
                tokio::task::yield_now().await;
                if n % 3 < 2 {
                    return session.flash(&n);
                }
                let taken = session.take_flashes::<u32>().await?;
                shown.lock().unwrap().extend(taken);
                Ok(())
            });
            answer.await.is_ok();
        }
    }))
    .await;
    let last = guest.visit(async |session| {
        let taken = session.take_flashes::<u32>().await?;
        shown.lock().unwrap().extend(taken);
        Ok(())
    });
    last.await.is_ok();
    let mut shown = shown.lock().unwrap().clone();
    shown.sort_unstable();
    assert_eq!(shown, (0..24).filter(|n| n % 3 < 2).collect::<Vec<_>>());
}

pub async fn p5_a_message_left_meanwhile_is_taken_too_and_not_lost(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let other_tab = elsewhere(&house, &guest);
    flash(&guest, "one").await;
    let meanwhile = async move || flash(&other_tab, "two").await;
    house.faulty.next(Replace, Fault::after(meanwhile));
    assert_eq!(shown(&guest).await, r#"["one", "two"]"#);
    assert_eq!(shown(&guest).await, "[]");
}

/// Between two attempts of one take, the messages are taken by another and left anew. The third attempt finds
/// the same bytes as the first.
pub async fn p5_a_take_that_is_tried_again_returns_what_its_last_try_took(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let (thief, writer) = (elsewhere(&house, &guest), elsewhere(&house, &guest));
    flash(&guest, "one").await;
    house
        .faulty
        .next(Replace, Fault::after(async move || assert_eq!(shown(&thief).await, r#"["one"]"#)));
    // The first attempt met the conflict; the second is overtaken too.
    house.faulty.next(Replace, Fault::after(async move || flash(&writer, "one").await));
    let answer = guest.visit(async |session| {
        session.insert("page", &1)?;
        session.take_flashes::<String>().await
    });
    assert_eq!(answer.await.is_ok().body, r#"["one"]"#);
    assert!(house.faulty.is_spent());
    assert_eq!(shown(&guest).await, "[]");
}

/// Two tabs leave and take messages while answers and requests are lost and one overtakes the other. Some
/// messages are alike, so that a list may become what it was before.
pub async fn p5_messages_are_shown_once_whatever_the_store_loses() {
    for seed in 0..400 {
        let house = House::open();
        let guest = house.guest().await;
        let other_tab = elsewhere(&house, &guest);
        let (left, shown) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let mut random = seed;
        let mut draw = |below: u64| {
            random = (random + 1_u64).wrapping_mul(6_364_136_223_846_793_005);
            (random >> 33) % below
        };
        for _ in 0..10 {
            for _ in 0..draw(4) {
                let (tab, left, shown) = (other_tab.clone(), left.clone(), shown.clone());
                let message = draw(4).checked_sub(1);
                house.faulty.next(
                    Replace,
                    match draw(4) {
                        0 => Fault::LoseReply,
                        1 => Fault::LoseRequest,
                        _ => Fault::after(async move || act(&tab, message, &left, &shown).await),
                    },
                );
            }
            act(&guest, draw(4).checked_sub(1), &left, &shown).await;
            house.faulty.clear_faults();
        }
        act(&guest, None, &left, &shown).await;
        let [mut left, mut shown] = [left, shown].map(|list| list.lock().unwrap().clone());
        left.sort_unstable();
        shown.sort_unstable();
        assert_eq!(left, shown, "seed {seed}");
    }
}

/// Leaves this message, or takes those that are there.
async fn act(tab: &Visitor, message: Option<u64>, left: &Mutex<Vec<u64>>, shown: &Mutex<Vec<u64>>) {
    let answer = tab.visit(async |session| match message {
        Some(message) => session.flash(&message).map(|()| left.lock().unwrap().push(message)),
        None => {
            let taken = session.take_flashes::<u64>().await?;
            shown.lock().unwrap().extend(taken);
            Ok(())
        }
    });
    answer.await.is_ok();
}

pub async fn p5_messages_whose_removal_lost_its_answer_are_given_once(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    flash(&guest, "one").await;
    house.faulty.next(Replace, Fault::LoseReply);
    assert_eq!(shown(&guest).await, r#"["one"]"#);
    assert_eq!(shown(&guest).await, "[]");
}

pub async fn p5_two_clones_of_a_handle_do_not_get_the_same_message(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    flash(&guest, "one").await;
    let answer = guest.visit(async |session| {
        let clone = session.clone();
        let takers = [&session, &clone].map(|handle| handle.take_flashes::<String>());
        let taken = all(takers).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(taken.concat())
    });
    assert_eq!(answer.await.is_ok().body, r#"["one"]"#);
}

pub async fn p8_messages_that_could_not_be_removed_stay(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    flash(&guest, "one").await;
    house.faulty.next(Replace, Fault::Fail(Unavailable));
    assert_eq!(take(&guest).await.status, http::StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(shown(&guest).await, r#"["one"]"#);
}

pub async fn p8_a_request_that_fails_leaves_no_message_and_keeps_what_it_took(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    flash(&guest, "one").await;
    let fail = async |session: Session| {
        session.take_flashes::<String>().await.unwrap();
        session.flash("never said").unwrap();
        reply(http::StatusCode::INTERNAL_SERVER_ERROR)
    };
    guest.ask(async |lazy| fail(lazy.load().await.unwrap()).await).await;
    assert_eq!(shown(&guest).await, "[]", "it was taken before the request failed");
}

pub async fn p4_a_take_is_one_write_and_taking_nothing_is_none(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    flash(&guest, "one").await;
    assert_eq!(house.counting.take(), [Load, Replace]);
    assert_eq!(shown(&guest).await, r#"["one"]"#);
    assert_eq!(house.counting.take(), [Load, Replace]);
    assert_eq!(shown(&guest).await, "[]");
    assert_eq!(house.counting.take(), [Load]);
    let keys = guest.visit(async |session| Ok(session.keys())).await;
    assert_eq!(keys.body, r#"["k"]"#, "nothing is left under the key");
}

pub async fn p4_a_message_shown_by_the_request_that_left_it_is_not_stored(ground: Ground) {
    let house = ground();
    for (visitor, commands) in [(house.visitor(), &[][..]), (house.guest().await, &[Load][..])] {
        house.counting.take();
        let answer = visitor.visit(async |session| {
            session.flash("one")?;
            session.take_flashes::<String>().await
        });
        assert_eq!(answer.await.is_ok().body, r#"["one"]"#);
        assert_eq!(house.counting.take(), commands);
    }
    let visitor = house.visitor();
    flash(&visitor, "one").await;
    assert_eq!(house.counting.take(), [Create], "a message for the next page is a session");
    assert_eq!(shown(&visitor).await, r#"["one"]"#);
}

pub async fn messages_survive_a_login_and_not_a_logout(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    flash(&guest, "before").await;
    let login = guest.visit(async |session| {
        session.log_in("ada").await?;
        session.flash("welcome")
    });
    login.await.is_ok();
    assert_eq!(shown(&guest).await, r#"["before", "welcome"]"#);
    flash(&guest, "secret").await;
    let logout = guest.visit(async |session| {
        session.flash("secret too")?;
        session.destroy().await?;
        session.flash("good bye")
    });
    logout.await.is_ok();
    assert_eq!(shown(&guest).await, r#"["good bye"]"#);
}

pub async fn the_newest_messages_wait_and_no_more_than_the_limit(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    for first in [0, 20] {
        let leave = guest
            .visit(async |session| (first..first + 20_u32).try_for_each(|n| session.flash(&n)));
        leave.await.is_ok();
    }
    let taken = guest.visit(async |session| session.take_flashes::<u32>().await).await;
    assert_eq!(taken.is_ok().body, format!("{:?}", (8..40).collect::<Vec<u32>>()));
    assert_eq!(Session::MOST_FLASHES, 32);
}

pub async fn messages_of_another_type_are_an_error_and_stay(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    flash(&guest, "one").await;
    let answer = guest.visit(async |session| session.take_flashes::<u32>().await).await;
    is_undecodable(&answer);
    assert_eq!(shown(&guest).await, r#"["one"]"#);
    // One that comes meanwhile, which only the second attempt sees.
    flash(&guest, "one").await;
    let other_tab = elsewhere(&house, &guest);
    let meanwhile = async move || {
        other_tab.visit(async |session| session.flash(&7)).await.is_ok();
    };
    house.faulty.next(Replace, Fault::after(meanwhile));
    is_undecodable(&take(&guest).await);
    let keys = guest.visit(async |session| Ok(session.keys())).await;
    assert_eq!(keys.body, format!("{:?}", [Session::FLASH_KEY, "k"]));
}

pub async fn a_value_of_the_apps_own_under_the_key_is_not_taken_for_messages(ground: Ground) {
    let house = ground();
    for value in [&["one"][..], &[]] {
        let guest = house.guest().await;
        guest.visit(async |session| session.insert(Session::FLASH_KEY, value)).await.is_ok();
        if value.is_empty() {
            assert_eq!(shown(&guest).await, "[]");
            continue;
        }
        is_undecodable(&take(&guest).await);
        is_undecodable(&guest.visit(async |session| session.flash("two")).await);
        let stays = guest.visit(async |session| session.get::<Vec<String>>(Session::FLASH_KEY));
        assert_eq!(stays.await.is_ok().body, r#"Some(["one"])"#);
    }
}

fn is_undecodable(answer: &Answer) {
    let Some(SessionError::Decode { key, .. }) = &answer.error else { panic!("{answer:?}") };
    assert_eq!(&**key, Session::FLASH_KEY);
}

pub async fn an_open_handle_takes_messages_after_it_has_read_again(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let kept = Arc::new(Mutex::new(None));
    let keep = kept.clone();
    let answer = guest.ask(async move |lazy| {
        let session = lazy.load().await;
        *keep.lock().unwrap() = session.clone().ok();
        respond(session.map(drop))
    });
    answer.await.is_ok();
    let session: Session = kept.lock().unwrap().take().unwrap();
    flash(&guest, "one").await;
    assert_eq!(session.take_flashes::<String>().await.unwrap(), [""; 0]);
    session.reload().await.unwrap();
    assert_eq!(session.take_flashes::<String>().await.unwrap(), ["one"]);
    assert_eq!(shown(&guest).await, "[]");
}

/// A handler goes on without the messages, and its commit must not remove what nobody was given.
pub async fn messages_that_could_not_be_taken_stay(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    guest.visit(async |session| session.flash("saved")).await.is_ok();
    house.faulty.next(Replace, Fault::Fail(Unavailable));
    let answer = guest.visit(async |session| {
        let first = session.take_flashes::<String>().await;
        assert!(first.as_ref().is_err_and(SessionError::is_outage), "{first:?}");
        session.insert("k", &2)
    });
    answer.await.is_ok();
    let taken = guest.visit(async |session| session.take_flashes::<String>().await).await;
    assert_eq!(taken.is_ok().body, r#"["saved"]"#);
    house.faulty.next(Replace, Fault::Fail(Unavailable));
    guest.visit(async |session| session.flash("again")).await;
    guest.visit(async |session| session.flash("again")).await.is_ok();
    house.faulty.next(Replace, Fault::Fail(Unavailable));
    let twice = guest.visit(async |session| {
        session.take_flashes::<String>().await.unwrap_err();
        session.take_flashes::<String>().await
    });
    assert_eq!(twice.await.is_ok().body, r#"["again"]"#);
}
