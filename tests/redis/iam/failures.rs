//! Errors of IAM logins. They contain the reason, and neither a token nor a secret.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use cloakroom::ManualClock;
use cloakroom::store::{
    Authorities, RedisIam, RedisServer, RedisStore, StoreError, StoreErrorKind,
};
use tokio::task::block_in_place;

use super::super::setup::store;
use super::caches::one_primary;
use super::renewal::{Load, wait_for_logins};
use super::{KEY_ID, Provider, SECRET, USER, expect, golden, iam, logins};
use cloakroom_testing::certificates::Authority;
use cloakroom_testing::processes::{Folder, wait_until};
use cloakroom_testing::redis::{Flavour, Tls};
use cloakroom_testing::refusal;

async fn refused(server: &RedisServer) -> (StoreErrorKind, String) {
    let error = RedisStore::builder().connect(server).await.unwrap_err();
    (error.kind(), shown(server, &error))
}

/// Returns everything that the error and the server print. Panics if it contains a secret.
fn shown(server: &RedisServer, error: &StoreError) -> String {
    let mut text = format!("{server:?} {error} {error:?}");
    let mut cause: Option<&dyn Error> = error.source();
    while let Some(error) = cause {
        text += &format!(" {error} {error:?}");
        cause = error.source();
    }
    for secret in [SECRET, KEY_ID, "X-Amz-Signature"] {
        assert!(!text.contains(secret), "{text}");
    }
    text
}

fn encrypted(server: RedisServer) -> RedisServer {
    let folder = Folder::new();
    let authority = Authority::new(&folder, "authority");
    server.tls(Authorities::pem_file(authority.certificate()).unwrap())
}

fn somewhere() -> RedisServer {
    RedisServer::standalone("localhost", 6379)
}

fn working() -> RedisIam {
    iam(Provider::default(), &ManualClock::at(golden()[0].moment))
}

#[tokio::test]
async fn iam_without_tls_or_with_sentinels_is_refused() {
    let misconfigured = StoreErrorKind::Misconfigured;
    let (kind, text) = refused(&somewhere().iam(USER, working())).await;
    assert!(kind == misconfigured && text.contains("TLS"), "{kind:?} {text}");
    let sentinels = RedisServer::sentinel("sessions", [("localhost", 26379)]);
    let (kind, text) = refused(&encrypted(sentinels).iam(USER, working())).await;
    assert!(kind == misconfigured && text.contains("Sentinels"), "{kind:?} {text}");
}

#[tokio::test]
async fn an_endpoint_in_place_of_the_name_of_a_cache_is_refused() {
    let endpoint = "shop-cache.abc123.euw1.cache.amazonaws.com";
    let iam = RedisIam::new(endpoint, "eu-west-1", Provider::default());
    let (kind, text) = refused(&encrypted(somewhere()).iam(USER, iam)).await;
    assert!(kind == StoreErrorKind::Misconfigured && text.contains("endpoint"), "{kind:?} {text}");
}

/// Fails with this error.
#[derive(Debug)]
struct Failing(fn() -> CredentialsError);

impl ProvideCredentials for Failing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(self.0()))
    }
}

#[tokio::test]
async fn missing_credentials_are_told_from_those_that_aws_does_not_hand_out_now() {
    use StoreErrorKind::{Misconfigured, Unavailable};
    let errors: [(fn() -> CredentialsError, _); 4] = [
        (|| CredentialsError::not_loaded("the reason"), Misconfigured),
        (|| CredentialsError::invalid_configuration("the reason"), Misconfigured),
        (|| CredentialsError::provider_error("the reason"), Unavailable),
        (|| CredentialsError::unhandled("the reason"), Unavailable),
    ];
    for (error, expected) in errors {
        let iam = RedisIam::new("shop-cache", "eu-west-1", Failing(error));
        let (kind, text) = refused(&encrypted(somewhere()).iam(USER, iam)).await;
        assert_eq!(kind, expected, "{text}");
        assert!(text.contains("the reason"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_token_that_the_server_does_not_accept_is_denied() {
    let server = Tls::start(Flavour::Redis7, "cloakroom:");
    expect(&server, golden()[1].token);
    let place = one_primary(&server).iam(USER, working());
    let error = refusal(StoreErrorKind::Denied, || RedisStore::builder().connect(&place)).await;
    shown(&place, &error);
}

/// First no credentials can be had, then the server refuses the token.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_renewal_that_fails_is_tried_again_and_breaks_nothing() {
    let server = Tls::start(Flavour::Redis7, "cloakroom:");
    let [first, second, _] = golden();
    expect(&server, first.token);
    let clock = ManualClock::at(first.moment);
    let provider = Provider::default();
    let login = iam(provider.clone(), &clock).renew_every(std::time::Duration::from_millis(100));
    let place = one_primary(&server).iam(USER, login);
    let store = store(&place).await;
    let (connections, load) = (server.clients(), Load::start(&store));

    provider.set_broken(true);
    let asked = provider.asked();
    block_in_place(|| wait_until("three attempts", || provider.asked() >= asked + 3));
    provider.set_broken(false);
    wait_for_logins(&[&server]);

    expect(&server, second.token);
    let refused = logins(&server).1;
    block_in_place(|| wait_until("three refusals", || logins(&server).1 >= refused + 3));
    clock.set(second.moment);
    wait_for_logins(&[&server]);

    assert!(load.stop().await > 8);
    assert_eq!(server.clients(), connections);
}
