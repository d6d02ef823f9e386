//! The examples as several processes on one database.

use cloakroom_testing::fleet::{
    Fleet, a_cart_is_everywhere, logout_is_final, parallel_counts, two_nodes_share_their_users,
};

use crate::database::Database;

fn url(database: &Database) -> String {
    // A disk that many tests share may take seconds for a commit.
    format!("sqlite://{}?timeout_ms=30000", database.path().display())
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_keep_the_promises_of_the_cart() {
    let database = Database::new();
    let fleet = Fleet::start(3, &url(&database), "axum,sqlite").await;
    parallel_counts(&fleet, 120).await.unwrap();
    logout_is_final(&fleet).await.unwrap();
    a_cart_is_everywhere(&fleet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_share_the_sessions_of_a_user() {
    two_nodes_share_their_users(&url(&Database::new()), "axum,sqlite", &[]).await;
}
