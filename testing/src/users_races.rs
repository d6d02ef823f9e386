//! Logins and renewals that race with the end of all sessions, and with each other for the last place.
//!
//! `RACES` sets how many of each kind are run.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cloakroom::store::SessionStore;
use cloakroom::{CookieOptions, Key, Roster, Session, SessionLayer, Users};
use tokio::sync::oneshot;
use tokio::task::yield_now;

use crate::Visitor;

/// Two servers over one store.
#[derive(Debug)]
struct Servers {
    west: SessionLayer,
    east: SessionLayer,
}

impl Servers {
    fn over([west, east]: &[Arc<dyn SessionStore>; 2], roster: Roster) -> Self {
        let key = Key::from_bytes(&[7; 32]).unwrap();
        let layer = |store: &Arc<dyn SessionStore>| {
            let cookie = CookieOptions::builder().name("__Host-races").build().unwrap();
            SessionLayer::new(store.clone(), key.clone()).cookie(cookie).roster(roster)
        };
        Self { west: layer(west), east: layer(east) }
    }
}

/// Runs `RACES` races of each kind, or as many as `usual` says, and panics if a session survives an end that
/// it must not survive, or if two are left where one is allowed.
pub async fn run(stores: [Arc<dyn SessionStore>; 2], usual: usize) {
    let count = std::env::var("RACES").map_or(usual, |races| races.parse().unwrap());
    let servers = Servers::over(&stores, Roster::default());
    let (mut refused, mut moments) = (0, Moments::default());
    for race in 0..count {
        refused += usize::from(login_against_end(&servers, race, &mut moments).await);
        renewal_against_end(&servers, race, &mut moments).await;
    }
    let one = Servers::over(&stores, Roster::default().limit(1));
    for race in 0..count {
        two_logins(&one, race).await;
    }
    println!("{count} races of each kind; {refused} logins were refused, the others ended");
    assert!(count < 100 || (1..count).contains(&refused), "one side has won every race: {refused}");
}

/// The end begins at another moment of each race: from at once to a little longer than the last race took.
#[derive(Default)]
struct Moments {
    longest: Duration,
}

impl Moments {
    async fn wait(&self, race: usize) {
        let part = u32::try_from(race % 16).unwrap();
        let wait = self.longest * part / 14;
        let start = Instant::now();
        while start.elapsed() < wait {
            yield_now().await;
        }
    }

    fn note(&mut self, took: Duration) {
        self.longest = self.longest.max(took).min(took * 4);
    }
}

async fn principal_of(visitor: &Visitor) -> Option<String> {
    let mut found = None;
    let look = async |session: Session| {
        found = session.principal();
        Ok(())
    };
    visitor.visit(look).await.is_ok();
    found
}

async fn is_nobody(visitor: &Visitor, users: &Users, who: &str) {
    assert_eq!(principal_of(visitor).await, None, "{who} is still logged in");
    assert_eq!(users.sessions_of(who).await.unwrap().len(), 0, "{who} is still listed");
}

/// Returns whether the login was refused. Otherwise it was acknowledged, and then ended.
async fn login_against_end(servers: &Servers, race: usize, moments: &mut Moments) -> bool {
    let who = format!("login {race}");
    let visitor = Visitor::new(servers.west.clone());
    if race.is_multiple_of(2) {
        visitor.visit(async |session| session.insert("cart", &1)).await.is_ok();
    }
    let (called, call) = oneshot::channel();
    let login = visitor.visit(async |session| {
        session.log_in(&who).await?;
        let _ = called.send(());
        Ok(())
    });
    let users = servers.east.users();
    let end = async {
        call.await.unwrap();
        moments.wait(race).await;
        users.end_all(&who).await.unwrap();
    };
    let start = Instant::now();
    let timed = async {
        let answer = login.await;
        (answer, start.elapsed())
    };
    let ((answer, took), ()) = tokio::join!(timed, end);
    moments.note(took);
    is_nobody(&visitor, &users, &who).await;
    match answer.status.as_u16() {
        200 => false,
        409 => true,
        status => panic!("{status}: {answer:?}"),
    }
}

async fn renewal_against_end(servers: &Servers, race: usize, moments: &mut Moments) {
    let who = format!("renewal {race}");
    let visitor = Visitor::new(servers.west.clone());
    visitor.visit(async |session| session.log_in(&who).await).await.is_ok();
    let (begun, begin) = oneshot::channel();
    let renewal = visitor.visit(async |session| {
        let _ = begun.send(());
        session.renew()
    });
    let users = servers.east.users();
    let end = async {
        begin.await.unwrap();
        moments.wait(race).await;
        users.end_all(&who).await.unwrap();
    };
    let (answer, ()) = tokio::join!(renewal, end);
    assert!([200, 409].contains(&answer.status.as_u16()), "{answer:?}");
    is_nobody(&visitor, &users, &who).await;
}

async fn two_logins(servers: &Servers, race: usize) {
    let who = format!("limit {race}");
    let (west, east) = (Visitor::new(servers.west.clone()), Visitor::new(servers.east.clone()));
    let one = west.visit(async |session| session.log_in(&who).await);
    let other = east.visit(async |session| {
        for _ in 0..race % 8 {
            yield_now().await;
        }
        session.log_in(&who).await
    });
    let (one, other) = tokio::join!(one, other);
    one.is_ok();
    other.is_ok();
    let live = [principal_of(&west).await, principal_of(&east).await];
    assert!(live.iter().flatten().count() <= 1, "{who} has two sessions");
    assert!(
        servers.west.users().sessions_of(&who).await.unwrap().len() <= 1,
        "{who} is listed twice"
    );
}
