//! All sessions of a user on two servers: a roster is never read from memory.

use cloakroom::{Roster, SessionLayer};
use cloakroom_testing::{MINUTE, Visitor, logout_races, users_races};

use std::sync::Arc;

use cloakroom::store::{MemoryStore, Near, SessionStore};

use crate::shop::Shop;

fn layer(shop: &Shop, server: &Near) -> SessionLayer {
    shop.layer(server).roster(Roster::default())
}

async fn log_in(visitor: &Visitor) {
    visitor.visit(async |session| session.log_in("ada").await).await.is_ok();
}

async fn who(visitor: &Visitor) -> String {
    visitor.visit(async |session| Ok(session.principal())).await.is_ok().body.clone()
}

#[tokio::test]
async fn a_login_on_one_server_is_listed_by_the_other_at_once() {
    let shop = Shop::with(MINUTE);
    let [west, east] = [layer(&shop, &shop.west), layer(&shop, &shop.east)];
    for (number, server) in [&west, &east, &west, &east].into_iter().enumerate() {
        log_in(&Visitor::new(server.clone())).await;
        for server in [&west, &east] {
            let sessions = server.users().sessions_of("ada").await.unwrap();
            assert_eq!(sessions.len(), number + 1);
        }
    }
}

#[tokio::test]
async fn an_end_of_all_on_one_server_ends_the_writes_of_the_other_at_once() {
    let shop = Shop::with(MINUTE);
    let [west, east] = [layer(&shop, &shop.west), layer(&shop, &shop.east)];
    let visitors = [Visitor::new(west.clone()), Visitor::new(west)];
    for visitor in &visitors {
        log_in(visitor).await;
    }
    assert_eq!(east.users().end_all("ada").await.unwrap(), Some(2));
    for visitor in &visitors {
        assert_eq!(who(visitor).await, r#"Some("ada")"#, "a read, within the staleness");
        visitor.visit(async |session| session.insert("k", &1)).await.is_gone();
        assert_eq!(who(visitor).await, "None");
    }
}

#[tokio::test]
async fn a_login_that_began_before_an_end_of_all_is_refused() {
    let shop = Shop::with(MINUTE);
    let [west, east] = [layer(&shop, &shop.west), layer(&shop, &shop.east)];
    log_in(&Visitor::new(west.clone())).await;
    let late = Visitor::new(west);
    let answer = late
        .visit(async |session| {
            session.log_in("ada").await?;
            east.users().end_all("ada").await
        })
        .await;
    answer.is_gone();
    assert_eq!(who(&late).await, "None");
}

#[tokio::test]
async fn a_limit_counts_the_sessions_of_both_servers() {
    let shop = Shop::with(MINUTE);
    let limited = |server: &Near| shop.layer(server).roster(Roster::default().limit(1));
    let first = Visitor::new(limited(&shop.west));
    log_in(&first).await;
    log_in(&Visitor::new(limited(&shop.east))).await;
    first.visit(async |session| session.insert("k", &1)).await.is_gone();
    let sessions = limited(&shop.west).users().sessions_of("ada").await.unwrap();
    assert_eq!(sessions.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_one_server_no_login_and_no_renewal_survives_an_end_and_no_limit_is_exceeded() {
    let near = Near::new(MemoryStore::new());
    let servers: [Arc<dyn SessionStore>; 2] = [Arc::new(near.clone()), Arc::new(near)];
    users_races::run(servers, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_one_server_no_change_survives_a_logout() {
    let near = Near::new(MemoryStore::new());
    let servers: [Arc<dyn SessionStore>; 2] = [Arc::new(near.clone()), Arc::new(near)];
    logout_races::run(servers, 1_000).await;
}
