//! The sessions of one user on several nodes of the login example.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::json;

use super::Fleet;
use crate::examples::{HeldLogin, Member};

/// A name and its password in the login example.
pub type Person = (&'static str, &'static str);

pub const ALICE: Person = ("alice", "wonderland");
pub const MALLORY: Person = ("mallory", "password1");
/// The administrator.
pub const ROOT: Person = ("root", "toor-toor");

/// Starts two nodes over `store` and checks what each of them knows and ends of the other's sessions.
pub async fn two_nodes_share_their_users(store: &str, features: &str, variables: &[(&str, &str)]) {
    let variables = [variables, &[("LIMIT", "4")]].concat();
    let fleet = Fleet::patient("login", 2, store, features, &variables).await;
    let (west, east) = (fleet.url(0), fleet.url(1));
    devices_are_everywhere(west, east).await;
    an_end_at_one_node_is_one_at_the_other(west, east).await;
    a_ban_reaches_every_session(west, east).await;
    a_login_that_waits_is_refused_after_an_end(west, east).await;
    of_logins_at_once_the_limit_is_kept(west, east).await;
    messages_are_shown_by_one_node(west, east).await;
}

async fn log_in(url: &str, (user, password): Person) -> Member {
    Member::logged_in(url, user, password).await
}

/// Ends all sessions of alice, so that the next check begins with none.
async fn end_all(url: &str) -> serde_json::Value {
    let mut root = log_in(url, ROOT).await;
    let reply = root.delete("/api/admin/users/alice/sessions").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

async fn devices_are_everywhere(west: &str, east: &str) {
    let (mut one, mut other) = (log_in(west, ALICE).await, log_in(east, ALICE).await);
    let both = BTreeSet::from([one.handle().await, other.handle().await]);
    for mut member in [one.clone(), other.clone(), one.moved_to(east), other.moved_to(west)] {
        assert_eq!(BTreeSet::from_iter(member.devices().await), both);
    }
    // A token from one node is good at the other.
    let token = one.me().await["csrf"].as_str().unwrap().to_owned();
    let mut moved = one.moved_to(east).visitor;
    moved.headers.insert("x-csrf-token", token.parse().unwrap());
    assert_eq!(moved.post("/api/note", json!({"text": "from the east"})).await.status, 200);
    assert_eq!(one.get("/api/note").await.json()["note"], "from the east");
    assert_eq!(end_all(east).await, json!({"ended": 2}));
}

async fn an_end_at_one_node_is_one_at_the_other(west: &str, east: &str) {
    let mut one = log_in(west, ALICE).await;
    let mut others = [log_in(east, ALICE).await, log_in(west, ALICE).await];
    let first = others[0].handle().await;
    assert_eq!(one.delete(&format!("/api/devices/{first}")).await.status, 204);
    assert_eq!(others[0].user().await, json!(null));
    assert_eq!(others[1].user().await, "alice");
    let reply = one.moved_to(east).post("/api/devices/end-others", json!(null)).await;
    assert_eq!(reply.json(), json!({"ended": 1}));
    assert_eq!((others[1].user().await, one.user().await), (json!(null), json!("alice")));
    assert_eq!(end_all(east).await, json!({"ended": 1}));
    assert_eq!(one.user().await, json!(null));
}

async fn a_ban_reaches_every_session(west: &str, east: &str) {
    let mut members = [log_in(west, ALICE).await, log_in(east, ALICE).await];
    let mut root = log_in(west, ROOT).await;
    let reply = root.post("/api/admin/users/alice/ban", json!(null)).await;
    assert_eq!(reply.json(), json!({"edited": 2}));
    for member in &mut members {
        assert_eq!(member.me().await["role"], "banned");
        assert_eq!(member.get("/api/devices").await.status, 403);
    }
    end_all(east).await;
}

async fn a_login_that_waits_is_refused_after_an_end(west: &str, east: &str) {
    let mut attempt = 1;
    let reply = loop {
        let held = HeldLogin::begin(Member::at(west), attempt).await;
        let begun = Instant::now();
        end_all(east).await;
        let done = Instant::now();
        if let Some(reply) = held.answer(begun, done).await {
            break reply;
        }
        attempt += 1;
        assert!(attempt <= 5, "no login was under way during an end");
        end_all(east).await;
    };
    assert_eq!((reply.status.as_u16(), reply.header("set-cookie")), (409, None), "{reply:?}");
    assert_eq!(log_in(west, ALICE).await.devices().await.len(), 1, "a later login works");
    end_all(west).await;
}

async fn of_logins_at_once_the_limit_is_kept(west: &str, east: &str) {
    let logins: Vec<_> = (0..8)
        .map(|at| {
            let url = [west, east][at % 2].to_owned();
            tokio::spawn(async move { log_in(&url, ALICE).await })
        })
        .collect();
    let mut members = Vec::new();
    for login in logins {
        members.push(login.await.unwrap());
    }
    let mut live = 0;
    for member in &mut members {
        live += usize::from(member.user().await == "alice");
    }
    assert_eq!(live, 4, "the limit");
    assert_eq!(end_all(east).await, json!({"ended": 4}));
}

async fn messages_are_shown_by_one_node(west: &str, east: &str) {
    let mut member = log_in(west, ALICE).await;
    for text in ["one", "two", "three"] {
        assert_eq!(member.post("/api/flash", json!({"text": text})).await.status, 204);
    }
    let takers = [west, east, west, east].map(|url| {
        let mut tab = member.moved_to(url);
        tokio::spawn(async move { tab.get("/api/flash").await.json() })
    });
    let mut shown = Vec::new();
    for taker in takers {
        shown.extend(taker.await.unwrap().as_array().unwrap().clone());
    }
    assert_eq!(shown, ["one", "two", "three"]);
    end_all(west).await;
}
