//! Names the table, the region and the host in errors.

use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::{Client, config};
use http::Uri;

/// The table of a store, and where its requests go.
#[derive(Debug)]
pub(super) struct Location {
    pub(super) table: String,
    region: Option<String>,
    host: RecordHost,
}

impl Location {
    pub(super) fn new(table: String, client: &Client) -> Self {
        let region = client.config().region().map(ToString::to_string);
        Self { table, region, host: RecordHost::default() }
    }

    /// Returns a builder like `client` whose requests tell this location their host.
    pub(super) fn observe(&self, client: &Client) -> config::Builder {
        client.config().to_builder().interceptor(self.host.clone())
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the DynamoDB table `{}`", self.table)?;
        if let Some(region) = &self.region {
            write!(f, " in {region}")?;
        }
        self.host.0.get().map_or(Ok(()), |host| write!(f, " at {host}"))
    }
}

/// Remembers the host and the port of the first request.
///
/// The client's configuration does not tell the endpoint it was given, and the default one depends on
/// the region and the account. So the request itself is asked. A user or a password in the URL is not
/// remembered.
#[derive(Clone, Debug, Default)]
struct RecordHost(Arc<OnceLock<String>>);

impl Intercept for RecordHost {
    fn name(&self) -> &'static str {
        "cloakroom: remembers the host for errors"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.0.get().is_none()
            && let Some(host) = host_and_port(context.request().uri())
        {
            self.0.get_or_init(|| host);
        }
        Ok(())
    }
}

fn host_and_port(uri: &str) -> Option<String> {
    let uri: Uri = uri.parse().ok()?;
    let host = uri.host()?;
    Some(uri.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(region: Option<&str>) -> Location {
        let region = region.map(ToOwned::to_owned);
        Location { table: "shop".to_owned(), region, host: RecordHost::default() }
    }

    #[test]
    fn the_table_the_region_and_the_host_are_named() {
        let place = location(Some("eu-central-1"));
        assert_eq!(place.to_string(), "the DynamoDB table `shop` in eu-central-1");
        place.host.0.get_or_init(|| "localhost:8000".to_owned());
        assert_eq!(
            place.to_string(),
            "the DynamoDB table `shop` in eu-central-1 at localhost:8000"
        );
        assert_eq!(location(None).to_string(), "the DynamoDB table `shop`");
    }

    #[test]
    fn a_host_is_recorded_without_a_user_or_a_password() {
        for (uri, host) in [
            ("https://dynamodb.eu-central-1.amazonaws.com/", "dynamodb.eu-central-1.amazonaws.com"),
            ("http://user:secret@localhost:8000/?a=b", "localhost:8000"),
            ("http://[::1]:8000/", "[::1]:8000"),
        ] {
            assert_eq!(host_and_port(uri).as_deref(), Some(host));
        }
        assert_eq!(host_and_port("/"), None);
    }
}
