//! Checks of what the cart promises across nodes.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::Fleet;
use crate::examples::{Reply, Upload, Visitor};

/// The result of a check; the error names the broken promise.
type Check = Result<(), String>;

fn holds(condition: bool, broken: impl FnOnce() -> String) -> Check {
    if condition { Ok(()) } else { Err(broken()) }
}

fn plums() -> Value {
    json!({"sku": "plum", "qty": 1})
}

/// The answers to the parallel changes of one visitor.
#[derive(Debug, Default)]
pub struct Tally {
    acknowledged: u64,
    unavailable: u64,
    /// The nodes that acknowledged a change.
    nodes: BTreeSet<String>,
}

impl Tally {
    fn add(&mut self, reply: &Reply) -> Check {
        match reply.status {
            StatusCode::OK => {
                self.acknowledged += 1;
                self.nodes.insert(reply.json()["node"].to_string());
            }
            StatusCode::SERVICE_UNAVAILABLE => self.unavailable += 1,
            _ => return Err(format!("{reply:?}")),
        }
        Ok(())
    }

    /// Returns whether this count is possible. A change that was answered with 503 may have been
    /// made.
    fn allows(&self, counted: u64) -> bool {
        (self.acknowledged..=self.acknowledged + self.unavailable).contains(&counted)
    }
}

/// Checks that every node counts each acknowledged change once, when one visitor makes `changes`
/// changes at the same time through the proxy.
pub async fn parallel_counts(fleet: &Fleet, changes: u64) -> Result<Tally, String> {
    let mut visitor = fleet.visitor();
    let mut tally = Tally::default();
    // The first change alone: without a ticket yet, each would begin a session of its own.
    tally.add(&visitor.post("/api/items", plums()).await)?;
    let others = (1..changes).map(|_| {
        let mut visitor = visitor.clone();
        async move { visitor.post("/api/items", plums()).await }
    });
    for reply in others.collect::<JoinSet<_>>().join_all().await {
        tally.add(&reply)?;
    }
    for node in 0..fleet.nodes.len() {
        let session = fleet.at(node, &visitor).get("/api/session").await.json();
        let counted = session["items"]["plum"].as_u64().unwrap_or_default();
        holds(tally.allows(counted), || format!("{} shows {counted}, {tally:?}", session["node"]))?;
    }
    let all = tally.unavailable > 0 || tally.nodes.len() == fleet.nodes.len();
    holds(all, || format!("not every node took part: {tally:?}"))?;
    Ok(tally)
}

/// Checks that a logout at one node refuses the requests that another node has begun, with 409, and
/// that the session is over on every node.
pub async fn logout_is_final(fleet: &Fleet) -> Check {
    let mut visitor = fleet.at(0, &fleet.visitor());
    visitor.post("/api/items", plums()).await;
    let reply = visitor.post("/api/login", json!({"user": "alice"})).await.json();
    holds(reply["user"] == "alice" && reply["count"] == 1, || format!("no session: {reply}"))?;
    let (add, user) = (plums(), json!({"user": "mallory"}));
    let held = [
        Upload::begin(fleet.url(0), &visitor, "/api/items", &add).await,
        Upload::begin(fleet.url(0), &visitor, "/api/items?hold=300", &add).await,
    ];
    let login = Upload::begin(fleet.url(0), &visitor, "/api/login", &user).await;
    let logout = fleet.at(1, &visitor).send("POST", "/api/logout", None, "").await;
    holds(logout.status == StatusCode::NO_CONTENT, || format!("logout: {logout:?}"))?;
    is_gone(fleet, &visitor).await?;
    for upload in held {
        let status = upload.finish().await.status;
        holds(status == StatusCode::CONFLICT, || format!("a change after the logout: {status}"))?;
    }
    // A login begins a session of its own, with nothing of the one that is over.
    let reply = login.finish().await.json();
    holds(reply["count"] == 0, || format!("a login after the logout: {reply}"))?;
    is_gone(fleet, &visitor).await
}

async fn is_gone(fleet: &Fleet, visitor: &Visitor) -> Check {
    for node in 0..fleet.nodes.len() {
        let reply = fleet.at(node, visitor).get("/api/session").await;
        let session = reply.json();
        let gone = session["user"].is_null() && session["items"] == json!({});
        holds(reply.status == StatusCode::OK && gone, || format!("not gone: {reply:?}"))?;
    }
    Ok(())
}

/// Checks that every node sees at the next request what another one has put into the cart.
pub async fn a_cart_is_everywhere(fleet: &Fleet) -> Check {
    let mut visitor = fleet.visitor();
    for round in 1..=3_u64 {
        for node in 0..fleet.nodes.len() {
            let mut there = fleet.at(node, &visitor);
            let sku = format!("from-{node}");
            let reply = there.post("/api/items", json!({"sku": sku, "qty": 1})).await;
            holds(reply.status == StatusCode::OK, || format!("{reply:?}"))?;
            visitor.cookie = there.cookie;
            let wanted = json!(round);
            for other in 0..fleet.nodes.len() {
                let session = fleet.at(other, &visitor).get("/api/session").await.json();
                holds(session["items"][&sku] == wanted, || {
                    format!("{sku} {wanted} not in {session}")
                })?;
            }
        }
    }
    Ok(())
}
