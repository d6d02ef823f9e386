//! The cart's nodes move from Redis to DynamoDB while visitors go on shopping.

use cloakroom::store::{RedisServer, RedisStore};
use cloakroom_testing::fleet::{STEPS, Shoppers, StoreMove, keys_of_redis, move_the_rest};
use cloakroom_testing::ministack::CREDENTIALS;
use cloakroom_testing::redis::{Flavour, Standalone};

use crate::emulator::Table;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server and ministack"]
async fn from_redis_to_dynamodb_nobody_notices() {
    let (server, table) = (Standalone::start(Flavour::Redis7), Table::in_ministack().await);
    let stores = StoreMove {
        from: &server.url(),
        to: &format!("dynamodb://{}?region=eu-central-1&endpoint={}", table.name, table.endpoint),
        features: "axum,redis,dynamodb",
        variables: &CREDENTIALS,
    };
    let rest = async || {
        let redis = RedisServer::standalone("127.0.0.1", server.port);
        let redis = RedisStore::builder().connect(&redis).await.unwrap();
        move_the_rest(redis, table.store().build().unwrap(), || keys_of_redis(&server)).await
    };
    let trade = stores.under_load::<Shoppers>(&STEPS, rest, || server.kill()).await.unwrap();
    println!("{trade:?}");
    assert!(trade.logouts > 20 && trade.done > 250, "{trade:?}");
}
