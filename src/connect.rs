//! A backend from a URL, so that one environment variable chooses the strategy.

use crate::session::Backend;
use crate::store::{MemoryStore, StoreError};

/// The schemes there are, and the feature that each needs.
const SCHEMES: [(&str, &str); 8] = [
    ("redis", "redis"),
    ("rediss", "redis"),
    ("redis-cluster", "redis"),
    ("rediss-cluster", "redis"),
    ("memcached", "memcached"),
    ("dynamodb", "dynamodb"),
    ("file", "file"),
    ("cookie", "cookie"),
];

/// Makes a backend from a URL.
///
/// | URL | backend |
/// |---|---|
/// | `memory:` | this process's memory, with the default limits of [`MemoryStore`] |
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let backend = cloakroom::connect("memory:").await.unwrap();
/// # let _ = backend;
/// let error = cloakroom::connect("carrier-pigeon:").await.unwrap_err();
/// assert_eq!(error.to_string(), "unknown session store `carrier-pigeon:`; this build knows `memory:`");
/// # });
/// ```
///
/// # Errors
///
/// [`ConnectError`], whose text names the feature that is missing or what is wrong with the URL.
pub async fn connect(url: &str) -> Result<Backend, ConnectError> {
    let (scheme, rest) = url.split_once(':').ok_or(ConnectError::NotAUrl)?;
    let scheme = scheme.to_ascii_lowercase();
    if scheme == "memory" {
        return match rest {
            "" => Ok(MemoryStore::new().into()),
            _ => Err(ConnectError::Invalid { scheme, problem: "`memory:` takes nothing after it" }),
        };
    }
    match SCHEMES.iter().find(|(known, _)| *known == scheme) {
        Some((_, feature)) => Err(ConnectError::FeatureOff { scheme, feature }),
        None => Err(ConnectError::UnknownScheme { scheme }),
    }
}

/// Why a URL gives no backend. Never shows more of the URL than its scheme: the rest may hold a
/// password.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no scheme.
    #[error("a session store is given as a URL such as `memory:`")]
    NotAUrl,
    /// No store has this scheme.
    #[error("unknown session store `{scheme}:`; this build knows `memory:`")]
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
        problem: &'static str,
    },
    /// The store cannot be reached or refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}
