//! Where to keep sessions: what each choice costs, what it needs around it, and what it cannot
//! promise.
//!
//! These pages are the files under `docs/`.

#[cfg(feature = "dynamodb")]
#[doc = include_str!("../docs/dynamodb.md")]
pub mod dynamodb {}

#[cfg(all(feature = "file", unix))]
#[doc = include_str!("../docs/efs.md")]
pub mod efs {}

#[cfg(feature = "redis")]
#[doc = include_str!("../docs/elasticache.md")]
pub mod elasticache {}

#[cfg(feature = "memcached")]
#[doc = include_str!("../docs/memcached.md")]
pub mod memcached {}

#[cfg(feature = "private")]
#[doc = include_str!("../docs/signed-cookie.md")]
pub mod signed_cookie {}
