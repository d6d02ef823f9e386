//! The HTTP client of a bucket: hyper with rustls and ring.
//!
//! The crate's own client, reqwest, takes the process's default provider of cryptography, which a library must not
//! set. It also sends a request again after some failures. This one sends a request again only if the connection
//! was closed before anything was written to it.

use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, Client, connect::HttpConnector as Dialer};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpResponseBody, HttpService,
};
use object_store::{ClientConfigKey, ClientOptions};

use crate::store::authorities::Authorities;

/// The longest that opening a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The time for which a connection is kept unused. Servers close theirs later than that.
const IDLE: Duration = Duration::from_secs(15);

/// Sends the requests of `object_store`'s clients, by hyper with rustls and ring.
///
/// For an `AmazonS3Builder`, `GoogleCloudStorageBuilder` or `MicrosoftAzureBuilder` of the app's own. Turn their
/// retries off: otherwise a write is sent again whose answer was lost. Of the client's options it heeds
/// `allow_http` and no other: time-outs are the store's.
///
/// ```
/// use cloakroom::store::{Authorities, BucketHttp};
/// use object_store::RetryConfig;
/// use object_store::aws::AmazonS3Builder;
///
/// # fn s3() -> Result<(), Box<dyn std::error::Error>> {
/// let once = RetryConfig { max_retries: 0, ..RetryConfig::default() };
/// let bucket = AmazonS3Builder::new()
///     .with_bucket_name("shop-sessions")
///     .with_region("eu-central-1")
///     .with_retry(once)
///     .with_http_connector(BucketHttp::new(Authorities::system()?))
///     .build()?;
/// assert_eq!(bucket.to_string(), "AmazonS3(shop-sessions)");
/// # Ok(())
/// # }
/// # if Authorities::system().is_ok() { s3()? }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct BucketHttp {
    authorities: Authorities,
}

impl BucketHttp {
    /// Creates a client that trusts these authorities.
    ///
    /// ```
    /// use cloakroom::store::{Authorities, BucketHttp};
    ///
    /// if let Ok(trusted) = Authorities::system() {
    ///     assert!(format!("{:?}", BucketHttp::new(trusted)).starts_with("BucketHttp"));
    /// }
    /// ```
    pub fn new(authorities: Authorities) -> Self {
        Self { authorities }
    }
}

impl HttpConnector for BucketHttp {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let allow_http = options.get_config_value(&ClientConfigKey::AllowHttp);
        let mut dialer = Dialer::new();
        dialer.enforce_http(false);
        dialer.set_nodelay(true);
        dialer.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let tls = self.authorities.config();
        let connector = HttpsConnectorBuilder::new().with_tls_config((*tls).clone());
        let connector = match allow_http.as_deref() {
            Some("true") => connector.https_or_http(),
            _ => connector.https_only(),
        };
        let connector = connector.enable_http1().wrap_connector(dialer);
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_idle_timeout(IDLE).pool_timer(TokioTimer::new());
        Ok(HttpClient::new(Sender(client.build(connector))))
    }
}

#[derive(Debug)]
struct Sender(Client<HttpsConnector<Dialer>, HttpRequestBody>);

#[async_trait]
impl HttpService for Sender {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.0.request(request).await.map_err(unanswered)?;
        let (parts, body) = response.into_parts();
        let body = body.map_err(|error| HttpError::new(HttpErrorKind::Decode, error));
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)))
    }
}

/// Only the kind `Connect` says that nothing was sent.
fn unanswered(error: legacy::Error) -> HttpError {
    let kind = match error.is_connect() {
        true => HttpErrorKind::Connect,
        false => HttpErrorKind::Interrupted,
    };
    HttpError::new(kind, error)
}
