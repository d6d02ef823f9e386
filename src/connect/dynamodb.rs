//! `dynamodb://table?region=…&endpoint=…&create=true`

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::Client;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use super::address::Address;
use super::error::ConnectError;
use super::open::Open;
use crate::session::Backend;
use crate::store::DynamoDbStore;

pub(super) const OPEN: Option<Open> = Some(|address| Box::pin(open(address)));

async fn open(mut address: Address) -> Result<Backend, ConnectError> {
    let table = table(&address)?;
    let (region, endpoint) = (address.take("region"), address.take("endpoint"));
    let create = address.take_flag("create")?.unwrap_or(false);
    let eventual = address.take_flag("eventual")?.unwrap_or(false);
    let timeout = address.take_timeout()?;
    let no_region = address.invalid("the region is unknown: add `region=…`, or set AWS_REGION");
    address.finish()?;

    let mut store = DynamoDbStore::builder(client(region, endpoint).await.ok_or(no_region)?);
    if eventual {
        store = store.eventually_consistent_reads();
    }
    if let Some(timeout) = timeout {
        store = store.command_timeout(timeout);
    }
    let store = store.table(table).build()?;
    if create {
        store.ensure_table().await?;
    }
    // The client connects only with its first request. Without one, an app with a wrong table or without
    // permissions would start, and fail its first visitor.
    store.check().await?;
    Ok(store.into())
}

/// Reads the table's name, or its ARN with the slash percent-encoded.
///
/// Anything else is refused here, because the store and AWS quote the name in their errors. What is
/// not a name may be a login that somebody wrote by mistake.
fn table(address: &Address) -> Result<String, ConnectError> {
    let name = address.place().strip_prefix("//").filter(|name| !name.contains('/'));
    let name = name.map(|name| address.decode(name)).transpose()?;
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    match name {
        Some(name) if !name.is_empty() && name.bytes().all(is_name_byte) => Ok(name),
        Some(arn) if arn.starts_with("arn:") && !arn.contains('@') => Ok(arn),
        _ => Err(address.invalid("two slashes and the table's name must follow the colon")),
    }
}

/// Makes a client. Options that the URL leaves out are looked up where AWS's own tools look: in the
/// environment, the profile, the container, the instance. Returns `None` without a region.
async fn client(region: Option<String>, endpoint: Option<String>) -> Option<Client> {
    // The SDK's own default would bring aws-lc, a second TLS provider beside ring.
    let http = aws_smithy_http_client::Builder::new();
    let http = http.tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let mut config = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
    if let Some(region) = region {
        config = config.region(Region::new(region));
    }
    if let Some(endpoint) = endpoint {
        config = config.endpoint_url(endpoint);
    }
    let config = config.load().await;
    config.region().is_some().then(|| Client::new(&config))
}
