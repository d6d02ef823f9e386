//! ElastiCache without a password: a token that is signed with the machine's AWS credentials.

mod login;
mod token;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};

use super::server::RedisServer;
use crate::clock::Clock;
use login::Login;

/// ElastiCache ends a connection twelve hours after it last showed a token, so ten renewals may
/// fail in a row.
const RENEWAL: Duration = Duration::from_secs(60 * 60);

/// Logs in to ElastiCache as an IAM user, without a password to keep.
///
/// Each login has a token of its own, signed (SigV4) with the credentials that the app has on AWS
/// and good for 15 minutes. Every connection gets one when it is made, and one an hour after that,
/// while requests go on: ElastiCache ends a connection that has shown none for twelve hours
/// ([authenticating with IAM]). Where a renewal fails, a warning is traced, the connection stays,
/// and the next hour brings another.
///
/// It takes TLS, Valkey 7.2 or Redis OSS 7.0 or later, an ElastiCache user whose id is its name and
/// whose authentication mode is IAM, and the right `elasticache:Connect` on both cache and user.
///
/// The feature `redis-iam` brings AWS' own crates. Recent releases of these need a newer Rust than
/// this library does; cargo's resolver chooses releases for the `rust-version` that you declare.
///
/// ```
/// use aws_credential_types::Credentials;
/// use cloakroom::store::{Authorities, RedisIam, RedisServer};
///
/// # fn open() -> Result<(), cloakroom::store::StoreError> {
/// // An app takes the provider of its `aws_config::SdkConfig`.
/// let credentials = Credentials::builder()
///     .access_key_id("AKIDEXAMPLE")
///     .secret_access_key("secret")
///     .provider_name("example")
///     .build();
/// let iam = RedisIam::new("shop-cache", "eu-west-1", credentials);
/// assert!(!format!("{iam:?}").contains("secret"));
/// let server = RedisServer::standalone("master.shop-cache.abc123.euw1.cache.amazonaws.com", 6379)
///     .tls(Authorities::system()?)
///     .iam("shop", iam);
/// # let _ = server;
/// # Ok(())
/// # }
/// ```
///
/// [authenticating with IAM]: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html
#[derive(Clone)]
#[must_use]
pub struct RedisIam {
    cache: String,
    region: String,
    serverless: bool,
    credentials: SharedCredentialsProvider,
    renewal: Duration,
    clock: Clock,
}

impl RedisIam {
    /// For the cache of this name: a node-based one's replication group, or a
    /// [`serverless`](Self::serverless) one. It is the name and not the endpoint's; capitals make no
    /// difference, as they make none to ElastiCache.
    ///
    /// `credentials` are asked for at every login, unless those that were given before have at least
    /// a minute to go.
    pub fn new(
        cache: impl Into<String>,
        region: impl Into<String>,
        credentials: impl ProvideCredentials + 'static,
    ) -> Self {
        Self {
            cache: cache.into().to_ascii_lowercase(),
            region: region.into(),
            serverless: false,
            credentials: SharedCredentialsProvider::new(credentials),
            renewal: RENEWAL,
            clock: Clock::system(),
        }
    }

    /// Whether the cache is an ElastiCache Serverless one, for which the token says so.
    ///
    /// Default: it is not.
    pub fn serverless(mut self, serverless: bool) -> Self {
        self.serverless = serverless;
        self
    }

    /// How often connections that stay show a new token.
    ///
    /// Default: every hour. Keep it well below ElastiCache's twelve, so that a renewal may fail.
    pub fn renew_every(mut self, interval: Duration) -> Self {
        self.renewal = interval;
        self
    }

    /// Reads the time that is in the tokens from `clock`, for tests.
    ///
    /// Default: the system's clock.
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }
}

impl RedisServer {
    /// Logs in to ElastiCache as this user, by [IAM](RedisIam) instead of a password.
    ///
    /// Replaces [`credentials`](Self::credentials). To connect is
    /// [`Misconfigured`](crate::store::StoreErrorKind::Misconfigured) without
    /// [`tls`](Self::tls), which ElastiCache demands for it, with Sentinels, which it has none of,
    /// and where the cache or the region is no name. Where there are no AWS credentials it is
    /// `Misconfigured` too, and `Unavailable` where they cannot be had at present.
    pub fn iam(mut self, user: impl Into<String>, iam: RedisIam) -> Self {
        self.provider = Some(Arc::new(Login::new(user.into(), iam)));
        self
    }
}

/// Nothing of the credentials, and no host, as with [`RedisServer`].
impl fmt::Debug for RedisIam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisIam").field("serverless", &self.serverless).finish_non_exhaustive()
    }
}
