//! Pages about the promises, the security checklist, and what each store costs, needs and cannot promise.
//!
//! * [`promises`]: the twelve promises, where each ends, and the tests that prove it.
//! * [`checklist`]: 77 requirements on sessions by OWASP, ASVS, NIST and the cookie RFC, and the state of each.
//! * [`coming_from`]: from tower-sessions and other session libraries, call by call, and how live sessions come along.
//! * [`dependencies`]: why each is there, and what comes with it.
//! * [`deploy`]: one deployment on AWS in full: templates, signing keys, roll-outs, alarms.
//! * [`evidence`]: the command that shows each promise and each claim of the README, and what it does not show.
//! * [`measured`]: what each store costs, in latency, lost carts and dollars.
//! * [`moving`]: changing the store under a running app.
//! * `near` (with that feature): this server's memory in front of a shared store.
//! * [`observing`]: events, metrics, and what to alarm on.
//! * [`open_handles`]: websockets, streams and jobs.
//! * `sealed` (with that feature): values that the store's owner cannot read.
//! * [`scale`]: ten million and a billion sessions, a thousand servers, storms.
//! * [`users`]: all sessions of one user: listed, ended, limited, edited.
//! * A page for each store and for sessions in cookies: those of the features that are switched on.
//!
//! These pages are the files under `docs/`.

#[doc = include_str!("../docs/checklist.md")]
pub mod checklist {}

#[doc = include_str!("../docs/coming-from.md")]
pub mod coming_from {}

#[doc = include_str!("../docs/dependencies.md")]
pub mod dependencies {}

#[doc = include_str!("../docs/deploy.md")]
pub mod deploy {}

#[cfg(feature = "dynamodb")]
#[doc = include_str!("../docs/dynamodb.md")]
pub mod dynamodb {}

#[cfg(all(feature = "file", unix))]
#[doc = include_str!("../docs/efs.md")]
pub mod efs {}

#[cfg(feature = "redis")]
#[doc = include_str!("../docs/elasticache.md")]
pub mod elasticache {}

#[doc = include_str!("../docs/evidence.md")]
pub mod evidence {}

#[doc = include_str!("../docs/measured.md")]
pub mod measured {}

#[cfg(feature = "memcached")]
#[doc = include_str!("../docs/memcached.md")]
pub mod memcached {}

#[doc = include_str!("../docs/moving.md")]
pub mod moving {}

#[cfg(feature = "mysql")]
#[doc = include_str!("../docs/mysql.md")]
pub mod mysql {}

#[cfg(feature = "near")]
#[doc = include_str!("../docs/near.md")]
pub mod near {}

#[cfg(feature = "object")]
#[doc = include_str!("../docs/object.md")]
pub mod object {}

#[doc = include_str!("../docs/observing.md")]
pub mod observing {}

#[doc = include_str!("../docs/open-handles.md")]
pub mod open_handles {}

#[cfg(feature = "postgres")]
#[doc = include_str!("../docs/postgres.md")]
pub mod postgres {}

#[doc = include_str!("../docs/promises.md")]
pub mod promises {}

#[doc = include_str!("../docs/scale.md")]
pub mod scale {}

#[cfg(feature = "sealed")]
#[doc = include_str!("../docs/sealed.md")]
pub mod sealed {}

#[doc = include_str!("../docs/signed-cookie.md")]
pub mod signed_cookie {}

#[cfg(all(feature = "sqlite", unix))]
#[doc = include_str!("../docs/sqlite.md")]
pub mod sqlite {}

#[doc = include_str!("../docs/users.md")]
pub mod users {}
