//! A user's sessions under attack: half-done renewals, hidden sessions, entries that lead astray.

use std::time::Duration;

use cloakroom::store::StoreErrorKind::{Corrupt, Unavailable};
use cloakroom::store::{CommitId, NewEntry, SessionStore};
use cloakroom::{Roster, SessionError};

use super::users::{kept, log_in, who};
use crate::Command::{Load, Replace};
use crate::promises::Ground;
use crate::{Fault, HOUR, House, MINUTE, Visitor, reply};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn house(ground: Ground, look: bool) -> House {
    ground().apart().with(|layer| layer.roster(Roster::default().look(look)))
}

/// Renews, and drops the `save` after the mark and before the entry in the roster.
async fn half_renew(house: &House, session: &cloakroom::Session) {
    session.renew().unwrap();
    house.faulty.next(Replace, Fault::Pass);
    house.faulty.next(Replace, Fault::Hang);
    assert!(tokio::time::timeout(Duration::from_millis(50), session.save()).await.is_err());
    house.faulty.clear_faults();
}

pub async fn p6_a_renewal_that_was_dropped_after_an_end_of_the_others_goes_on(ground: Ground) {
    let house = house(ground, false);
    let users = house.layer.users();
    let ada = log_in(&house, "ada").await;
    ada.visit(async |session| users.end_others(&session).await).await.is_ok();
    house.clock.advance(MINUTE);
    let answer = ada
        .visit(async |session| {
            half_renew(&house, &session).await;
            Ok(())
        })
        .await;
    answer.is_ok();
    assert_eq!(who(&ada).await.as_deref(), Some("ada"));
}

pub async fn a_renewal_that_was_dropped_and_a_login_in_one_request_come_to_an_end(ground: Ground) {
    let house = house(ground, false);
    let users = house.layer.users();
    let ada = log_in(&house, "ada").await;
    ada.visit(async |session| users.end_others(&session).await).await.is_ok();
    house.clock.advance(MINUTE);
    let answer = ada.visit(async |session| {
        half_renew(&house, &session).await;
        session.log_in("ada").await
    });
    let answer = answer.await;
    let is_logged_in = who(&ada).await.as_deref() == Some("ada");
    assert_eq!(is_logged_in, answer.status == 200, "{answer:?}");
}

pub async fn a_renewal_that_was_dropped_an_end_and_a_login_in_one_request_come_to_an_end(
    ground: Ground,
) {
    let house = house(ground, false);
    let users = house.layer.users();
    let ada = log_in(&house, "ada").await;
    house.clock.advance(MINUTE);
    let answer = ada.visit(async |session| {
        half_renew(&house, &session).await;
        users.end_all("ada").await?;
        session.log_in("ada").await
    });
    let answer = answer.await;
    let is_logged_in = who(&ada).await.as_deref() == Some("ada");
    assert_eq!(is_logged_in, answer.status == 200, "{answer:?}");
}

pub async fn p6_an_end_of_the_others_after_a_dropped_renewal_spares_the_caller(ground: Ground) {
    let house = house(ground, false);
    let users = house.layer.users();
    let ada = log_in(&house, "ada").await;
    house.clock.advance(MINUTE);
    let answer = ada.visit(async |session| {
        half_renew(&house, &session).await;
        users.end_others(&session).await
    });
    answer.await.is_ok();
    assert_eq!(who(&ada).await.as_deref(), Some("ada"));
}

pub async fn p3_a_handle_for_an_older_session_does_not_undo_its_touch(ground: Ground) {
    let house = house(ground, true);
    let plain = house.elsewhere();
    let ada = house.visitor().at(&plain);
    ada.visit(async |session| session.log_in("ada").await).await.is_ok();
    house.clock.advance(20 * MINUTE);
    let ada = ada.at(&house.layer);
    assert_eq!(who(&ada).await.as_deref(), Some("ada"));
    house.clock.advance(15 * MINUTE);
    assert_eq!(who(&ada).await.as_deref(), Some("ada"), "used 15 minutes ago, idle timeout 30");
}

pub async fn p11_a_handle_for_an_older_session_does_not_lengthen_its_timeout(ground: Ground) {
    let house = house(ground, true);
    let plain = house.elsewhere().idle_timeout(24 * HOUR).absolute_lifetime(48 * HOUR);
    let ada = house.visitor().at(&plain);
    ada.visit(async |session| session.log_in("ada").await).await.is_ok();
    house.clock.advance(5 * MINUTE);
    let ada = ada.at(&house.layer);
    assert_eq!(who(&ada).await.as_deref(), Some("ada"));
    house.clock.advance(2 * HOUR);
    assert_eq!(who(&ada).await, None, "idle for two hours, idle timeout 30 min");
}

pub async fn p6_a_hidden_session_that_writes_all_the_time_learns_of_its_end(ground: Ground) {
    let house = house(ground, true);
    let users = house.layer.users();
    let thief = log_in(&house, "ada").await;
    house.store.delete(&house.roster_key("ada")).await.unwrap();
    users.end_all("ada").await.unwrap();
    for n in 0..120 {
        house.clock.advance(MINUTE);
        thief.visit(async |session| session.insert("n", &n)).await;
    }
    assert_eq!(who(&thief).await, None, "two hours of use after the end of all");
}

pub async fn p6_a_hidden_session_that_is_remembered_learns_of_its_end(ground: Ground) {
    let house = house(ground, true);
    let users = house.layer.users();
    let thief = house.visitor();
    thief
        .visit(async |session| {
            session.remember(30 * DAY, 30 * DAY)?;
            session.log_in("ada").await
        })
        .await
        .is_ok();
    house.store.delete(&house.roster_key("ada")).await.unwrap();
    users.end_all("ada").await.unwrap();
    for _ in 0..29 * 4 {
        house.clock.advance(6 * HOUR);
        who(&thief).await;
    }
    assert_eq!(who(&thief).await, None, "29 days of use");
}

pub async fn p6_an_end_is_kept_for_as_long_as_a_remembered_session_lives(ground: Ground) {
    let house = house(ground, true);
    let users = house.layer.users();
    let thief = house.visitor();
    thief
        .visit(async |session| {
            session.remember(3 * DAY, 30 * DAY)?;
            session.log_in("ada").await
        })
        .await
        .is_ok();
    house.store.delete(&house.roster_key("ada")).await.unwrap();
    users.end_all("ada").await.unwrap();
    house.clock.advance(DAY);
    who(&thief).await; // the look
    assert_eq!(who(&thief).await, None);
}

pub async fn p6_a_pruned_entry_acknowledges_no_logout(ground: Ground) {
    let house = house(ground, false);
    let ada = log_in(&house, "ada").await;
    let open = kept(&ada).await;
    ada.visit(async |session| session.renew()).await.is_ok();
    for _ in 0..4 {
        house.clock.advance(10 * MINUTE);
        who(&ada).await;
    }
    for _ in 0..8 {
        log_in(&house, "ada").await;
    }
    let logout = open.destroy().await;
    assert!(logout.is_err() || who(&ada).await.is_none(), "{logout:?}, and the session lives");
}

pub async fn a_list_has_the_session_and_not_what_a_failed_renewal_left(ground: Ground) {
    let house = house(ground, false);
    let users = house.layer.users();
    let ada = log_in(&house, "ada").await;
    house.clock.advance(MINUTE);
    // The server answers nothing to the mark; the client hangs up.
    ada.ask(async |lazy| {
        let session = lazy.load().await.unwrap();
        session.renew().unwrap();
        house.faulty.next(Replace, Fault::Hang);
        assert!(tokio::time::timeout(Duration::from_millis(50), session.save()).await.is_err());
        house.faulty.clear_faults();
        reply(http::StatusCode::INTERNAL_SERVER_ERROR)
    })
    .await;
    house.clock.advance(MINUTE);
    ada.visit(async |session| session.insert("cart", &7)).await.is_ok();
    let sessions = users.sessions_of("ada").await.unwrap();
    for session in &sessions {
        session.destroy().await.unwrap();
    }
    assert_eq!(who(&ada).await, None, "every listed session was ended");
}

pub async fn p7_a_login_over_a_hidden_session_that_was_ended_leaves_no_old_id(ground: Ground) {
    let house = house(ground, false);
    let users = house.layer.users();
    let plain = house.elsewhere();
    let ada = house.visitor().at(&plain);
    ada.visit(async |session| session.log_in("ada").await).await.is_ok();
    let old = ada.copy().at(&house.layer);
    house.clock.advance(MINUTE);
    users.end_all("ada").await.unwrap();
    house.clock.advance(MINUTE);
    let ada = ada.at(&house.layer);
    let answer = ada.visit(async |session| session.log_in("ada").await).await;
    answer.is_ok();
    assert_eq!(who(&ada).await.as_deref(), Some("ada"));
    assert_eq!(who(&old).await, None, "the id from before the login still works");
}

pub async fn p8_a_renewal_whose_roster_is_refused_once_goes_on(ground: Ground) {
    let house = house(ground, false);
    let ada = log_in(&house, "ada").await;
    ada.visit(async |session| session.insert("cart", &7)).await.is_ok();
    house.faulty.next(Replace, Fault::Pass);
    house.faulty.next(Replace, Fault::Fail(Unavailable));
    let answer = ada.visit(async |session| {
        session.renew()?;
        session.save().await
    });
    answer.await.is_ok();
    assert_eq!(who(&ada).await.as_deref(), Some("ada"), "one refused write of the roster");
}

pub async fn the_users_of_one_layer_take_no_session_of_another(ground: Ground) {
    let house = house(ground, false);
    let ada = log_in(&house, "1").await;
    let key = house.key.clone();
    let admins = house.server(house.store.clone(), key);
    let admin = Visitor::new(admins.roster(Roster::default()));
    admin.visit(async |session| session.log_in("1").await).await.is_ok();
    let users = house.layer.users();
    let answer = admin.visit(async |session| users.end_others(&session).await).await;
    assert!(matches!(answer.error, Some(SessionError::Unsupported(_))), "{answer:?}");
    assert_eq!(who(&ada).await.as_deref(), Some("1"), "user 1 of the shop is not admin 1");
}

pub async fn a_browser_that_changes_users_all_day_stays_listed(ground: Ground) {
    let house = house(ground, false);
    let users = house.layer.users();
    let other = log_in(&house, "ada").await;
    let both = house.visitor();
    for name in ["ada", "bob"].iter().cycle().take(40) {
        both.visit(async |session| session.log_in(name).await).await.is_ok();
        house.clock.advance(Duration::from_secs(20));
        let expected = 1 + usize::from(*name == "ada");
        assert_eq!(users.sessions_of("ada").await.unwrap().len(), expected);
    }
    users.end_all("ada").await.unwrap();
    assert_eq!((who(&other).await, who(&both).await.as_deref()), (None, Some("bob")));
}

pub async fn a_login_looks_at_few_entries_however_many_sessions_have_moved_on(ground: Ground) {
    let house = house(ground, false);
    let phone = house.visitor();
    // Other browsers, whose visitors log out and keep their carts.
    for _ in 0..150 {
        let browser = log_in(&house, "ada").await;
        browser.visit(async |session| session.log_out_keeping_data()).await.is_ok();
    }
    house.counting.take();
    phone.visit(async |session| session.log_in("ada").await).await.is_ok();
    let commands = house.counting.take().len();
    assert!(commands <= 12, "{commands} commands");
}

/// The deadline of such a session moves rarely or never, whatever its requests do.
pub async fn p6_a_hidden_session_with_a_long_timeout_learns_of_its_end(ground: Ground) {
    for peeks in [false, true] {
        let house = house(ground, true).with(|layer| layer.idle_timeout(HOUR));
        let users = house.layer.users();
        let thief = log_in(&house, "ada").await;
        house.store.delete(&house.roster_key("ada")).await.unwrap();
        users.end_all("ada").await.unwrap();
        for n in 0..60 {
            house.clock.advance(MINUTE);
            let request = thief.ask(async |lazy| {
                if peeks {
                    let _ = lazy.peek().await;
                }
                let Ok(session) = lazy.load().await else { return reply(http::StatusCode::OK) };
                let _ = session.insert("n", &n);
                reply(http::StatusCode::OK)
            });
            request.await;
        }
        assert_eq!(who(&thief).await, None, "an hour of use after the end of all");
    }
}

pub async fn p6_a_damaged_roster_acknowledges_no_end_and_hides_nothing(ground: Ground) {
    let house = house(ground, false);
    let users = house.layer.users();
    let ada = log_in(&house, "ada").await;
    damage(&house).await;
    let handle = kept(&ada).await.handle().unwrap();
    for error in [
        users.end_all("ada").await.err(),
        users.end_others(&kept(&ada).await).await.err(),
        users.end("ada", handle).await.err(),
        users.sessions_of("ada").await.err(),
        users.edit("ada", |_| Ok(())).await.err(),
    ] {
        assert!(matches!(error, Some(SessionError::Corrupt(_))), "{error:?}");
    }
    ada.visit(async |session| session.renew()).await.is_ok();
    assert_eq!(users.end_all("ada").await.unwrap(), Some(1), "it has listed itself");
}

async fn damage(house: &House) {
    let key = house.roster_key("ada");
    let entry = house.store.load(&key).await.unwrap().unwrap();
    let commit = CommitId::from_bytes([9; 8]);
    let damaged = NewEntry::new(commit, entry.deadline, "no roster");
    house.store.replace(&key, &entry.version, &damaged).await.unwrap();
}

/// The store itself cannot read the entry, so there is no version to write on.
pub async fn p12_a_roster_that_the_store_calls_corrupt_locks_nobody_out(ground: Ground) {
    let house = house(ground, false);
    // A new visitor loads the roster and nothing else: when the login begins, and before it is removed.
    house.faulty.always(Load, || Fault::Fail(Corrupt));
    house.visitor().visit(async |session| session.log_in("ada").await).await.is_ok();
    house.faulty.clear_faults();
    assert_eq!(house.layer.users().sessions_of("ada").await.unwrap().len(), 1);
}

pub async fn a_login_as_another_user_is_not_remembered_for_the_first(ground: Ground) {
    let house = house(ground, false);
    let browser = house.visitor();
    let remembers = browser.visit(async |session| {
        session.remember(30 * DAY, 60 * DAY)?;
        session.log_in("ada").await
    });
    assert!(remembers.await.is_ok().set_cookies()[0].contains("Max-Age"));
    let again = browser.visit(async |session| session.renew()).await;
    assert!(
        again.is_ok().set_cookies()[0].contains("Max-Age"),
        "it is remembered through renewals"
    );
    let bob = browser.visit(async |session| session.log_in("bob").await).await;
    assert!(!bob.is_ok().set_cookies()[0].contains("Max-Age"));
    house.clock.advance(31 * MINUTE);
    assert_eq!(who(&browser).await, None, "the layer's idle timeout");
    let carol = browser.visit(async |session| {
        session.remember(DAY, 2 * DAY)?;
        session.log_in("carol").await
    });
    assert!(carol.await.is_ok().set_cookies()[0].contains("Max-Age=172800"));
    let leaves = browser.visit(async |session| session.log_out_keeping_data()).await;
    assert!(!leaves.is_ok().set_cookies()[0].contains("Max-Age"));
}
