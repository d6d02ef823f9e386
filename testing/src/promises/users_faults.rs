//! A user's sessions while commands fail, others are quicker, and rosters get lost.

use std::time::Duration;

use cloakroom::store::StoreErrorKind::Unavailable;
use cloakroom::store::{Replaced, SessionStore, StoreKey};
use cloakroom::{Roster, SessionError, SessionLayer};

use super::users::{count, house, is_in, kept, log_in, who};
use crate::Command::{Create, Load, Replace};
use crate::promises::Ground;
use crate::{Commands, Fault, HOUR, House, MINUTE, Visitor, comes_true, die_after, settle};

/// Returns the layer of another server over the same store, whose commands are not made to fail.
fn elsewhere(house: &House) -> SessionLayer {
    house.elsewhere().roster(Roster::default().look(false))
}

/// The most commands that any action here takes.
const STEPS: usize = 9;

/// Runs `end` before each command of `action` in turn, and then looks whether the visitor is logged in.
async fn at_each_step(
    ground: Ground,
    prepare: impl AsyncFn(&House) -> Visitor,
    action: impl AsyncFn(&Visitor),
    first: usize,
) {
    for step in first..STEPS {
        let house = house(ground);
        let visitor = prepare(&house).await;
        let users = elsewhere(&house).users();
        let during = users.clone();
        let end = move || async move {
            during.end_all("ada").await.unwrap();
        };
        house.faulty.nth(Commands::All, step + 1, Fault::after(end));
        action(&visitor).await;
        let has_ended = house.faulty.is_spent();
        house.faulty.clear_faults();
        let copy = visitor.at(&elsewhere(&house));
        assert_eq!(who(&copy).await.is_some(), !has_ended, "an end before command {step}");
        assert_eq!(count(&users, "ada").await, usize::from(!has_ended));
    }
}

/// The roster is read by the first command; an end before it is one before the login.
pub async fn p6_no_login_survives_an_end_of_all_at_any_of_its_steps(ground: Ground) {
    let login = async |visitor: &Visitor| {
        visitor.visit(async |session| session.log_in("ada").await).await;
    };
    at_each_step(ground, async |house| house.visitor(), login, 1).await;
    at_each_step(ground, async |house| house.guest().await, login, 2).await;
}

pub async fn p6_no_renewal_survives_an_end_of_all_at_any_of_its_steps(ground: Ground) {
    let renew = async |visitor: &Visitor| {
        visitor.visit(async |session| session.renew()).await;
    };
    at_each_step(ground, async |house| log_in(house, "ada").await, renew, 0).await;
    let again = async |visitor: &Visitor| {
        let login = async |session: cloakroom::Session| {
            session.log_in("ada").await?;
            session.save().await
        };
        visitor.visit(login).await;
    };
    at_each_step(ground, async |house| log_in(house, "ada").await, again, 2).await;
}

/// The other way round: the login comes between two commands of the end.
pub async fn p6_a_login_during_an_end_of_all_is_whole_or_refused(ground: Ground) {
    for step in 0..6 {
        let house = house(ground);
        log_in(&house, "ada").await;
        let visitor = house.visitor().at(&elsewhere(&house));
        let quick = visitor.clone();
        let login = move || async move {
            quick.visit(async |session| session.log_in("ada").await).await;
        };
        house.faulty.nth(Commands::All, step + 1, Fault::after(login));
        house.layer.users().end_all("ada").await.unwrap();
        let is_logged_in = who(&visitor).await.is_some();
        let listed = count(&elsewhere(&house).users(), "ada").await;
        assert_eq!(listed, usize::from(is_logged_in), "a login before command {step}");
    }
}

pub async fn p6_of_two_logins_at_once_no_more_stay_than_the_limit_allows(ground: Ground) {
    for step in 0..STEPS {
        let limit = Roster::default().limit(1).look(false);
        let house = ground().apart().with(|layer| layer.roster(limit));
        let there = elsewhere(&house).roster(limit);
        let (one, other) = (house.visitor(), house.visitor().at(&there));
        let quick = other.clone();
        let login = move || async move {
            quick.visit(async |session| session.log_in("ada").await).await.is_ok();
        };
        house.faulty.nth(Commands::All, step + 1, Fault::after(login));
        one.visit(async |session| session.log_in("ada").await).await.is_ok();
        house.faulty.clear_faults();
        let both = [is_in(&one, "ada").await, is_in(&other, "ada").await];
        assert!(both != [true, true], "a login before command {step}");
        assert_eq!(count(&there.users(), "ada").await, 1);
    }
}

/// A server is killed between any two commands of a login; whatever it leaves is found.
pub async fn p10_a_login_that_is_killed_at_any_step_leaves_nothing_that_cannot_be_found(
    ground: Ground,
) {
    for steps in 0..STEPS {
        let house = house(ground);
        let guest = house.guest().await;
        let copy = guest.copy().at(&elsewhere(&house));
        let users = elsewhere(&house).users();
        let death = die_after(&house.faulty, steps);
        let login = guest.visit(async |session| session.log_in("ada").await);
        tokio::select! {
            answer = login => drop(answer.is_ok()),
            () = death.notified() => {}
        }
        // Nobody has the new ticket, and the old one leads to what was there or nowhere.
        assert_eq!(who(&copy).await, None, "killed after {steps} commands");
        let listed = count(&users, "ada").await;
        assert!(listed <= 1);
        assert_eq!(users.end_all("ada").await.unwrap(), Some(listed));
        assert_eq!((who(&copy).await, count(&users, "ada").await), (None, 0));
    }
}

/// A server is killed between any two commands of an end: to repeat it elsewhere does the rest.
pub async fn p10_an_end_that_is_killed_at_any_step_can_be_repeated(ground: Ground) {
    for steps in 0..STEPS {
        let house = house(ground);
        let visitors = [log_in(&house, "ada").await, log_in(&house, "ada").await];
        let users = house.layer.users();
        let death = die_after(&house.faulty, steps);
        tokio::select! {
            ended = users.end_all("ada") => drop(ended.unwrap()),
            () = death.notified() => {}
        }
        let there = elsewhere(&house);
        there.users().end_all("ada").await.unwrap();
        for visitor in &visitors {
            assert_eq!(who(&visitor.at(&there)).await, None, "killed after {steps} commands");
        }
        let again = house.visitor().at(&there);
        again.visit(async |session| session.log_in("ada").await).await.is_ok();
        assert!(is_in(&again, "ada").await);
    }
}

pub async fn p8_a_login_whose_entry_in_the_roster_is_lost_is_listed_again(ground: Ground) {
    for lost in [Fault::LoseReply, Fault::LoseRequest, Fault::Late] {
        let is_late = matches!(lost, Fault::Late);
        let house = house(ground);
        log_in(&house, "ada").await;
        house.faulty.next(Replace, lost);
        let ada = house.visitor();
        ada.visit(async |session| session.log_in("ada").await).await.is_ok();
        if is_late {
            house.faulty.deliver().await;
        }
        assert!(is_in(&ada, "ada").await);
        assert_eq!(count(&house.layer.users(), "ada").await, 2);
    }
}

pub async fn p8_an_end_whose_answers_are_lost_is_not_acknowledged_before_it_is_done(
    ground: Ground,
) {
    for lost in [Fault::LoseReply, Fault::LoseRequest, Fault::Late] {
        let is_late = matches!(lost, Fault::Late);
        let house = house(ground);
        let (ada, login) = (log_in(&house, "ada").await, house.visitor());
        let users = house.layer.users();
        let answer = login.visit(async |session| {
            session.log_in("ada").await?;
            house.faulty.next(Replace, lost); // the end in the roster
            house.faulty.next(Replace, Fault::LoseReply); // the session, or the end again
            users.end_all("ada").await?;
            Ok(())
        });
        answer.await.is_gone();
        if is_late {
            house.faulty.deliver().await;
        }
        assert_eq!((who(&ada).await, who(&login).await), (None, None));
    }
}

pub async fn p8_an_outage_acknowledges_no_end_and_refuses_logins(ground: Ground) {
    let house = house(ground);
    let users = house.layer.users();
    let ada = log_in(&house, "ada").await;
    for (command, nth) in [(Load, 0), (Replace, 0), (Load, 1), (Replace, 1)] {
        let kinds: Vec<_> = (0..nth).map(|_| Fault::Pass).collect();
        kinds.into_iter().for_each(|pass| house.faulty.next(command, pass));
        house.faulty.next(command, Fault::Fail(Unavailable));
        let ended = users.end_all("ada").await;
        assert!(ended.as_ref().is_err_and(SessionError::is_outage), "{command:?} {nth}: {ended:?}");
        house.faulty.clear_faults();
    }
    assert!(is_in(&ada, "ada").await, "each has failed before it ended anything");
    for fault in [Load, Create] {
        house.faulty.always(fault, || Fault::Fail(Unavailable));
        let answer = house.visitor().visit(async |session| session.log_in("ada").await).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        house.faulty.clear_faults();
    }
    house.faulty.always(Load, || Fault::Fail(Unavailable));
    let listed = users.sessions_of("ada").await;
    assert!(listed.as_ref().is_err_and(SessionError::is_outage), "{listed:?}");
    house.faulty.clear_faults();
    assert_eq!(users.end_all("ada").await.unwrap(), Some(1), "no login has left a session");
}

pub async fn an_end_goes_on_when_nobody_waits_for_it(ground: Ground) {
    let house = house(ground);
    let visitors = [log_in(&house, "ada").await, log_in(&house, "ada").await];
    let users = house.layer.users();
    house.faulty.always(Load, || Fault::Delay(Duration::from_millis(5)));
    let end = tokio::time::timeout(Duration::from_millis(2), users.end_all("ada")).await;
    assert!(end.is_err());
    house.faulty.clear_faults();
    let have_ended = async || [who(&visitors[0]).await, who(&visitors[1]).await] == [None, None];
    assert!(comes_true(have_ended).await, "the sessions live on");
}

pub async fn an_edit_reaches_a_session_that_is_being_renewed(ground: Ground) {
    for step in 0..STEPS {
        let house = house(ground);
        let ada = log_in(&house, "ada").await;
        let users = elsewhere(&house).users();
        let ban = move || async move {
            let banned = users.edit("ada", |session| session.insert("role", "banned")).await;
            assert!(banned.unwrap() >= 1);
        };
        house.faulty.nth(Commands::All, step + 1, Fault::after(ban));
        ada.visit(async |session| session.renew()).await.is_ok();
        if house.faulty.is_spent() {
            let role = ada.visit(async |session| session.get::<String>("role")).await;
            assert_eq!(role.body, r#"Some("banned")"#, "an edit before command {step}");
        }
    }
}

/// During a roll-out, servers without the option renew sessions that are listed.
pub async fn a_server_without_a_roster_beside_one_with(ground: Ground) {
    let house = house(ground);
    let users = house.layer.users();
    let plain = house.elsewhere();
    let new = log_in(&house, "ada").await;
    let old = house.visitor().at(&plain);
    old.visit(async |session| session.log_in("ada").await).await.is_ok();
    let handle = kept(&new).await.handle();
    // What one has written, the other reads and changes.
    for layer in [&plain, &house.layer, &plain] {
        new.at(layer).visit(async |session| session.insert("k", &1)).await.is_ok();
        old.at(layer).visit(async |session| session.insert("k", &1)).await.is_ok();
        new.at(layer).visit(async |session| session.renew()).await.is_ok();
    }
    assert_eq!(kept(&new).await.handle(), handle);
    assert_eq!(count(&users, "ada").await, 1, "the old one is listed from its next renewal on");
    old.at(&house.layer).visit(async |session| session.renew()).await.is_ok();
    assert_eq!(count(&users, "ada").await, 2);
    assert!(kept(&old).await.handle().is_some());
    old.visit(async |session| session.renew()).await.is_ok(); // unlisted, and found by its mark
    assert_eq!(users.end_all("ada").await.unwrap(), Some(2));
    assert_eq!((who(&new).await, who(&old).await), (None, None));
}

async fn evict(house: &House, key: &StoreKey) {
    house.store.delete(key).await.unwrap();
}

fn looking(ground: Ground) -> House {
    ground().apart().with(|layer| layer.roster(Roster::default().look(true)))
}

pub async fn a_session_lists_itself_again_when_its_roster_was_evicted(ground: Ground) {
    let house = looking(ground);
    let users = house.layer.users();
    let (reader, writer) = (log_in(&house, "ada").await, log_in(&house, "ada").await);
    let open = kept(&log_in(&house, "ada").await).await;
    house.clock.advance(5 * MINUTE);
    evict(&house, &house.roster_key("ada")).await;
    assert_eq!(count(&users, "ada").await, 0, "hidden until the next look");
    assert!(is_in(&reader, "ada").await);
    assert_eq!(count(&users, "ada").await, 1);
    writer.visit(async |session| session.insert("k", &1)).await.is_ok();
    assert_eq!(count(&users, "ada").await, 2);
    open.touch().await.unwrap();
    assert_eq!(count(&users, "ada").await, 3);
    // Before the handler, when little of the timeout is left.
    house.clock.advance(20 * MINUTE);
    evict(&house, &house.roster_key("ada")).await;
    let seen = reader.visit(async |_| users.sessions_of("ada").await.map(|list| list.len()));
    assert_eq!(seen.await.body, "1");
}

pub async fn p6_a_session_that_was_hidden_from_an_end_of_all_ends_at_its_next_look(ground: Ground) {
    let house = looking(ground);
    let users = house.layer.users();
    for minutes in [5, 20, 29] {
        let ada = log_in(&house, "ada").await;
        let open = kept(&ada).await;
        evict(&house, &house.roster_key("ada")).await;
        assert_eq!(users.end_all("ada").await.unwrap(), Some(0));
        house.clock.advance(minutes * MINUTE);
        let later = log_in(&house, "ada").await;
        who(&ada).await; // the look
        assert_eq!(who(&ada).await, None, "after {minutes} minutes");
        assert!(matches!(open.save().await, Err(SessionError::Gone)));
        house.clock.advance(5 * MINUTE);
        assert!(is_in(&later, "ada").await && is_in(&later, "ada").await);
        users.end_all("ada").await.unwrap();
    }
    let ada = log_in(&house, "ada").await;
    let open = kept(&ada).await;
    evict(&house, &house.roster_key("ada")).await;
    users.end_all("ada").await.unwrap();
    assert!(
        matches!(open.touch().await, Err(SessionError::Gone)),
        "a touch of a handle looks, too"
    );
}

pub async fn a_look_costs_one_command_beside_a_touch(ground: Ground) {
    let house = looking(ground);
    let ada = log_in(&house, "ada").await;
    let guest = house.guest().await;
    is_in(&ada, "ada").await;
    assert_eq!(house.counting.take(), [Load]);
    house.clock.advance(5 * MINUTE);
    is_in(&ada, "ada").await;
    assert_eq!(house.counting.take(), [Load, crate::Command::Touch, Load]);
    who(&guest).await;
    assert_eq!(house.counting.take(), [Load, crate::Command::Touch], "nobody is logged in");
}

/// A session from before the layer kept a roster has no handle.
pub async fn a_session_from_before_the_roster_is_listed_by_its_next_look(ground: Ground) {
    let house = looking(ground);
    let plain = house.elsewhere();
    let ada = house.visitor().at(&plain);
    ada.visit(async |session| session.log_in("ada").await).await.is_ok();
    house.clock.advance(5 * MINUTE);
    let ada = ada.at(&house.layer);
    assert!(is_in(&ada, "ada").await);
    let sessions = house.layer.users().sessions_of("ada").await.unwrap();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0].handle(), kept(&ada).await.handle());
    let other = house.visitor().at(&plain);
    other.visit(async |session| session.log_in("ada").await).await.is_ok();
    let other = other.at(&house.layer);
    let ended = other.visit(async |session| {
        let users = house.layer.users();
        users.end_others(&session).await
    });
    assert_eq!(ended.await.is_ok().body, "Some(1)", "it spares itself without a handle");
    assert!(is_in(&other, "ada").await);
    assert_eq!(who(&ada).await, None);
}

pub async fn p12_a_damaged_roster_locks_nobody_out(ground: Ground) {
    let house = house(ground);
    let users = house.layer.users();
    log_in(&house, "ada").await;
    let entry = house.store.load(&house.roster_key("ada")).await.unwrap().unwrap();
    let commit = cloakroom::store::CommitId::from_bytes([9; 8]);
    let damaged = cloakroom::store::NewEntry::new(commit, entry.deadline, "no roster");
    let replaced =
        house.store.replace(&house.roster_key("ada"), &entry.version, &damaged).await.unwrap();
    let Replaced::Done(version) = replaced else { panic!("{replaced:?}") };
    let ada = log_in(&house, "ada").await;
    assert!(is_in(&ada, "ada").await);
    assert_eq!(count(&users, "ada").await, 1);
    assert_ne!(house.store.load(&house.roster_key("ada")).await.unwrap().unwrap().version, version);
}

pub async fn p12_a_roster_of_a_newer_format_is_never_written_over(ground: Ground) {
    let house = house(ground);
    let users = house.layer.users();
    let ada = log_in(&house, "ada").await;
    let entry = house.store.load(&house.roster_key("ada")).await.unwrap().unwrap();
    let mut bytes = entry.bytes.to_vec();
    bytes[1] = 7;
    let commit = cloakroom::store::CommitId::from_bytes([9; 8]);
    let newer = cloakroom::store::NewEntry::new(commit, entry.deadline, bytes.clone());
    house.store.replace(&house.roster_key("ada"), &entry.version, &newer).await.unwrap();
    let answer = house.visitor().visit(async |session| session.log_in("ada").await).await;
    assert!(matches!(answer.error, Some(SessionError::NewerFormat { version: 7 })), "{answer:?}");
    assert_eq!(answer.status, 503);
    let renewed = ada.visit(async |session| session.renew()).await;
    assert_eq!(renewed.status, 503);
    for error in [users.end_all("ada").await.err(), users.sessions_of("ada").await.err()] {
        assert!(matches!(error, Some(SessionError::NewerFormat { version: 7 })), "{error:?}");
    }
    assert_eq!(house.store.load(&house.roster_key("ada")).await.unwrap().unwrap().bytes, bytes);
    assert!(is_in(&ada, "ada").await);
}

pub async fn p12_a_damaged_session_is_left_out_of_lists_and_ended(ground: Ground) {
    let house = house(ground);
    let users = house.layer.users();
    let (damaged, ada) = (log_in(&house, "ada").await, log_in(&house, "ada").await);
    who(&damaged).await;
    let key = house.overwrite("no session").await;
    assert_eq!(count(&users, "ada").await, 1);
    assert!(users.end_all("ada").await.is_ok());
    assert_eq!(who(&ada).await, None);
    let answer = damaged.visit(async |session| session.get::<u32>("k")).await;
    assert_eq!(answer.status, 500, "{answer:?}");
    assert!(house.store.load(&key).await.unwrap().is_some());
}

pub async fn a_roster_lives_ten_minutes_longer_than_its_sessions_may(ground: Ground) {
    let house = house(ground);
    log_in(&house, "ada").await;
    let entry = house.store.load(&house.roster_key("ada")).await.unwrap().unwrap();
    assert_eq!(entry.deadline.since(house.clock.now()), 12 * HOUR + 10 * MINUTE);
    // A session that it has lost may come back until then, and must find that it was ended.
    house.layer.users().end_all("bob").await.unwrap();
    let entry = house.store.load(&house.roster_key("bob")).await.unwrap().unwrap();
    assert_eq!(entry.deadline.since(house.clock.now()), 400 * 24 * HOUR + 10 * MINUTE);
}

/// An end of all may have been forgotten by then, together with its roster.
pub async fn p6_a_login_that_takes_more_than_five_minutes_is_refused() {
    let house = house(House::open);
    let ada = house.visitor();
    let answer = ada.visit(async |session| {
        session.log_in("ada").await?;
        tokio::time::sleep(5 * MINUTE + Duration::from_secs(1)).await;
        Ok(())
    });
    answer.await.is_gone();
    assert_eq!(count(&house.layer.users(), "ada").await, 0);
}

/// Every command takes a second, so seconds are round trips one after the other.
pub async fn logins_lists_and_ends_take_as_many_round_trips_as_the_page_says() {
    let house = house(House::open);
    let users = house.layer.users();
    let (ada, guest) = (house.visitor(), house.guest().await);
    let second = Duration::from_secs(1);
    for command in [Load, Create, Replace] {
        house.faulty.always(command, move || Fault::Delay(second));
    }
    let start = tokio::time::Instant::now();
    let lap = |last: &mut u64| {
        let now = start.elapsed().as_secs();
        now - std::mem::replace(last, now)
    };
    let mut last = 0;
    ada.visit(async |session| session.log_in("ada").await).await.is_ok();
    assert_eq!(lap(&mut last), 3, "the login of a new visitor");
    guest.visit(async |session| session.log_in("ada").await).await.is_ok();
    assert_eq!(lap(&mut last), 5, "a login over an anonymous session");
    guest.visit(async |session| session.renew()).await.is_ok();
    assert_eq!(lap(&mut last), 3, "a renewal");
    let handle = users.sessions_of("ada").await.unwrap()[0].handle().unwrap();
    assert_eq!(lap(&mut last), 2, "a list, one of whose entries is the mark of a renewal");
    users.end("ada", handle).await.unwrap();
    last = start.elapsed().as_secs();
    let bob = house.visitor();
    bob.visit(async |session| session.log_in("bob").await).await.is_ok();
    house.visitor().visit(async |session| session.log_in("bob").await).await.is_ok();
    assert_eq!(lap(&mut last), 6);
    let handle = users.sessions_of("bob").await.unwrap()[0].handle().unwrap();
    assert_eq!(lap(&mut last), 2, "a list");
    users.end("bob", handle).await.unwrap();
    assert_eq!(lap(&mut last), 3, "an end of one");
    bob.visit(async |session| session.log_in("bob").await).await.is_ok();
    last = start.elapsed().as_secs();
    users.end_all("bob").await.unwrap();
    assert_eq!(lap(&mut last), 4, "an end of all");
}

/// The handler waits for its `save` for a while only; the end of the request does the rest.
pub async fn p10_a_renewal_whose_save_was_dropped_is_listed_before_its_ticket_leaves() {
    let mut answered = 0;
    for polls in 0..60 {
        let house = house(House::open);
        let ada = log_in(&house, "ada").await;
        let copy = ada.copy();
        for command in [Load, Create, Replace] {
            house.faulty.always(command, || Fault::after(tokio::task::yield_now));
        }
        let answer = ada.visit(async |session| {
            session.renew()?;
            crate::hang_up(session.save(), polls).await;
            Ok(())
        });
        let answer = answer.await;
        house.faulty.clear_faults();
        settle().await;
        let users = house.layer.users();
        if answer.status == 200 {
            answered += 1;
            assert!(is_in(&ada, "ada").await, "a save dropped after {polls} polls");
            assert_eq!(count(&users, "ada").await, 1, "a save dropped after {polls} polls");
        }
        users.end_all("ada").await.unwrap();
        assert_eq!((who(&ada).await, who(&copy).await), (None, None));
    }
    assert_eq!(answered, 60);
}
