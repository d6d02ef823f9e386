//! By whom a session was ended.

use std::time::Duration;

use cloakroom::events::{EndedBy, SessionChange};
use cloakroom::store::MemoryStore;
use cloakroom::{CookieSessions, Revocations, Revoke, Roster, Session, SessionHandle};
use cloakroom_testing::{House, MINUTE, Recorder, Visitor};

use crate::{NOTHING, observed};

fn rostered(roster: Roster) -> (House, Recorder) {
    observed(House::open().with(|layer| layer.roster(roster)))
}

/// Returns a visitor who is logged in as ada, and the login's handle.
async fn login(house: &House) -> (Visitor, SessionHandle) {
    let visitor = house.visitor();
    let handle = visitor.visit(async |session| {
        session.log_in("ada").await?;
        session.save().await?;
        Ok(session.handle().unwrap().to_string())
    });
    let handle = handle.await.is_ok().body.trim_matches('"').parse().unwrap();
    (visitor, handle)
}

#[tokio::test]
async fn the_users_other_device_ends_each_other_session() {
    let (house, told) = rostered(Roster::default());
    let ((ada, own), (_, phone), (_, tablet)) =
        (login(&house).await, login(&house).await, login(&house).await);
    let users = house.layer.users();
    told.take_sessions();
    told.take();
    let ended = ada.visit(async |session| users.end_others(&session).await);
    assert_eq!(ended.await.body, "Some(2)");
    let line = "ended by other_device";
    assert_eq!(told.take_events(), ["loaded", line, line]);
    let mut handles: Vec<_> =
        told.take_sessions().iter().skip(1).map(|event| event.handle.unwrap()).collect();
    handles.sort();
    let mut others = [phone, tablet];
    others.sort();
    assert_eq!(handles, others);
    assert!(!others.contains(&own));
}

#[tokio::test]
async fn an_administrator_ends_one_or_all() {
    let (house, told) = rostered(Roster::default());
    let users = house.layer.users();
    let ((_, first), _second, _third) =
        (login(&house).await, login(&house).await, login(&house).await);
    told.take();
    assert!(users.end("ada", first).await.unwrap());
    assert_eq!(told.take_events(), ["ended by users"]);
    assert!(!users.end("ada", first).await.unwrap());
    assert_eq!(told.take_events(), NOTHING);
    assert_eq!(users.end_all("ada").await.unwrap(), Some(2));
    assert_eq!(told.take_events(), ["ended by users", "ended by users"]);
    assert_eq!(users.end_all("ada").await.unwrap(), Some(0));
    assert_eq!(told.take_events(), NOTHING);
    // By a handle from the list.
    login(&house).await;
    let sessions: Vec<Session> = users.sessions_of("ada").await.unwrap();
    told.take();
    sessions[0].destroy().await.unwrap();
    assert_eq!(told.take_events(), ["ended by users"]);
}

#[tokio::test]
async fn the_limit_ends_the_oldest() {
    let (house, told) = rostered(Roster::default().limit(1));
    let (_, first) = login(&house).await;
    house.clock.advance(MINUTE);
    told.take_sessions();
    told.take();
    login(&house).await;
    assert_eq!(told.take_events(), ["ended by limit", "created", "logged_in"]);
    assert_eq!(told.take_sessions()[0].handle, Some(first));
}

#[tokio::test]
async fn a_revoked_session_is_told_by_whoever_meets_it() {
    for house in [House::open(), House::in_cookies(CookieSessions::signed())] {
        let store = MemoryStore::builder().clock(house.clock.clone()).build();
        let revocations = Revocations::builder(store).staleness(Duration::ZERO);
        let revocations = revocations.clock(house.clock.clone()).build();
        let (house, told) = observed(house.with(|layer| layer.revocations(revocations.clone())));
        let guest = house.visitor();
        guest.visit(async |session| session.log_in("ada").await).await.is_ok();
        let mut open = Vec::new();
        for _ in 0..2 {
            let keep = async |session: Session| {
                open.push(session);
                Ok(())
            };
            guest.visit(keep).await.is_ok();
        }
        house.clock.advance(MINUTE);
        revocations.revoke_before(Revoke::All, house.clock.now().into()).await.unwrap();
        told.take();
        for _ in 0..2 {
            guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
            assert_eq!(told.take_events(), ["ended by revocation"]);
        }
        open[0].reload().await.unwrap_err();
        assert_eq!(told.take_events(), ["ended by revocation"]);
        open[0].reload().await.unwrap_err();
        assert_eq!(told.take_events(), NOTHING, "the handle knows it");
    }
}

#[tokio::test]
async fn an_open_handle_that_saves_or_touches_tells_that_its_session_is_revoked() {
    let store = MemoryStore::new();
    let house = House::open();
    let revocations = Revocations::builder(store).clock(house.clock.clone()).build();
    let (house, told) = observed(house.with(|layer| layer.revocations(revocations.clone())));
    let guest = house.guest().await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let keep = async |session: Session| {
            open.push(session);
            Ok(())
        };
        guest.visit(keep).await.is_ok();
    }
    house.clock.advance(MINUTE);
    revocations.revoke_before(Revoke::All, house.clock.now().into()).await.unwrap();
    told.take();
    open[0].insert("k", &2).unwrap();
    open[0].save().await.unwrap_err();
    assert_eq!(told.take_events(), ["ended by revocation"]);
    open[1].touch().await.unwrap_err();
    assert_eq!(told.take_events(), ["ended by revocation"]);
}

#[tokio::test]
async fn a_logout_that_follows_a_renewal_names_the_session_that_it_has_ended() {
    let (house, told) = observed(House::open());
    let guest = house.guest().await;
    let tab = guest.copy();
    let logout = tab.visit(async |session| {
        guest.visit(async |other| other.renew()).await.is_ok();
        session.destroy().await
    });
    logout.await.is_ok();
    let sessions = told.take_sessions();
    let [.., renewed, ended] = &sessions[..] else { panic!("{sessions:?}") };
    assert_eq!(renewed.change, SessionChange::Renewed);
    assert_eq!(ended.change, SessionChange::Ended(EndedBy::Visitor));
    assert_eq!(renewed.session, ended.session);
}

#[tokio::test]
async fn a_session_that_an_end_has_missed_is_told_when_its_look_ends_it() {
    let (house, told) = rostered(Roster::default().look(true));
    let (ada, handle) = login(&house).await;
    house.store.delete(&house.roster_key("ada")).await.unwrap();
    house.clock.advance(MINUTE);
    assert_eq!(house.layer.users().end_all("ada").await.unwrap(), Some(0), "its roster was lost");
    house.clock.advance(10 * MINUTE);
    told.take_sessions();
    told.take();
    ada.visit(async |session| session.get::<u32>("k")).await.is_ok();
    assert_eq!(told.take_events(), ["loaded", "ended by users"]);
    assert_eq!(told.take_sessions()[1].handle, Some(handle));
}

/// The end of all sessions has told of this session already.
#[tokio::test]
async fn a_handle_that_learns_of_its_end_tells_nothing() {
    let (house, told) = rostered(Roster::default());
    let (ada, _) = login(&house).await;
    let mut open = None;
    let keep = async |session: Session| {
        open = Some(session);
        Ok(())
    };
    ada.visit(keep).await.is_ok();
    house.layer.users().end_all("ada").await.unwrap();
    told.take();
    open.unwrap().reload().await.unwrap_err();
    assert_eq!(told.take_events(), NOTHING);
    ada.visit(async |session| session.get::<u32>("k")).await.is_ok();
    assert_eq!(told.take_events(), NOTHING, "the mark of the end is there");
    house.clock.advance(2 * MINUTE);
    ada.visit(async |session| session.get::<u32>("k")).await.is_ok();
    assert_eq!(told.take_events(), ["found_expired"]);
}
