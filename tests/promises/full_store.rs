//! A memory store that is full refuses new visitors, and nobody else.

use std::sync::Arc;

use cloakroom::Roster;
use cloakroom::store::{MemoryStore, MemoryStoreBuilder};
use cloakroom_testing::{House, Visitor};

const VISITORS: usize = 40;

async fn with_visitors(house: &House) -> Vec<Visitor> {
    let mut visitors = Vec::new();
    for _ in 0..VISITORS {
        let visitor = house.visitor();
        visitor.visit(async |session| session.insert("cart", "an apple")).await.is_ok();
        visitors.push(visitor);
    }
    visitors
}

fn house(change: impl FnOnce(MemoryStoreBuilder) -> MemoryStoreBuilder) -> House {
    let clock = cloakroom_testing::clock();
    let store = change(MemoryStore::builder().clock(clock.clone())).build();
    House::over(Arc::new(store), clock)
}

async fn everybody_comes_and_goes(house: &House) {
    let visitors = with_visitors(house).await;
    let stranger = house.visitor();
    stranger.visit(async |session| session.insert("cart", "a pear")).await.is_outage();
    for visitor in &visitors {
        visitor.visit(async |session| session.log_in("ada").await).await.is_ok();
        let cart = visitor.visit(async |session| session.get::<String>("cart")).await;
        assert!(cart.body.contains("an apple"), "{}", cart.body);
    }
    for visitor in &visitors {
        visitor.visit(async |session| session.destroy().await).await.is_ok();
    }
}

#[tokio::test]
async fn in_a_store_full_of_sessions_everybody_can_log_in_and_out() {
    everybody_comes_and_goes(&house(|store| store.max_sessions(VISITORS))).await;
}

#[tokio::test]
async fn in_a_store_full_of_bytes_everybody_can_log_in_and_out() {
    let one = House::open();
    one.visitor().visit(async |session| session.insert("cart", "an apple")).await.is_ok();
    let bytes = one.entry().await.bytes.len() + 192;
    everybody_comes_and_goes(&house(|store| store.max_bytes(VISITORS * bytes))).await;
}

/// The rosters of the users take room, too, so that not every visitor's login fits into what is kept for them.
#[tokio::test]
async fn in_a_full_store_everybody_can_log_in_and_be_listed() {
    let one = House::open();
    one.visitor().visit(async |session| session.insert("cart", "an apple")).await.is_ok();
    let bytes = one.entry().await.bytes.len() + 192;
    for full in [
        house(|store| store.max_sessions(VISITORS)),
        house(|store| store.max_bytes(VISITORS * bytes)),
    ] {
        let full = full.with(|layer| layer.roster(Roster::default()));
        let visitors = with_visitors(&full).await;
        for visitor in &visitors[..VISITORS / 4] {
            visitor.visit(async |session| session.log_in("ada").await).await.is_ok();
            visitor.visit(async |session| session.renew()).await.is_ok();
        }
        let users = full.layer.users();
        assert_eq!(users.end_all("ada").await.unwrap(), Some(VISITORS / 4));
    }
}
