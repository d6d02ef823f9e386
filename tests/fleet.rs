//! The checks of the cart on several nodes. Over `memory:`, which processes do not share, each
//! check must fail; with one node it must pass. The tests of each shared store run the checks over
//! that store.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use cloakroom_testing::fleet::{Fleet, a_cart_is_everywhere, logout_is_final, parallel_counts};

#[tokio::test(flavor = "multi_thread")]
async fn one_node_keeps_what_the_cart_promises() {
    let fleet = Fleet::start(1, "memory:", "axum").await;
    parallel_counts(&fleet, 120).await.unwrap();
    logout_is_final(&fleet).await.unwrap();
    a_cart_is_everywhere(&fleet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_share_nothing_are_noticed() {
    let fleet = Fleet::start(3, "memory:", "axum").await;
    let count = parallel_counts(&fleet, 120).await.unwrap_err();
    assert!(count.contains(" shows "), "{count}");
    let logout = logout_is_final(&fleet).await.unwrap_err();
    assert!(logout.contains("not gone"), "{logout}");
    let cart = a_cart_is_everywhere(&fleet).await.unwrap_err();
    assert!(cart.contains("not in"), "{cart}");
}
