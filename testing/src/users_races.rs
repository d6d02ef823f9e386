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

use crate::{Answer, Visitor, patient};

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
            // A busy machine is no reason for an outage.
            let layer = SessionLayer::new(store.clone(), key.clone()).cookie(cookie).roster(roster);
            patient(layer)
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

/// Asks until the store answers in time.
async fn principal_of(visitor: &Visitor) -> Option<String> {
    loop {
        let mut found = None;
        let look = async |session: Session| {
            found = session.principal();
            Ok(())
        };
        let answer = visitor.visit(look).await;
        if answer.status != 503 {
            answer.is_ok();
            return found;
        }
    }
}

/// Ends all sessions, as somebody does who is answered 503 and tries again.
async fn end_all(users: &Users, who: &str) {
    loop {
        match users.end_all(who).await {
            Err(error) if error.is_outage() => {}
            ended => return assert!(ended.is_ok(), "{ended:?}"),
        }
    }
}

/// Whether the answer is one that a race may have, an outage of a busy machine included.
fn is_fair(answer: &Answer) -> bool {
    [200, 409, 503].contains(&answer.status.as_u16())
}

async fn listed(users: &Users, who: &str) -> usize {
    loop {
        match users.sessions_of(who).await {
            Err(error) if error.is_outage() => {}
            sessions => return sessions.unwrap().len(),
        }
    }
}

async fn is_nobody(visitor: &Visitor, users: &Users, who: &str) {
    assert_eq!(principal_of(visitor).await, None, "{who} is still logged in");
    assert_eq!(listed(users, who).await, 0, "{who} is still listed");
}

/// Returns whether the login was refused. Otherwise it was acknowledged, and then ended.
async fn login_against_end(servers: &Servers, race: usize, moments: &mut Moments) -> bool {
    let who = format!("login {race}");
    let visitor = Visitor::new(servers.west.clone());
    if race.is_multiple_of(2) {
        visitor.visit(async |session| session.insert("cart", &1)).await;
    }
    let (called, call) = oneshot::channel();
    let (ended, end_is_over) = oneshot::channel();
    let (answered, answer_is_there) = oneshot::channel();
    let login = visitor.visit(async |session| {
        session.log_in(&who).await?;
        let _ = called.send(());
        // Now and then one side waits for the other, so that neither wins every race on any machine.
        if race % 16 == 1 {
            let _ = end_is_over.await;
        }
        Ok(())
    });
    let users = servers.east.users();
    let end = async {
        let _ = call.await;
        match race % 16 {
            2 => drop(answer_is_there.await),
            _ => moments.wait(race).await,
        }
        end_all(&users, &who).await;
        let _ = ended.send(());
    };
    let start = Instant::now();
    let timed = async {
        let answer = login.await;
        let _ = answered.send(());
        (answer, start.elapsed())
    };
    let ((answer, took), ()) = tokio::join!(timed, end);
    if race % 16 > 2 {
        moments.note(took);
    }
    is_nobody(&visitor, &users, &who).await;
    assert!(is_fair(&answer), "{answer:?}");
    answer.status == 409
}

async fn renewal_against_end(servers: &Servers, race: usize, moments: &mut Moments) {
    let who = format!("renewal {race}");
    let visitor = Visitor::new(servers.west.clone());
    visitor.visit(async |session| session.log_in(&who).await).await;
    let (begun, begin) = oneshot::channel();
    let renewal = visitor.visit(async |session| {
        let _ = begun.send(());
        session.renew()
    });
    let users = servers.east.users();
    let end = async {
        let _ = begin.await;
        moments.wait(race).await;
        end_all(&users, &who).await;
    };
    let (answer, ()) = tokio::join!(renewal, end);
    assert!(is_fair(&answer), "{answer:?}");
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
    assert!(is_fair(&one) && is_fair(&other), "{one:?} {other:?}");
    let live = [principal_of(&west).await, principal_of(&east).await];
    assert!(live.iter().flatten().count() <= 1, "{who} has two sessions");
    assert!(listed(&servers.west.users(), &who).await <= 1, "{who} is listed twice");
}
