//! A backend from a URL, so that one environment variable chooses the strategy.

use std::pin::Pin;

use crate::session::Backend;
use crate::store::StoreError;

mod address;
#[cfg(any(feature = "memcached", feature = "redis"))]
mod authority;
mod cookie;
#[cfg(feature = "dynamodb")]
mod dynamodb;
#[cfg(all(feature = "file", unix))]
mod file;
#[cfg(feature = "memcached")]
mod memcached;
mod memory;
#[cfg(feature = "private")]
mod private_cookie;
#[cfg(feature = "redis")]
mod redis;

/// Features that are off: their schemes are known, so that the error can name the feature.
#[cfg(not(feature = "dynamodb"))]
mod dynamodb {
    pub(super) const OPEN: Option<crate::connect::Open> = None;
}
#[cfg(not(all(feature = "file", unix)))]
mod file {
    pub(super) const OPEN: Option<crate::connect::Open> = None;
}
#[cfg(not(feature = "memcached"))]
mod memcached {
    pub(super) const OPEN: Option<crate::connect::Open> = None;
}
#[cfg(not(feature = "redis"))]
mod redis {
    pub(super) const OPEN: Option<crate::connect::Open> = None;
}
#[cfg(not(feature = "private"))]
mod private_cookie {
    pub(super) const OPEN: Option<crate::connect::Open> = None;
}

use address::Address;

type Open = fn(Address) -> Opening;
type Opening = Pin<Box<dyn Future<Output = Result<Backend, ConnectError>> + Send>>;

/// The schemes there are, the feature that each needs, and what opens it in this build.
const SCHEMES: [(&str, &str, Option<Open>); 13] = [
    ("memory", "", memory::OPEN),
    ("redis", "redis", redis::OPEN),
    ("rediss", "redis", redis::OPEN),
    ("redis-cluster", "redis", redis::OPEN),
    ("rediss-cluster", "redis", redis::OPEN),
    ("redis-sentinel", "redis", redis::OPEN),
    ("redis+unix", "redis", redis::OPEN),
    ("memcached", "memcached", memcached::OPEN),
    ("memcacheds", "memcached", memcached::OPEN),
    ("dynamodb", "dynamodb", dynamodb::OPEN),
    ("file", "file", file::OPEN),
    ("cookie", "", cookie::OPEN),
    ("private-cookie", "private", private_cookie::OPEN),
];

/// Makes a backend from a URL.
///
/// | URL | backend |
/// |---|---|
/// | `memory:` | this process's memory; options `max_sessions` and `max_bytes`, see [`MemoryStore`](crate::store::MemoryStore) |
/// | `redis://user:password@host:6379`, `rediss://…` | one Redis or Valkey server; `rediss` is TLS |
/// | `redis-cluster://host,host`, `rediss-cluster://…` | a cluster, ElastiCache Serverless included |
/// | `redis-sentinel://host,host/service` | the primary that Sentinels know |
/// | `redis+unix:///run/redis.sock` | a server on this machine |
/// | `memcached://host:11211,host`, `memcacheds://user:password@…` | memcached servers; `memcacheds` is TLS |
/// | `dynamodb://table` | a DynamoDB table; options `region`, `endpoint`, `create`, `eventual` and `timeout_ms` |
/// | `file:///mnt/efs/sessions` | files in that folder; options `sweep_secs` (0 is never), `durability` (`none`, `file`, `folder`), `max_entry_bytes`, `shared_mount`, `workers` and `timeout_ms`, see [the guide](crate::guide) |
/// | `cookie:` | no store: the session travels in the cookie, signed; option `chunks`, see [`CookieSessions`](crate::CookieSessions) |
/// | `private-cookie:` | the same, encrypted (feature `private`) |
///
/// The options of both `memcached` forms: `prefix`, `timeout_ms`, `max_connections`, `ca` (as below),
/// and `discover`, with which the one host is a configuration endpoint, asked every minute or as many
/// seconds as it says.
///
/// The options of all `redis` forms: `prefix`, `timeout_ms`, `ca` (a file of authorities to trust,
/// in PEM, instead of the machine's), `wait_replicas` and `wait_ms`, `sentinel_user` and
/// `sentinel_password`, and with the feature `redis-iam` `iam` (the name of an ElastiCache cache, to
/// log in to with this machine's AWS credentials), `region` and `serverless` (`true` or `false`);
/// see [the guide](crate::guide). Values are percent-encoded.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let backend = cloakroom::connect("memory:").await.unwrap();
/// # let _ = backend;
/// let error = cloakroom::connect("carrier-pigeon:").await.unwrap_err();
/// assert!(error.to_string().starts_with("unknown session store `carrier-pigeon:`"));
/// # });
/// ```
///
/// # Errors
///
/// [`ConnectError`], whose text names the feature that is missing or what is wrong with the URL.
pub async fn connect(url: &str) -> Result<Backend, ConnectError> {
    let address = Address::parse(url)?;
    let scheme = address.scheme().to_owned();
    match SCHEMES.iter().find(|(known, ..)| *known == scheme) {
        Some((_, _, Some(open))) => open(address).await,
        Some((_, feature, None)) => Err(ConnectError::FeatureOff { scheme, feature }),
        None => Err(ConnectError::UnknownScheme { scheme }),
    }
}

/// The schemes that this build can open, as a sentence has them.
fn known_schemes() -> String {
    let known = SCHEMES.iter().filter(|(_, _, open)| open.is_some());
    known.map(|(scheme, ..)| format!("`{scheme}:`")).collect::<Vec<_>>().join(", ")
}

/// Why a URL gives no backend. Shows the scheme, the name of an option that there is not, and the
/// path of a file that cannot be read; never the rest, which may hold a password.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no scheme.
    #[error("a session store is given as a URL such as `memory:`")]
    NotAUrl,
    /// No store has this scheme.
    #[error("unknown session store `{scheme}:`; this build knows {}", known_schemes())]
    UnknownScheme {
        /// The scheme.
        scheme: String,
    },
    /// A store has this scheme, but this build does not have the store.
    #[error("`{scheme}:` needs cloakroom's feature `{feature}`, which this build does not have")]
    FeatureOff {
        /// The scheme.
        scheme: String,
        /// The feature.
        feature: &'static str,
    },
    /// The URL is not one that the store understands.
    #[error("the `{scheme}:` URL is wrong: {problem}")]
    Invalid {
        /// The scheme.
        scheme: String,
        /// What is wrong.
        problem: String,
    },
    /// The store cannot be reached or refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}
