//! A user's sessions: listed, ended, limited, edited.

use cloakroom::store::StoreErrorKind::Unavailable;
use cloakroom::{OutagePolicy, Roster, Session, SessionError, Users, WhenFull};
use http::StatusCode;

use crate::Command::{Create, Load, Replace, Touch};
use crate::promises::Ground;
use crate::{Fault, HOUR, House, MINUTE, Visitor, comes_true, left_alone, reply};

pub(super) fn house(ground: Ground) -> House {
    ground().apart().with(|layer| layer.roster(Roster::default().look(false)))
}

pub(super) async fn log_in(house: &House, who: &str) -> Visitor {
    let visitor = house.visitor();
    visitor.visit(async |session| session.log_in(who).await).await.is_ok();
    house.counting.take();
    visitor
}

/// Returns the principal that the visitor's next request finds.
pub(super) async fn who(visitor: &Visitor) -> Option<String> {
    let mut found = None;
    let look = async |session: Session| {
        found = session.principal();
        Ok(())
    };
    visitor.visit(look).await.is_ok();
    found
}

pub(super) async fn is_in(visitor: &Visitor, name: &str) -> bool {
    who(visitor).await.as_deref() == Some(name)
}

pub(super) async fn count(users: &Users, who: &str) -> usize {
    users.sessions_of(who).await.unwrap().len()
}

/// Returns a handle of the visitor's session whose response has left.
pub(super) async fn kept(visitor: &Visitor) -> Session {
    let mut kept = None;
    let keep = async |session: Session| {
        session.principal();
        kept = Some(session);
        Ok(())
    };
    visitor.visit(keep).await.is_ok();
    kept.expect("a session")
}

pub async fn a_login_costs_two_commands_more_and_everything_else_as_much_as_before(ground: Ground) {
    let house = house(ground);
    let cost = async |expected: &[crate::Command]| assert_eq!(house.counting.take(), expected);
    let ada = house.visitor();
    ada.visit(async |session| session.log_in("ada").await).await.is_ok();
    cost(&[Load, Create, Create]).await;
    house.visitor().visit(async |session| session.log_in("ada").await).await.is_ok();
    cost(&[Load, Create, Replace]).await;
    let guest = house.guest().await;
    guest.visit(async |session| session.log_in("ada").await).await.is_ok();
    cost(&[Load, Load, Create, Replace, Replace]).await;
    ada.visit(async |session| session.renew()).await.is_ok();
    let mut renewal = house.counting.take();
    renewal[1..3].sort_by_key(|command| *command == Load);
    assert_eq!(renewal, [Load, Create, Load, Replace, Replace]);

    ada.visit(async |session| session.get::<u32>("k")).await.is_ok();
    cost(&[Load]).await;
    ada.visit(async |session| session.insert("k", &1)).await.is_ok();
    cost(&[Load, Replace]).await;
    house.clock.advance(5 * MINUTE);
    ada.visit(async |session| session.get::<u32>("k")).await.is_ok();
    cost(&[Load, Touch]).await;
    ada.visit(async |session| session.destroy().await).await.is_ok();
    cost(&[Load, Replace]).await;
    guest.visit(async |session| session.log_out_keeping_data()).await.is_ok();
    cost(&[Load, Create, Replace]).await;
    house.visitor().visit(async |session| session.insert("k", &1)).await.is_ok();
    cost(&[Create]).await;
    house.visitor().ask(async |_| reply(http::StatusCode::OK)).await.is_ok();
    cost(&[]).await;
}

pub async fn lists_and_ends_cost_what_the_page_says(ground: Ground) {
    let house = house(ground);
    let users = house.layer.users();
    for _ in 0..3 {
        log_in(&house, "ada").await;
    }
    let sessions = users.sessions_of("ada").await.unwrap();
    assert_eq!((sessions.len(), house.counting.take()), (3, vec![Load; 4]));
    let one = sessions[0].handle().unwrap();
    assert!(users.end("ada", one).await.unwrap());
    assert_eq!(house.counting.take(), [Load, Load, Replace]);
    assert_eq!(users.end_all("ada").await.unwrap(), Some(2));
    let mut ends = house.counting.take();
    assert_eq!(ends[..2], [Load, Replace], "the end is written before anything is ended");
    ends[2..].sort_by_key(|command| *command == Replace);
    assert_eq!(ends[2..], [Load, Load, Load, Replace, Replace], "one of three was over");

    let bob = kept(&log_in(&house, "bob").await).await;
    log_in(&house, "bob").await;
    log_in(&house, "bob").await;
    assert_eq!(users.end_others(&bob).await.unwrap(), Some(2));
    let mut ends = house.counting.take();
    assert_eq!(ends[..3], [Load, Load, Replace], "the caller, the roster, the end");
    ends[3..].sort_by_key(|command| *command == Replace);
    assert_eq!(ends[3..], [Load, Load, Replace, Replace]);
    assert_eq!(users.edit("bob", |session| session.insert("k", &1)).await.unwrap(), 1);
    let mut edit = house.counting.take();
    edit.sort_by_key(|command| *command == Replace);
    assert_eq!(edit, [Load, Load, Load, Load, Replace], "two of three are over");
}

pub async fn a_list_has_every_session_of_its_user_and_no_other(ground: Ground) {
    let house = house(ground);
    let users = house.layer.users();
    assert_eq!(count(&users, "ada").await, 0);
    let phone = log_in(&house, "ada").await;
    house.clock.advance(MINUTE);
    let laptop = house.guest().await;
    laptop.visit(async |session| session.log_in("ada").await).await.is_ok();
    log_in(&house, "bob").await;
    house.clock.advance(MINUTE);
    phone.visit(async |session| session.insert("device", "phone")).await.is_ok();
    let sessions = users.sessions_of("ada").await.unwrap();
    let devices: Vec<Option<String>> =
        sessions.iter().map(|session| session.get("device").unwrap()).collect();
    assert_eq!(devices, [Some("phone".to_owned()), None], "the last used comes first");
    assert_eq!(sessions[1].get::<u32>("k").unwrap(), Some(1));
    assert!(sessions[0].last_used_at() > sessions[1].last_used_at());
    assert!(sessions.iter().all(|session| session.principal().as_deref() == Some("ada")));
    phone.visit(async |session| session.destroy().await).await.is_ok();
    assert_eq!(count(&users, "ada").await, 1);
    laptop.visit(async |session| session.log_out_keeping_data()).await.is_ok();
    assert_eq!(count(&users, "ada").await, 0);
    assert_eq!(count(&users, "bob").await, 1);
}

pub async fn a_handle_is_the_same_through_renewals_and_another_at_the_next_login(ground: Ground) {
    let house = house(ground);
    let users = house.layer.users();
    let ada = log_in(&house, "ada").await;
    let handle = async || {
        let sessions = users.sessions_of("ada").await.unwrap();
        assert_eq!(sessions.len(), 1);
        let own = kept(&ada).await.handle();
        assert_eq!(sessions[0].handle(), own);
        own.unwrap()
    };
    let first = handle().await;
    ada.visit(async |session| session.renew()).await.is_ok();
    ada.visit(async |session| session.insert("k", &1)).await.is_ok();
    assert_eq!(handle().await, first);
    ada.visit(async |session| session.log_in("ada").await).await.is_ok();
    assert_eq!(handle().await, first, "the same user has proved again who she is");
    ada.visit(async |session| session.log_in("bob").await).await.is_ok();
    assert_eq!(count(&users, "ada").await, 0);
    ada.visit(async |session| session.log_in("ada").await).await.is_ok();
    assert_ne!(handle().await, first);
    ada.visit(async |session| session.log_out_keeping_data()).await.is_ok();
    assert_eq!(kept(&ada).await.handle(), None);
}

pub async fn p6_ending_one_session_leaves_the_others(ground: Ground) {
    let house = house(ground);
    let users = house.layer.users();
    let (phone, laptop) = (log_in(&house, "ada").await, log_in(&house, "ada").await);
    let bob = log_in(&house, "bob").await;
    let handle = kept(&phone).await.handle().unwrap();
    assert!(!users.end("bob", handle).await.unwrap(), "not his");
    assert!(users.end("ada", handle).await.unwrap());
    assert!(!users.end("ada", handle).await.unwrap(), "it is over");
    assert_eq!(who(&phone).await, None);
    assert!(is_in(&laptop, "ada").await && is_in(&bob, "bob").await);
}

pub async fn p6_ending_all_ends_every_session_and_nobody_elses(ground: Ground) {
    let house = house(ground);
    let users = house.layer.users();
    let (phone, laptop) = (log_in(&house, "ada").await, log_in(&house, "ada").await);
    laptop.visit(async |session| session.renew()).await.is_ok();
    let (bob, guest) = (log_in(&house, "bob").await, house.guest().await);
    let open = kept(&phone).await;
    let writer = laptop.visit(async |session| {
        assert_eq!(users.end_all("ada").await.unwrap(), Some(2));
        session.insert("k", &1)
    });
    writer.await.is_gone();
    assert!(matches!(open.save().await, Err(SessionError::Gone)));
    assert_eq!((who(&phone).await, who(&laptop).await), (None, None));
    assert!(is_in(&bob, "bob").await);
    assert_eq!(guest.visit(async |session| session.get::<u32>("k")).await.body, "Some(1)");
    assert_eq!(users.end_all("ada").await.unwrap(), Some(0));
    assert!(is_in(&log_in(&house, "ada").await, "ada").await, "a later login works");
}

pub async fn p6_a_login_that_began_before_the_end_of_all_is_refused(ground: Ground) {
    let house = house(ground);
    let users = house.layer.users();
    for visitor in [house.visitor(), house.guest().await] {
        let answer = visitor.visit(async |session| {
            session.log_in("ada").await?;
            users.end_all("ada").await?; // while the password is being checked
            Ok(())
        });
        answer.await.is_gone();
        assert_eq!((who(&visitor).await, count(&users, "ada").await), (None, 0));
    }
}

pub async fn p6_ending_the_others_leaves_the_caller_alone(ground: Ground) {
    let house = house(ground);
    let users = house.layer.users();
    let (phone, laptop) = (log_in(&house, "ada").await, log_in(&house, "ada").await);
    let bob = log_in(&house, "bob").await;
    let answer = phone.visit(async |session| {
        session.insert("k", &1)?;
        session.renew()?; // as after a change of the password
        users.end_others(&session).await
    });
    assert_eq!(answer.await.is_ok().body, "Some(1)");
    assert!(is_in(&phone, "ada").await && is_in(&bob, "bob").await);
    assert_eq!(who(&laptop).await, None);
    assert_eq!(count(&users, "ada").await, 1);
    let nobody = house.guest().await;
    let answer = nobody.visit(async |session| users.end_others(&session).await);
    assert_eq!(answer.await.is_ok().body, "Some(0)");
    assert!(is_in(&phone, "ada").await);
}

/// The app goes on without a session that cannot be read. To count no others would acknowledge an end of none.
pub async fn p6_ending_the_others_of_a_session_that_was_not_read_is_an_error(ground: Ground) {
    let house = house(ground).with(|layer| layer.on_outage(|_| OutagePolicy::Anonymous));
    let users = house.layer.users();
    let (phone, laptop) = (log_in(&house, "ada").await, log_in(&house, "ada").await);
    house.faulty.next(Load, Fault::Fail(Unavailable));
    let answer = phone.visit(async |session| {
        assert_eq!(session.principal(), None);
        users.end_others(&session).await
    });
    assert_eq!(answer.await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(is_in(&laptop, "ada").await && is_in(&phone, "ada").await);
}

/// A password reset: it logs in, ends all others, and stays.
pub async fn p6_a_login_ends_the_others_and_goes_on_itself(ground: Ground) {
    let house = house(ground);
    let users = house.layer.users();
    let thief = log_in(&house, "ada").await;
    for ada in [house.visitor(), house.guest().await, log_in(&house, "ada").await] {
        let answer = ada.visit(async |session| {
            session.log_in("ada").await?;
            users.end_others(&session).await
        });
        answer.await.is_ok();
        assert!(is_in(&ada, "ada").await);
        assert_eq!((who(&thief).await, count(&users, "ada").await), (None, 1));
    }
}

/// An end goes on when its request is dropped, and the login of the request does not.
pub async fn p6_an_end_of_the_others_whose_login_is_dropped_is_about_the_same_user(ground: Ground) {
    let house = house(ground);
    let users = house.layer.users();
    let [ada, other, bob] =
        [log_in(&house, "ada").await, log_in(&house, "ada").await, log_in(&house, "bob").await];
    let answer = ada.visit(async |session| {
        session.log_in("bob").await?;
        drop(left_alone([users.end_others(&session)]));
        session.discard();
        Ok(())
    });
    answer.await.is_ok();
    assert!(comes_true(async || !is_in(&bob, "bob").await).await, "bob's session lives on");
    assert_eq!(who(&bob).await, None);
    assert!(is_in(&other, "ada").await && is_in(&ada, "ada").await);
}

/// The thief's request is in flight when the session ends.
pub async fn p6_a_session_that_was_ended_ends_no_others(ground: Ground) {
    let house = house(ground);
    let users = house.layer.users();
    let thief = log_in(&house, "ada").await;
    let answer = thief.visit(async |session| {
        users.end_all("ada").await?;
        let ada = log_in(&house, "ada").await;
        let refused = users.end_others(&session).await;
        assert!(is_in(&ada, "ada").await, "{refused:?}");
        refused
    });
    answer.await.is_gone();
}

pub async fn p6_a_login_over_the_limit_ends_the_oldest(ground: Ground) {
    let house = ground().apart().with(|layer| layer.roster(Roster::default().limit(2)));
    let users = house.layer.users();
    let mut visitors = Vec::new();
    for _ in 0..4 {
        house.clock.advance(MINUTE);
        visitors.push(log_in(&house, "ada").await);
        log_in(&house, "bob").await;
    }
    // Used or renewed, the oldest login is the oldest.
    visitors[2].visit(async |session| session.renew()).await.is_ok();
    house.clock.advance(MINUTE);
    visitors.push(log_in(&house, "ada").await);
    let mut live = Vec::new();
    for visitor in &visitors {
        live.push(is_in(visitor, "ada").await);
    }
    assert_eq!(live, [false, false, false, true, true]);
    assert_eq!((count(&users, "ada").await, count(&users, "bob").await), (2, 2));
}

pub async fn a_login_over_a_strict_limit_is_refused_and_changes_nothing(ground: Ground) {
    let strict = Roster::default().limit(1).when_full(WhenFull::Refuse);
    let house = ground().apart().with(|layer| layer.roster(strict));
    let ada = log_in(&house, "ada").await;
    for visitor in [house.visitor(), house.guest().await] {
        let answer = visitor.visit(async |session| session.log_in("ada").await).await;
        let error = answer.error.as_ref();
        assert!(matches!(error, Some(SessionError::TooManySessions { limit: 1 })), "{answer:?}");
        assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (409, 0));
        assert_eq!(who(&visitor).await, None);
    }
    ada.visit(async |session| session.renew()).await.is_ok();
    ada.visit(async |session| session.log_in("ada").await).await.is_ok();
    assert!(is_in(&ada, "ada").await, "a renewal is no further session");
    ada.visit(async |session| session.destroy().await).await.is_ok();
    assert!(is_in(&log_in(&house, "ada").await, "ada").await, "there is room again");
}

pub async fn an_edit_reaches_every_session_and_loses_no_change(ground: Ground) {
    let house = house(ground);
    let users = house.layer.users();
    let (phone, laptop) = (log_in(&house, "ada").await, log_in(&house, "ada").await);
    let bob = log_in(&house, "bob").await;
    let answer = phone.visit(async |session| {
        session.insert("k", &7)?;
        let edited = users.edit("ada", |session| session.insert("role", "banned")).await?;
        assert_eq!(edited, 2);
        Ok(())
    });
    answer.await.is_ok();
    let role = async |visitor: &Visitor| {
        visitor.visit(async |s| Ok((s.get::<String>("role")?, s.get::<u32>("k")?))).await.body
    };
    assert_eq!(role(&phone).await, r#"(Some("banned"), Some(7))"#);
    assert_eq!(role(&laptop).await, r#"(Some("banned"), None)"#);
    assert_eq!(role(&bob).await, "(None, None)");
}

pub async fn an_edit_that_refuses_is_the_callers_error(ground: Ground) {
    let house = house(ground);
    let users = house.layer.users();
    let ada = log_in(&house, "ada").await;
    ada.visit(async |session| session.insert("k", "text")).await.is_ok();
    let edited = users.edit("ada", |session| session.get::<u32>("k").map(drop)).await;
    assert!(matches!(edited, Err(SessionError::Decode { .. })), "{edited:?}");
    assert!(is_in(&ada, "ada").await);
}

pub async fn a_listed_session_can_be_changed_and_ended_and_not_renewed(ground: Ground) {
    let house = house(ground);
    let users = house.layer.users();
    let (phone, laptop) = (log_in(&house, "ada").await, log_in(&house, "ada").await);
    let handle = kept(&phone).await.handle();
    for session in users.sessions_of("ada").await.unwrap() {
        assert!(!session.is_new() && session.expires_at().is_some());
        if session.handle() == handle {
            session.insert("note", "seen").unwrap();
            session.save().await.unwrap();
            session.renew().unwrap();
            assert!(matches!(session.save().await, Err(SessionError::TooLate)));
            session.discard();
        } else {
            session.destroy().await.unwrap();
            session.insert("note", "late").unwrap();
            assert!(matches!(session.save().await, Err(SessionError::TooLate)));
            session.discard();
        }
    }
    let note = phone.visit(async |session| session.get::<String>("note")).await;
    assert_eq!(note.body, r#"Some("seen")"#);
    assert_eq!(who(&laptop).await, None);
}

pub async fn a_user_id_may_be_anything_that_can_be_shown(ground: Ground) {
    let house = house(ground);
    let users = house.layer.users();
    let visitor = house.visitor();
    visitor.visit(async |session| session.log_in(42).await).await.is_ok();
    let handle = users.sessions_of(42).await.unwrap()[0].handle().unwrap();
    assert!(users.end(42, handle).await.unwrap());
    assert_eq!(users.edit(42, |session| session.insert("k", &1)).await.unwrap(), 0);
    assert_eq!(users.end_all(42).await.unwrap(), Some(0));
    assert_eq!(users.end_all("").await.unwrap(), Some(0));
}

pub async fn a_roster_forgets_what_is_over(ground: Ground) {
    let house = house(ground);
    for _ in 0..40 {
        let ada = log_in(&house, "ada").await;
        ada.visit(async |session| session.renew()).await.is_ok();
        ada.visit(async |session| session.destroy().await).await.is_ok();
        house.clock.advance(2 * MINUTE);
    }
    let stay = log_in(&house, "ada").await;
    let entry = house.store.load(&house.roster_key("ada")).await.unwrap().expect("a roster");
    let listed = (entry.bytes.len() - 21) / 46;
    assert!(listed <= 12, "{listed} entries for one live session");
    assert!(is_in(&stay, "ada").await);
    assert_eq!(count(&house.layer.users(), "ada").await, 1);
}

/// A machine account that renews every few minutes.
pub async fn a_roster_of_a_session_that_is_renewed_stays_short(ground: Ground) {
    let house = house(ground);
    let ada = log_in(&house, "ada").await;
    for _ in 0..40 {
        ada.visit(async |session| session.renew()).await.is_ok();
        house.clock.advance(10 * MINUTE);
    }
    let entry = house.store.load(&house.roster_key("ada")).await.unwrap().expect("a roster");
    let listed = (entry.bytes.len() - 21) / 46;
    assert!(listed <= 12, "{listed} entries for one live session");
    assert_eq!(count(&house.layer.users(), "ada").await, 1);
}

pub async fn a_layer_without_a_roster_says_that_it_cannot_list(ground: Ground) {
    let house = ground().apart();
    let users = house.layer.users();
    let ada = log_in(&house, "ada").await;
    let session = kept(&ada).await;
    assert_eq!(session.handle(), None);
    let handle = "0000000000000000".parse().unwrap();
    let errors = [
        users.sessions_of("ada").await.err(),
        users.end("ada", handle).await.err(),
        users.end_others(&session).await.err(),
        users.end_all("ada").await.err(),
        users.edit("ada", |_| Ok(())).await.err(),
    ];
    for error in errors {
        let Some(SessionError::Unsupported(why)) = &error else { panic!("{error:?}") };
        assert!(why.contains("SessionLayer::roster"));
        assert_eq!(error.unwrap().status(), 501);
    }
    house.clock.advance(HOUR);
}
