//! Opens a backend from a URL, so that one environment variable chooses where sessions are kept.
//!
//! Each scheme has a module here that offers `OPEN`, and one row in [`SCHEMES`]. The files of this
//! folder import only files below them:
//!
//! ```text
//! connect                                                       the table of schemes
//! cookie · dynamodb · file · memcached · memory · mysql · object · postgres · redis · sqlite
//!                                                               one backend each
//! moving · near                                                 two of them as one; a memory in front of one
//! redis/iam
//! authority · feature_off · trust                               what several backends share
//! open
//! address
//! error
//! ```

mod address;
#[cfg(any(feature = "memcached", feature = "mysql", feature = "postgres", feature = "redis"))]
mod authority;
mod cookie;
#[cfg(feature = "dynamodb")]
mod dynamodb;
mod error;
mod feature_off;
#[cfg(all(feature = "file", unix))]
mod file;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
#[cfg(feature = "memcached")]
mod memcached;
mod memory;
mod moving;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "near")]
mod near;
#[cfg(feature = "object")]
mod object;
mod open;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "private")]
mod private_cookie;
#[cfg(feature = "redis")]
mod redis;
#[cfg(all(feature = "sqlite", unix))]
mod sqlite;
#[cfg(any(feature = "memcached", feature = "object", feature = "redis"))]
mod trust;

use crate::session::Backend;
use address::Address;
pub use error::ConnectError;
use open::{Open, Opening};

// The table below lists every scheme in every build, so that the error for one whose feature is off
// can name that feature.
#[cfg(not(feature = "dynamodb"))]
use feature_off as dynamodb;
#[cfg(not(all(feature = "file", unix)))]
use feature_off as file;
#[cfg(not(feature = "memcached"))]
use feature_off as memcached;
#[cfg(not(feature = "mysql"))]
use feature_off as mysql;
#[cfg(not(feature = "near"))]
use feature_off as near;
#[cfg(not(feature = "object"))]
use feature_off as object;
#[cfg(not(feature = "postgres"))]
use feature_off as postgres;
#[cfg(not(feature = "private"))]
use feature_off as private_cookie;
#[cfg(not(feature = "redis"))]
use feature_off as redis;
#[cfg(not(all(feature = "sqlite", unix)))]
use feature_off as sqlite;

/// Every scheme, the feature that it needs, and the function that opens it in this build.
const SCHEMES: [(&str, &str, Option<Open>); 22] = [
    ("memory", "", memory::OPEN),
    ("redis", "redis", redis::OPEN),
    ("rediss", "redis", redis::OPEN),
    ("redis-cluster", "redis", redis::OPEN),
    ("rediss-cluster", "redis", redis::OPEN),
    ("redis-sentinel", "redis", redis::OPEN),
    ("rediss-sentinel", "redis", redis::OPEN),
    ("redis+unix", "redis", redis::OPEN),
    ("memcached", "memcached", memcached::OPEN),
    ("memcacheds", "memcached", memcached::OPEN),
    ("mysql", "mysql", mysql::OPEN),
    ("mariadb", "mysql", mysql::OPEN),
    ("dynamodb", "dynamodb", dynamodb::OPEN),
    ("postgres", "postgres", postgres::OPEN),
    ("postgresql", "postgres", postgres::OPEN),
    ("s3", "object", object::OPEN),
    ("gs", "object", object::OPEN),
    ("az", "object", object::OPEN),
    ("file", "file", file::OPEN),
    ("sqlite", "sqlite", sqlite::OPEN),
    ("cookie", "", cookie::OPEN),
    ("private-cookie", "private", private_cookie::OPEN),
];

/// Opens the backend that a URL names, and connects to it.
///
/// | URL | backend |
/// |---|---|
/// | `memory:` | this process's memory, see [`MemoryStore`](crate::store::MemoryStore) |
/// | `redis://user:password@host:6379`, `rediss://…` | one Redis or Valkey server; `rediss` uses TLS |
/// | `redis-cluster://host,host`, `rediss-cluster://…` | a cluster, ElastiCache Serverless included |
/// | `redis-sentinel://host,host/service`, `rediss-sentinel://…` | the primary that Sentinels know by the name `service`; `rediss` uses TLS, to the Sentinels too |
/// | `redis+unix:///run/redis.sock` | a server on this machine |
/// | `memcached://host:11211,host`, `memcacheds://user:password@…` | memcached servers; `memcacheds` uses TLS |
/// | `mysql://user:password@host:3306/database`, `mariadb://…` | a MySQL or MariaDB server |
/// | `dynamodb://table` | a DynamoDB table |
/// | `postgres://user:password@host:5432/database`, `postgresql://…` | a table in PostgreSQL, RDS or Aurora |
/// | `s3://bucket/prefix` | objects in a bucket of Amazon S3 (Express One Zone included), R2 or MinIO, see `docs/object.md` |
/// | `gs://bucket/prefix`, `az://container/prefix` | the same in Google Cloud Storage and in Azure Blob Storage |
/// | `file:///mnt/efs/sessions` | files in that folder |
/// | `sqlite:///var/lib/shop/sessions.db` | a SQLite file, which is made if it is missing |
/// | `moving:` | two stores as one, while an app changes from one to the other, see [`Moving`](crate::store::Moving) |
/// | `near:` | this server's memory in front of a store (feature `near`), see `cloakroom::store::Near` |
/// | `cookie:` | no store: the session travels in the cookie, signed, see [`CookieSessions`](crate::CookieSessions) |
/// | `private-cookie:` | the same, encrypted (feature `private`) |
///
/// Options follow a `?` and are joined by `&`. Percent-encode their values, and the user and the
/// password of a login. An option that is unknown or given twice is an error, because a mistyped
/// option would otherwise leave a setting without effect.
///
/// | URL | options |
/// |---|---|
/// | every one but `moving:` and `near:` | `timeout_ms`: the longest that one store command may take, in milliseconds |
/// | `memory:` | `max_sessions`, `max_bytes` |
/// | all `redis` forms | `prefix`, `ca`, `wait_replicas`, `wait_ms`, `multi_key_commands`, `sentinel_user`, `sentinel_password` |
/// | all `redis` forms, feature `redis-iam` | `iam` (the name of an ElastiCache cache to log in to with this machine's AWS credentials), `region`, `serverless` (`true` or `false`) |
/// | both `memcached` forms | `prefix`, `ca`, `max_connections`, and `discover`: the one host is a configuration endpoint, asked every minute or as many seconds as the option says |
/// | `mysql:`, `mariadb:` | `table`, `create` (`true` or `false`), `max_connections`, `max_entry_bytes`, `sweep_secs` (0 turns the sweeper off), `ca`, `tls` (`verified` or `insecure_off`), `socket` |
/// | `dynamodb:` | `region`, `endpoint`, `create` and `eventual` (`true` or `false`) |
/// | both `postgres` forms | `sslmode`, `sslrootcert`, `application_name`, `target_session_attrs`, `host`, `port`, `connect_timeout` (in seconds), `table`, `schema`, `create` (`true` makes the table), `connections`, `sweep_secs` (0 turns the sweeper off), `max_entry_bytes` |
/// | `s3:`, `gs:`, `az:` | `endpoint`, `ca`, `sweep_secs` (0 turns the sweeper off), `max_entry_bytes`; `s3:` also `region`, `az:` also `account` |
/// | `file:` | `sweep_secs` (0 turns the sweeper off), `durability` (`none`, `file` or `folder`), `max_entry_bytes`, `shared_mount` (`true` or `false`), `workers` |
/// | `sqlite:` | `synchronous` (`full` or `normal`), `sweep_secs` (0 turns the sweeper off), `max_entry_bytes`, `readers` |
/// | both `cookie` forms | `chunks` |
/// | `moving:` | `from` and `to`, the percent-encoded URLs of the old store and the new one, and `first` (`old` or `new`), which is the step |
/// | `near:` | `store`, the percent-encoded URL of the store, `staleness` (such as `1s` or `500ms`, at most `1m`), `max_bytes` |
///
/// `ca` is a PEM file with the certificate authorities to trust instead of the machine's; it turns
/// TLS on. The [guide](crate::guide) explains the options of each store.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use cloakroom::{Key, SessionLayer, connect};
///
/// // An app reads the URL from its environment.
/// let backend = connect("memory:?max_sessions=1000").await?;
/// let layer = SessionLayer::new(backend, Key::generate()?);
/// # let _ = layer;
///
/// let error = connect("memory:?max_sesions=1000").await.unwrap_err();
/// assert_eq!(error.to_string(), "the `memory:` URL is wrong: there is no option `max_sesions`");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`ConnectError`], whose text says what is wrong with the URL, which feature is off, or why the
/// store cannot be reached. There is one attempt to connect, so that an app whose store is missing
/// fails at its start.
#[doc(alias = "url")]
#[doc(alias = "from_url")]
#[doc(alias = "open")]
pub async fn connect(url: &str) -> Result<Backend, ConnectError> {
    let address = Address::parse(url)?;
    match address.scheme() {
        "near" => near::in_front(address, open_store).await,
        _ => open_store(address).await,
    }
}

/// Opens a backend that a memory can be put in front of.
fn open_store(address: Address) -> Opening {
    match address.scheme() {
        moving::SCHEME => Box::pin(moving::open(address, open_one)),
        _ => open_one(address),
    }
}

/// Opens a backend that is not made of others.
fn open_one(address: Address) -> Opening {
    Box::pin(async move {
        let scheme = address.scheme().to_owned();
        match SCHEMES.iter().find(|(known, ..)| *known == scheme) {
            Some((_, _, Some(open))) => open(address).await,
            Some((_, feature, None)) => Err(ConnectError::FeatureOff { scheme, feature }),
            None if !address.has_slashes() => Err(ConnectError::NotAUrl),
            None => Err(ConnectError::UnknownScheme { scheme, known: schemes_of_this_build() }),
        }
    })
}

/// Lists the schemes that this build can open, for an error's text.
fn schemes_of_this_build() -> String {
    let known = SCHEMES.iter().filter(|(_, _, open)| open.is_some());
    let known = known.map(|(scheme, ..)| *scheme).chain([moving::SCHEME]);
    known
        .chain(near::SCHEMES.iter().copied())
        .map(|scheme| format!("`{scheme}:`"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn a_backend_without_a_server_takes_a_timeout_too() {
        for url in ["memory:", "cookie:"] {
            connect(&format!("{url}?timeout_ms=500")).await.unwrap();
            let error = connect(&format!("{url}?timeout_ms=soon")).await.unwrap_err();
            let text = "`timeout_ms` must be a whole number";
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    #[tokio::test]
    async fn two_stores_are_opened_as_one() {
        for first in ["old", "new"] {
            let url = "moving:?from=memory:&to=memory:%3Fmax_sessions%3D7&first=";
            let backend = connect(&format!("{url}{first}")).await.unwrap();
            assert!(format!("{backend:?}").contains("Moving"), "{backend:?}");
            backend.check().await.unwrap();
        }
    }

    #[tokio::test]
    async fn an_error_of_one_of_two_stores_is_that_stores() {
        let error = connect("moving:?from=memory:&to=reddis%3A%2F%2Fh&first=old").await;
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("unknown session store `reddis:`"), "{error}");
        assert!(error.contains("`moving:`"), "{error}");
        let error = connect("moving:?from=memory:%3Fmax%3D7&to=memory:&first=old").await;
        assert!(error.unwrap_err().to_string().contains("`memory:` URL is wrong"));
    }

    #[test]
    fn every_scheme_is_listed_once_and_in_lower_case() {
        for (at, (scheme, ..)) in SCHEMES.iter().enumerate() {
            assert_eq!(*scheme, scheme.to_ascii_lowercase());
            assert!(SCHEMES[..at].iter().all(|(other, ..)| other != scheme), "{scheme}");
        }
    }

    #[tokio::test]
    async fn an_unknown_scheme_is_answered_with_the_known_ones() {
        let error = connect("reddis://u:secret@host").await.unwrap_err().to_string();
        assert!(error.starts_with("unknown session store `reddis:`"), "{error}");
        assert!(error.contains("`memory:`") && !error.contains("secret"), "{error}");
    }
}
