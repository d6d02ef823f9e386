//! Observers that misbehave: one that uses the session it is told about, and one that panics.

use std::sync::{Arc, Mutex};

use cloakroom::events::{Conflict, CookieRefused, Outage, SessionEvent, StoreCommand};
use cloakroom::store::{MemoryStore, StoreErrorKind};
use cloakroom::{CookieSessions, LazySession, Observer, Revocations, Roster, Session};
use cloakroom_testing::Command::{Load, Replace};
use cloakroom_testing::{COOKIE, Fault, House, MINUTE, Recorder, Trace, Visitor, respond};

use crate::{NOTHING, observed};

/// Uses the handles that the test has put here at every event, as code does that awaits nothing.
#[derive(Clone, Default)]
struct Nosy(Arc<Mutex<Handles>>);

#[derive(Clone, Default)]
struct Handles {
    lazy: Option<LazySession>,
    session: Option<Session>,
    used: usize,
}

impl Nosy {
    fn keep(&self, lazy: &LazySession, session: Option<&Session>) {
        let mut handles = self.0.lock().unwrap();
        (handles.lazy, handles.session) = (Some(lazy.clone()), session.cloned());
    }

    fn look(&self) {
        let Handles { lazy, session, .. } = self.0.lock().unwrap().clone();
        let _ = format!("{lazy:?} {session:?}");
        if let Some(session) = session {
            let _ = (session.get::<u32>("k"), session.principal(), session.handle());
            let _ = (session.is_new(), session.expires_at(), session.insert("seen", &1));
            session.discard();
        }
        self.0.lock().unwrap().used += 1;
    }

    fn used(&self) -> usize {
        std::mem::take(&mut self.0.lock().unwrap().used)
    }
}

impl Observer for Nosy {
    fn session(&self, _: &SessionEvent) {
        self.look();
    }

    fn cookie_refused(&self, _: &CookieRefused) {
        self.look();
    }

    fn conflict(&self, _: &Conflict) {
        self.look();
    }

    fn command(&self, _: &StoreCommand) {
        self.look();
    }

    fn outage(&self, _: &Outage) {
        self.look();
    }
}

/// Lets requests meet every event there is.
pub(crate) async fn everything(house: &House, keep: impl Fn(&LazySession, Option<&Session>)) {
    let visit = async |visitor: &Visitor, act: &dyn Fn(&Session)| {
        let answer = visitor.ask(async |lazy| {
            keep(&lazy, None);
            let Ok(session) = lazy.load().await else { return respond(lazy.load().await) };
            keep(&lazy, Some(&session));
            act(&session);
            respond(session.save().await)
        });
        answer.await
    };
    let guest = house.visitor();
    visit(&guest, &|session| session.insert("k", &1).unwrap()).await.is_ok();
    visit(&guest, &|session| session.insert("k", &2).unwrap()).await.is_ok();
    visit(&guest, &|session| session.renew().unwrap()).await.is_ok();
    guest.visit(async |session| session.log_in("ada").await).await.is_ok();
    let other = guest.copy();
    let conflict = guest.ask(async |lazy| {
        keep(&lazy, None);
        let session = lazy.load().await.unwrap();
        other.visit(async |session| session.insert("k", &3)).await.is_ok();
        keep(&lazy, Some(&session));
        session.insert("j", &4).unwrap();
        respond(session.save().await)
    });
    conflict.await.is_ok();
    house.faulty.next(Replace, Fault::LoseReply);
    visit(&guest, &|session| session.insert("k", &5).unwrap()).await;
    house.faulty.next(Load, Fault::Fail(StoreErrorKind::Unavailable));
    visit(&guest, &|_| ()).await;
    visit(&guest, &|_| ()).await.is_ok();
    let users = house.layer.users();
    house.clock.advance(MINUTE);
    house.visitor().visit(async |session| session.log_in("ada").await).await.is_ok();
    let _ = guest.visit(async |session| users.end_others(&session).await).await;
    guest.ask(async |lazy| respond(lazy.destroy().await)).await.is_ok();
    guest.set_cookie(COOKIE, "nonsense");
    visit(&guest, &|_| ()).await.is_ok();
    let late = house.guest().await;
    house.clock.advance(31 * MINUTE);
    visit(&late, &|_| ()).await.is_ok();
}

fn houses() -> [House; 3] {
    let revoked = House::open();
    let revocations = Revocations::new(MemoryStore::new());
    [
        House::open().with(|layer| layer.roster(Roster::default())),
        revoked.with(|layer| layer.revocations(revocations)),
        House::in_cookies(CookieSessions::signed()),
    ]
}

#[tokio::test(start_paused = true)]
async fn an_observer_may_use_the_session_that_it_is_told_about() {
    for house in houses() {
        let nosy = Nosy::default();
        let (house, told) = observed(house);
        let house = house.with(|layer| layer.observer(nosy.clone()));
        everything(&house, |lazy, session| nosy.keep(lazy, session)).await;
        assert_eq!(nosy.used(), told.take().len());
    }
}

struct Panics;

impl Observer for Panics {
    fn session(&self, event: &SessionEvent) {
        panic!("at {event:?}");
    }

    fn cookie_refused(&self, event: &CookieRefused) {
        panic!("at {event:?}");
    }

    fn conflict(&self, event: &Conflict) {
        panic!("at {event:?}");
    }

    fn command(&self, event: &StoreCommand) {
        panic!("at {event:?}");
    }

    fn outage(&self, event: &Outage) {
        panic!("at {event:?}");
    }
}

/// An observer that panics changes neither the answers nor the events of the other observer.
#[tokio::test(start_paused = true)]
async fn a_panic_of_an_observer_changes_nothing() {
    let mut told = Vec::new();
    for panics in [false, true] {
        let trace = Trace::listen();
        for house in houses() {
            let recorder = Recorder::default();
            let house = house.with(|layer| match panics {
                true => layer.observer(Panics).observer(recorder.clone()),
                false => layer.observer(recorder.clone()),
            });
            everything(&house, |_, _| ()).await;
            told.push(recorder.take());
        }
        let warned = |line: &String| line.contains("an observer of sessions has panicked");
        assert_eq!(trace.lines().iter().any(warned), panics);
    }
    let (calm, panicking) = told.split_at(3);
    assert_eq!(calm, panicking);
    assert!(calm.iter().all(|events| events.len() > 8), "{calm:?}");
}

#[tokio::test]
async fn a_handle_goes_on_after_a_panic_of_an_observer() {
    let house = House::open().with(|layer| layer.observer(Panics));
    let guest = house.visitor();
    let visit = guest.visit(async |session| {
        session.insert("k", &1)?;
        session.save().await?;
        session.insert("k", &2)?;
        session.save().await?;
        session.touch().await?;
        session.reload().await?;
        session.get::<u32>("k")
    });
    assert_eq!(visit.await.is_ok().body, "Some(2)");
    let again = guest.visit(async |session| session.get::<u32>("k")).await;
    assert_eq!(again.is_ok().body, "Some(2)");
}

#[tokio::test]
async fn an_observer_without_methods_is_told_nothing() {
    struct Idle;
    impl Observer for Idle {}
    let (house, told) = observed(House::open().with(|layer| layer.observer(Arc::new(Idle))));
    house.guest().await;
    assert_eq!(told.take(), ["create done", "created"]);
    assert_eq!(told.take(), NOTHING);
}
