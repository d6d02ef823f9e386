//! The options of an IAM login.

use std::fmt;
use std::time::Duration;

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};

use crate::clock::Clock;

/// ElastiCache ends a connection twelve hours after its last login, so ten renewals may fail in a
/// row.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Logs in to ElastiCache as an IAM user, without a password to keep.
///
/// Each login has a token of its own, signed (SigV4) with the app's AWS credentials and valid for 15
/// minutes. Every connection logs in when it is opened, and once an hour after that: ElastiCache ends
/// a connection whose last login is twelve hours old ([authenticating with IAM]). Where a renewal
/// fails, a warning is traced, the connection stays, and the next hour brings another.
///
/// It needs TLS, Valkey 7.2 or Redis OSS 7.0 or later, an ElastiCache user whose id is its name and
/// whose authentication mode is IAM, and the permission `elasticache:Connect` on both cache and user.
///
/// The feature `redis-iam` brings AWS's own crates. Recent releases of these need a newer Rust than
/// this library does; cargo's resolver chooses releases for the `rust-version` that you declare.
///
/// ```
/// use aws_credential_types::Credentials;
/// use cloakroom::store::{Authorities, RedisIam, RedisServer};
///
/// # fn open() -> Result<(), cloakroom::store::StoreError> {
/// // An app takes the provider of its `aws_config::SdkConfig`.
/// let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "example");
/// let iam = RedisIam::new("shop-cache", "eu-west-1", credentials);
/// assert!(!format!("{iam:?}").contains("secret"));
/// let server = RedisServer::standalone("master.shop-cache.abc123.euw1.cache.amazonaws.com", 6379)
///     .tls(Authorities::system()?)
///     .iam("shop", iam);
/// # let _ = server;
/// # Ok(())
/// # }
/// # open().ok();
/// ```
///
/// [authenticating with IAM]: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html
#[derive(Clone)]
#[must_use]
pub struct RedisIam {
    pub(super) cache: String,
    pub(super) region: String,
    pub(super) serverless: bool,
    pub(super) credentials: SharedCredentialsProvider,
    pub(super) renewal_interval: Duration,
    pub(super) clock: Clock,
}

impl RedisIam {
    /// Creates the login for one cache: the name of a replication group, or of a
    /// [`serverless`](Self::serverless) cache.
    ///
    /// `cache` is the name and not the endpoint. Its capitals make no difference, as they make none
    /// to ElastiCache. `credentials` are asked for at every login, unless those that were given
    /// before are valid for at least another minute.
    ///
    /// ```
    /// use aws_credential_types::Credentials;
    /// use cloakroom::store::RedisIam;
    ///
    /// let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "example");
    /// let iam = RedisIam::new("shop-cache", "eu-west-1", credentials);
    /// assert!(format!("{iam:?}").contains("serverless: false"));
    /// ```
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
            renewal_interval: RENEWAL_INTERVAL,
            clock: Clock::system(),
        }
    }

    /// Sets whether the cache is an ElastiCache Serverless one. The token has to say so.
    ///
    /// Default: it is not.
    ///
    /// ```
    /// # use aws_credential_types::Credentials;
    /// # use cloakroom::store::RedisIam;
    /// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "example");
    /// let iam = RedisIam::new("shop-cache", "eu-west-1", credentials).serverless(true);
    /// assert!(format!("{iam:?}").contains("serverless: true"));
    /// ```
    pub fn serverless(mut self, serverless: bool) -> Self {
        self.serverless = serverless;
        self
    }

    /// Sets how often open connections log in again.
    ///
    /// Default: every hour. Keep it well below ElastiCache's twelve hours, so that a renewal may fail.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use aws_credential_types::Credentials;
    /// # use cloakroom::store::RedisIam;
    /// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "example");
    ///
    /// let iam = RedisIam::new("shop-cache", "eu-west-1", credentials)
    ///     .renew_every(Duration::from_secs(30 * 60));
    /// assert!(format!("{iam:?}").contains("renewal_interval: 1800s"));
    /// ```
    pub fn renew_every(mut self, interval: Duration) -> Self {
        self.renewal_interval = interval;
        self
    }

    /// Reads the time that stands in the tokens from `clock`, for tests.
    ///
    /// Default: the system's clock.
    ///
    /// ```
    /// use cloakroom::{ManualClock, Timestamp};
    /// # use aws_credential_types::Credentials;
    /// # use cloakroom::store::RedisIam;
    /// # let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "example");
    ///
    /// let clock = ManualClock::at(Timestamp::from_millis(1_800_000_000_000));
    /// let iam = RedisIam::new("shop-cache", "eu-west-1", credentials).clock(clock);
    /// assert!(!format!("{iam:?}").contains("AKIDEXAMPLE"));
    /// ```
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }
}

/// Shows nothing of the credentials, and neither cache nor region, which may name an account.
impl fmt::Debug for RedisIam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisIam")
            .field("serverless", &self.serverless)
            .field("renewal_interval", &self.renewal_interval)
            .finish_non_exhaustive()
    }
}
