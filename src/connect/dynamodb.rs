//! `dynamodb://table?region=…&endpoint=…&create=true`

use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::Client;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use super::address::Address;
use super::{ConnectError, Open};
use crate::session::Backend;
use crate::store::DynamoDbStore;

pub(super) const OPEN: Option<Open> = Some(|address| Box::pin(open(address)));

async fn open(mut address: Address) -> Result<Backend, ConnectError> {
    let table = table(&address)?;
    let (region, endpoint) = (address.take("region"), address.take("endpoint"));
    let create = take_flag(&mut address, "create")?;
    let eventual = take_flag(&mut address, "eventual")?;
    let timeout = address.take_number("timeout_ms")?.map(Duration::from_millis);
    let no_region = address.invalid("no region: add `region=…`, or set AWS_REGION");
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
    store.check().await?;
    Ok(store.into())
}

fn table(address: &Address) -> Result<String, ConnectError> {
    match address.place().strip_prefix("//") {
        Some(name) if !name.is_empty() && !name.contains('/') => address.decoded(name),
        _ => Err(address.invalid("two slashes and the table's name follow the colon")),
    }
}

fn take_flag(address: &mut Address, name: &str) -> Result<bool, ConnectError> {
    match address.take(name).as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(address.invalid(format!("`{name}` is `true` or `false`"))),
    }
}

/// What the URL does not say comes from where AWS's own tools look for it: the environment, the
/// profile, the container, the instance. `None` without a region.
async fn client(region: Option<String>, endpoint: Option<String>) -> Option<Client> {
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
