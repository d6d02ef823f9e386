//! Changes that race with a logout on another server: none of them brings the session back.
//!
//! `RACES` sets how many races are run.

use std::sync::Arc;

use cloakroom::store::SessionStore;
use cloakroom::{Key, SessionLayer};
use tokio::task::{JoinSet, yield_now};

use crate::{COOKIE, Visitor, patient, respond};

const LANES: usize = 8;

/// Runs `RACES` races, or as many as `usual` says, on two servers that share a store, eight at a time.
///
/// # Panics
///
/// If a session is there after its logout was acknowledged, or if the logout has overtaken every change or none.
pub async fn run(stores: [Arc<dyn SessionStore>; 2], usual: usize) {
    let count = std::env::var("RACES").map_or(usual, |races| races.parse().unwrap());
    let [west, east] = stores.map(|store| {
        // A busy machine is no reason for an outage.
        let layer = SessionLayer::new(store, Key::from_bytes(&[7; 32]).unwrap());
        patient(layer)
    });
    let mut lanes = JoinSet::new();
    for lane in 0..LANES {
        let (west, east) = (west.clone(), east.clone());
        lanes.spawn(async move {
            let mut refused = 0;
            for number in (lane..count).step_by(LANES) {
                refused += usize::from(race(&west, &east, number).await);
            }
            refused
        });
    }
    let refused: usize = lanes.join_all().await.into_iter().sum();
    println!("{count} races; the logout overtook {refused} changes that had begun");
    assert!(count < 100 || (1..count).contains(&refused), "one side has won every race: {refused}");
}

/// Returns whether the logout overtook the change: it had found the session, and was refused when it was written.
async fn race(west: &SessionLayer, east: &SessionLayer, number: usize) -> bool {
    let writer = Visitor::new(west.clone());
    writer.visit(async |session| session.insert("k", &number)).await.is_ok();
    let leaver = Visitor::new(east.clone());
    leaver.set_cookie(COOKIE, &writer.ticket());
    let late = writer.copy();
    let change = late.visit(async |session| {
        for _ in 0..number % 12 {
            yield_now().await;
        }
        session.update("k", |value: &mut usize| *value += 1)
    });
    let logout = leaver.ask(async |lazy| {
        for _ in 0..number % 7 {
            yield_now().await;
        }
        respond(lazy.destroy().await)
    });
    let (changed, left) = tokio::join!(change, logout);
    assert!([200, 409].contains(&changed.status.as_u16()), "{changed:?}");
    assert_eq!(left.status, 200, "{left:?}");
    for layer in [west, east] {
        let visitor = Visitor::new(layer.clone());
        visitor.set_cookie(COOKIE, &writer.ticket());
        let seen = visitor.visit(async |session| session.get::<usize>("k")).await;
        assert_eq!((seen.status.as_u16(), &*seen.body), (200, "None"), "race {number}");
    }
    changed.status == 409
}
