//! `s3://bucket/prefix?region=…&endpoint=…`, `gs://bucket/prefix`, `az://container/prefix?account=…`
//!
//! Credentials are never in the URL. Each client looks for them where its vendor's tools do: in the environment,
//! the container, the instance.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{ClientOptions, ObjectStore, RetryConfig};

use super::address::Address;
use super::error::ConnectError;
use super::open::Open;
use super::trust::take_authorities;
use crate::error::{StoreError, StoreErrorKind};
use crate::session::Backend;
use crate::store::{BucketHttp, BucketStore};

pub(super) const OPEN: Option<Open> = Some(|address| Box::pin(open(address)));

/// The end of the name of a bucket of S3 Express One Zone.
const EXPRESS: &str = "--x-s3";

async fn open(mut address: Address) -> Result<Backend, ConnectError> {
    let (bucket, prefix) = place(&address)?;
    let timeout = address.take_timeout()?;
    let sweep = address.take_number("sweep_secs")?;
    let max_entry_bytes = address.take_number("max_entry_bytes")?;
    let bucket = match address.scheme() {
        "s3" => s3(bucket, &mut address)?,
        "gs" => google(bucket, &mut address)?,
        _ => azure(bucket, &mut address)?,
    };
    address.finish()?;

    let mut store = BucketStore::builder(bucket).prefix(prefix);
    if let Some(timeout) = timeout {
        store = store.command_timeout(timeout);
    }
    if let Some(seconds) = sweep {
        store = store.sweep_every((seconds > 0).then(|| Duration::from_secs(seconds)));
    }
    if let Some(bytes) = max_entry_bytes {
        store = store.max_entry_bytes(bytes);
    }
    Ok(store.open().await?.into())
}

/// Reads the bucket and the prefix. What is no name is refused here, because the store quotes both in its errors,
/// and it may be a login that somebody wrote by mistake.
fn place(address: &Address) -> Result<(String, String), ConnectError> {
    let place =
        address.place().strip_prefix("//").map(|place| address.decode(place)).transpose()?;
    let place = place.unwrap_or_default();
    let (bucket, prefix) = place.split_once('/').unwrap_or((&place, ""));
    let is_name = |name: &str| {
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    if bucket.is_empty() || !is_name(bucket) {
        return Err(address.invalid("two slashes and the bucket's name must follow the colon"));
    }
    if !prefix.split('/').all(is_name) {
        let problem = "the prefix after the bucket may have letters, digits, `.`, `_`, `-` and `/`";
        return Err(address.invalid(problem));
    }
    Ok((bucket.to_owned(), prefix.to_owned()))
}

fn s3(bucket: String, address: &mut Address) -> Result<Arc<dyn ObjectStore>, ConnectError> {
    let (http, endpoint) = (http(address)?, endpoint(address)?);
    let region = address.take("region");
    let is_express = bucket.ends_with(EXPRESS);
    let mut client = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_s3_express(is_express)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        // One DELETE instead of a POST with a list, which not all servers know.
        .with_disable_bulk_delete(true)
        .with_retry(once())
        .with_http_connector(http);
    if let Some(region) = region {
        client = client.with_region(region);
    }
    if let Some(Endpoint { url, is_plain }) = endpoint {
        client = client.with_endpoint(url).with_allow_http(is_plain);
    }
    Ok(Arc::new(client.build().map_err(refused)?))
}

fn google(bucket: String, address: &mut Address) -> Result<Arc<dyn ObjectStore>, ConnectError> {
    let (http, endpoint) = (http(address)?, endpoint(address)?);
    let mut client = GoogleCloudStorageBuilder::from_env()
        .with_bucket_name(bucket)
        .with_retry(once())
        .with_http_connector(http);
    if let Some(Endpoint { url, is_plain }) = endpoint {
        client = client.with_base_url(&url);
        client = client.with_client_options(ClientOptions::new().with_allow_http(is_plain));
    }
    Ok(Arc::new(client.build().map_err(refused)?))
}

fn azure(container: String, address: &mut Address) -> Result<Arc<dyn ObjectStore>, ConnectError> {
    let (http, endpoint) = (http(address)?, endpoint(address)?);
    let account = address.take("account");
    let mut client = MicrosoftAzureBuilder::from_env()
        .with_container_name(container)
        .with_retry(once())
        .with_http_connector(http);
    if let Some(account) = account {
        client = client.with_account(account);
    }
    if let Some(Endpoint { url, is_plain }) = endpoint {
        client = client.with_endpoint(url).with_allow_http(is_plain);
    }
    Ok(Arc::new(client.build().map_err(refused)?))
}

/// Turns retries off: a write would be sent again whose answer was lost.
fn once() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

fn http(address: &mut Address) -> Result<BucketHttp, ConnectError> {
    let trusted = take_authorities(address, true)?;
    let no_authorities = || address.invalid("no certificate authority is trusted");
    Ok(BucketHttp::new(trusted.ok_or_else(no_authorities)?))
}

struct Endpoint {
    url: String,
    /// Whether it is HTTP without TLS.
    is_plain: bool,
}

fn endpoint(address: &mut Address) -> Result<Option<Endpoint>, ConnectError> {
    let Some(url) = address.take("endpoint") else { return Ok(None) };
    let is_plain = url.starts_with("http://");
    // Whatever is in front of an `@` is a login, which errors would show.
    if url.contains('@') || !(is_plain || url.starts_with("https://")) {
        let problem = "`endpoint` must be a URL with `http:` or `https:`, and without a login";
        return Err(address.invalid(problem));
    }
    Ok(Some(Endpoint { url, is_plain }))
}

fn refused(error: object_store::Error) -> ConnectError {
    StoreError::new(StoreErrorKind::Misconfigured, error).into()
}
