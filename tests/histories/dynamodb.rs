//! DynamoDB, at an emulator that keeps everything in memory, so it is frozen and cut off and not killed.

use std::sync::Arc;

use cloakroom_testing::histories::{Fault, Run, RunOfLogins, Scene, Trial, Way};
use cloakroom_testing::ministack::{CREDENTIALS, Ministack};

/// A run over an emulator that is frozen.
async fn start<S: Scene>() -> Run<S> {
    let server = Arc::new(tokio::task::block_in_place(Ministack::start));
    let url = |port| {
        let endpoint = format!("http://127.0.0.1:{port}");
        format!("dynamodb://carts?region=eu-central-1&create=true&endpoint={endpoint}")
    };
    let way = Way::proxies(server.port, url);
    Run::start("DynamoDB, emulator", way, &CREDENTIALS).await.with(Fault::of_server(
        "the server is frozen",
        &server,
        |server: &Ministack| server.process.freeze(),
        |server: &Ministack| server.process.thaw(),
    ))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn an_emulator_that_stands_still_loses_nothing() {
    let trial: Trial = start().await;
    trial.run().await.holds();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn an_emulator_that_stands_still_loses_no_login_and_no_end() {
    let run: RunOfLogins = start().await;
    run.run().await.holds();
}
