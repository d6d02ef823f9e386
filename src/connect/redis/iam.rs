//! `iam=CACHE&region=eu-west-1&serverless=true`

use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_smithy_http_client::{Builder, tls};

use crate::connect::address::Address;
use crate::connect::authority::Authority;
use crate::connect::error::ConnectError;
use crate::store::{RedisIam, RedisServer, StoreError, StoreErrorKind};

/// Makes the server log in with this machine's AWS credentials, if the URL asks for it.
pub(super) async fn with_iam(
    server: RedisServer,
    address: &mut Address,
    default_port: u16,
) -> Result<RedisServer, ConnectError> {
    let Some(cache) = address.take("iam") else { return Ok(server) };
    let login = Authority::parse(address, default_port)?;
    let (Some(user), None) = (login.user, login.password) else {
        return Err(address.invalid("`iam` goes with a user, and without a password"));
    };
    let serverless = address.take_flag("serverless")?.unwrap_or(false);
    let config = load_aws_config(address.take("region")).await;
    let region = config.region().map(ToString::to_string);
    let region = region.ok_or_else(|| address.invalid("`iam` goes with a `region`"))?;
    let credentials = config.credentials_provider().ok_or_else(|| {
        StoreError::new(StoreErrorKind::Misconfigured, "this machine has no AWS credentials")
    })?;
    let iam = RedisIam::new(cache, region, credentials).serverless(serverless);
    Ok(server.iam(user, iam))
}

/// Loads the configuration that AWS's own tools would find: in the environment, the profile, the
/// container, the instance. A given region is not looked up, because the look-up takes seconds on a
/// machine outside AWS.
async fn load_aws_config(region: Option<String>) -> SdkConfig {
    let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
    let client = Builder::new().tls_provider(ring).build_https();
    let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(client);
    let given = region.map(Region::new);
    let loader = given.into_iter().fold(loader, ConfigLoader::region);
    loader.load().await
}
