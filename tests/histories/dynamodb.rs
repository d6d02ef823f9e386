//! DynamoDB, at an emulator that keeps everything in memory, so it is frozen and cut off and not killed.

use std::sync::Arc;

use cloakroom_testing::histories::{Fault, Trial, Way};
use cloakroom_testing::ministack::{CREDENTIALS, Ministack};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn an_emulator_that_stands_still_loses_nothing() {
    let server = Arc::new(tokio::task::block_in_place(Ministack::start));
    let url = |port| {
        let endpoint = format!("http://127.0.0.1:{port}");
        format!("dynamodb://carts?region=eu-central-1&create=true&endpoint={endpoint}")
    };
    let way = Way::proxies(server.port, url);
    Trial::start("DynamoDB, emulator", way, &CREDENTIALS)
        .await
        .with(Fault::of_server(
            "the server is frozen",
            &server,
            |server: &Ministack| server.process.freeze(),
            |server: &Ministack| server.process.thaw(),
        ))
        .run()
        .await
        .holds();
}
