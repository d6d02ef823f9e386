//! Changes that race with a logout on another server: none of them brings the session back.
//!
//! `RACES` sets how many races are run.

use cloakroom::{Key, SessionLayer};
use cloakroom_testing::postgres::{Server, table};
use cloakroom_testing::{MINUTE, Visitor, respond};
use tokio::task::yield_now;

use super::stores::store;

async fn race(west: &SessionLayer, east: &SessionLayer, number: usize) {
    let writer = Visitor::new(west.clone());
    writer.visit(async |session| session.insert("k", &number)).await.is_ok();
    let leaver = Visitor::new(east.clone());
    leaver.set_cookie(cloakroom_testing::COOKIE, &writer.ticket());
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
        visitor.set_cookie(cloakroom_testing::COOKIE, &writer.ticket());
        let seen = visitor.visit(async |session| session.get::<usize>("k")).await;
        assert_eq!((seen.status.as_u16(), &*seen.body), (200, "None"), "race {number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn no_change_brings_a_session_back_after_its_logout() {
    let count = std::env::var("RACES").map_or(1_000, |races| races.parse().unwrap());
    let table = table();
    let layer = async || {
        let store = store(Server::shared(), &table).await;
        let layer = SessionLayer::new(store, Key::from_bytes(&[7; 32]).unwrap());
        // A busy machine is no reason for an outage.
        layer.command_timeout(MINUTE).commit_timeout(MINUTE)
    };
    let (west, east) = (layer().await, layer().await);
    let mut races = tokio::task::JoinSet::new();
    for lane in 0..8 {
        let (west, east) = (west.clone(), east.clone());
        races.spawn(async move {
            for number in (lane..count).step_by(8) {
                race(&west, &east, number).await;
            }
        });
    }
    races.join_all().await;
}
