//! The cart on three nodes that only share their keys.

use http::StatusCode;
use serde_json::json;

use cloakroom_testing::fleet::{Fleet, a_cart_is_everywhere, logout_is_final, parallel_counts};

const FEATURES: &str = "axum,private";

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_keep_a_cart_with_no_shared_state() {
    for store in ["cookie:", "private-cookie:"] {
        let fleet = Fleet::start(3, store, FEATURES).await;
        a_cart_is_everywhere(&fleet).await.unwrap();
        let mut visitor = fleet.visitor();
        for round in 1..=9 {
            let reply = visitor.post("/api/items", json!({"sku": "apple", "qty": 1})).await;
            assert_eq!(reply.json()["items"], json!({"apple": round}));
        }
        visitor.post("/api/login", json!({"user": "alice"})).await;
        let reply = visitor.get("/api/session").await.json();
        assert_eq!((&reply["user"], &reply["count"]), (&json!("alice"), &json!(9)));
        visitor.send("POST", "/api/logout", None, "").await;
        assert_eq!(visitor.cookie, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_that_is_too_large_gets_413_and_the_old_cart_survives() {
    let fleet = Fleet::start(3, "cookie:", FEATURES).await;
    let mut visitor = fleet.visitor();
    let sku = |n: usize| format!("{n:03}-{}", "x".repeat(60));
    let mut added = 0;
    let refused = loop {
        let reply = visitor.post("/api/items", json!({"sku": sku(added), "qty": 1})).await;
        if reply.status != StatusCode::OK {
            break reply;
        }
        added += 1;
        assert!(added < 100, "a hundred long names do not fit");
    };
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(refused.header("set-cookie"), None);
    for _ in 0..3 {
        assert_eq!(visitor.get("/api/session").await.json()["count"], added);
    }
    assert!(added > 35, "{added} of 64 bytes each");
}

/// The checks that stores pass fail here, which shows that a cookie is not a store.
#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_store_is_not_there() {
    let fleet = Fleet::start(3, "cookie:", FEATURES).await;
    let lost = parallel_counts(&fleet, 30).await.unwrap_err();
    assert!(lost.contains(" shows "), "{lost}");
    let logout = logout_is_final(&fleet).await.unwrap_err();
    assert!(logout.contains("not gone"), "{logout}");
}
