//! `iam=CACHE&region=eu-west-1&serverless=true`

use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_smithy_http_client::{Builder, tls};

use super::super::ConnectError;
use super::super::address::Address;
use super::super::authority::Authority;
use crate::store::{RedisIam, RedisServer, StoreError, StoreErrorKind};

/// With the credentials that this machine has on AWS, if the URL asks for it.
pub(super) async fn signed_in(
    server: RedisServer,
    address: &mut Address,
) -> Result<RedisServer, ConnectError> {
    let Some(cache) = address.take("iam") else { return Ok(server) };
    let login = Authority::of(address, super::PORT)?;
    let (Some(user), None) = (login.user, login.password) else {
        return Err(address.invalid("`iam` goes with a user, and without a password"));
    };
    let serverless = match address.take("serverless").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(address.invalid("`serverless` is neither `true` nor `false`")),
    };
    let config = of_this_machine(address.take("region")).await;
    let region = config.region().map(ToString::to_string);
    let region = region.ok_or_else(|| address.invalid("`iam` goes with a `region`"))?;
    let credentials = config.credentials_provider().ok_or_else(|| {
        StoreError::new(StoreErrorKind::Misconfigured, "this machine has no AWS credentials")
    })?;
    let iam = RedisIam::new(cache, region, credentials).serverless(serverless);
    Ok(server.iam(user, iam))
}

/// What every program finds on AWS: in the environment, the profile, the container, the instance.
/// The region, if it is given, is not looked for; away from AWS that takes seconds.
async fn of_this_machine(region: Option<String>) -> SdkConfig {
    let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    let client = Builder::new().tls_provider(ring).build_https();
    let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(client);
    let given = region.map(Region::new);
    let loader = given.into_iter().fold(loader, ConfigLoader::region);
    loader.load().await
}
