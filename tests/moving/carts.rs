//! The cart's nodes change their store while visitors go on shopping. From Redis to DynamoDB it is in
//! `tests/dynamodb`.

use cloakroom::store::{PostgresServer, PostgresStore};
use cloakroom_testing::fleet::{STEPS, Shoppers, StoreMove, Trade, keys_of_files, move_the_rest};
use cloakroom_testing::postgres::{DATABASE, PASSWORD, Server, USER, table};

use crate::local::Local;

/// Prints what happened, for whoever looks, and checks that something did.
fn was_busy(trade: &Trade) {
    println!("{trade:?}");
    assert!(trade.logouts > 20 && trade.done > 250, "{trade:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_files_to_sqlite_nobody_notices() {
    let local = Local::new();
    let retire = || std::fs::remove_dir_all(local.folder.join("old")).unwrap();
    let rest = async || local.move_the_rest().await;
    was_busy(&local.stores().under_load::<Shoppers>(&STEPS, rest, retire).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn from_files_to_postgresql_nobody_notices() {
    let (local, server, name) = (Local::new(), Server::start(), table());
    let url = server.url_of(&name);
    let stores = StoreMove { to: &url, features: "axum,file,postgres", ..local.stores() };
    let rest = async || {
        let login = PostgresServer::host("127.0.0.1", server.port).database(DATABASE);
        let login = login.credentials(USER, PASSWORD);
        let table = PostgresStore::builder().table(&name).connect(&login).await.unwrap();
        let keys = || keys_of_files(&local.folder.join("old"));
        move_the_rest(local.files().await, table, keys).await
    };
    let retire = || std::fs::remove_dir_all(local.folder.join("old")).unwrap();
    was_busy(&stores.under_load::<Shoppers>(&STEPS, rest, retire).await.unwrap());
}

/// Checks that a visitor has missed something, has been logged out, or has found an ended session again: a
/// node that does not see a session has nothing to end either.
fn assert_noticed(broken: &str) {
    let seen = ["were acknowledged, and are lost", "not Some", "a session came back"];
    assert!(seen.iter().any(|seen| broken.contains(seen)), "{broken}");
}

/// Each session of the old store is missed as soon as its visitor comes to a node with the new store alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_new_store_alone_is_noticed() {
    assert_noticed(&Local::new().broken_promise::<Shoppers>(&[0, 3]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_out_without_the_second_step_is_noticed() {
    assert_noticed(&Local::new().broken_promise::<Shoppers>(&[0, 1, 3]).await);
}

/// A node with the old store alone knows no fence, and answers 503.
#[tokio::test(flavor = "multi_thread")]
async fn a_roll_out_without_the_first_step_is_noticed() {
    let broken = Local::new().broken_promise::<Shoppers>(&[0, 2]).await;
    assert!(broken.contains("no answer"), "{broken}");
}

/// A visitor who did nothing since the second step is left behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_last_step_that_does_not_wait_for_everybody_is_noticed() {
    let broken = Local::new().broken_promise::<Shoppers>(&STEPS).await;
    assert!(broken.contains("sleeper 0"), "{broken}");
}
