//! The login example's nodes change their store while users log in, end their sessions and read the list of them.

use cloakroom::store::{FileStore, RedisServer, RedisStore};
use cloakroom_testing::fleet::{Members, STEPS, StoreMove, Trade, keys_of_redis, move_the_rest};
use cloakroom_testing::processes::Folder;
use cloakroom_testing::redis::{Flavour, Standalone};

use crate::local::Local;

/// Prints what happened, for whoever looks, and checks that something did.
fn was_busy(trade: &Trade) {
    println!("{trade:?}");
    assert!(trade.logouts > 9 && trade.ended > 50 && trade.done > 200, "{trade:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_from_files_to_sqlite_nobody_notices() {
    let local = Local::new();
    let retire = || std::fs::remove_dir_all(local.folder.join("old")).unwrap();
    let rest = async || local.move_the_rest().await;
    was_busy(&local.stores().under_load::<Members>(&STEPS, rest, retire).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn users_from_redis_to_files_nobody_notices() {
    let (server, folder) = (Standalone::start(Flavour::Redis7), Folder::new());
    let root = folder.join("new");
    std::fs::create_dir(&root).unwrap();
    let stores = StoreMove {
        from: &server.url(),
        to: &format!("file://{}?durability=none", root.display()),
        features: "axum,redis,file",
        variables: &[],
    };
    let rest = async || {
        let redis = RedisServer::standalone("127.0.0.1", server.port);
        let redis = RedisStore::builder().connect(&redis).await.unwrap();
        let files = FileStore::open(&root).await.unwrap();
        move_the_rest(redis, files, || keys_of_redis(&server)).await
    };
    was_busy(&stores.under_load::<Members>(&STEPS, rest, || server.kill()).await.unwrap());
}

/// Checks that a user was logged out, has missed a note or a device in the list, or has found an ended session again.
fn assert_noticed(broken: &str) {
    let seen = ["is logged out", "has not the note", "not in the list", "came back"];
    assert!(seen.iter().any(|seen| broken.contains(seen)), "{broken}");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_on_the_new_store_alone_is_noticed() {
    assert_noticed(&Local::new().broken_promise::<Members>(&[0, 3]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_without_the_second_step_is_noticed() {
    assert_noticed(&Local::new().broken_promise::<Members>(&[0, 1, 3]).await);
}

/// A node with the old store alone knows no fence, and answers 503.
#[tokio::test(flavor = "multi_thread")]
async fn users_without_the_first_step_is_noticed() {
    let broken = Local::new().broken_promise::<Members>(&[0, 2]).await;
    assert!(broken.contains("no answer"), "{broken}");
}

/// Sessions that nobody has used since the second step are left behind.
#[tokio::test(flavor = "multi_thread")]
async fn users_after_a_last_step_that_does_not_wait_is_noticed() {
    assert_noticed(&Local::new().broken_promise::<Members>(&STEPS).await);
}
