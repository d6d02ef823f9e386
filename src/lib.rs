//! Sessions for any [tower](https://docs.rs/tower) app, kept in the store of your choice, and kept right
//! when requests overlap.
//!
//! A visitor gets a *ticket*, a signed cookie. The session itself is a *record* in a store that every
//! server can reach: Redis, Memcached, DynamoDB, PostgreSQL, MySQL, a shared folder, or your own. (Memory and
//! SQLite serve one machine.) Small sessions can travel in the cookie, without a store.
//!
//! Parallel requests of one session never lose each other's changes, a logout is final, and a response
//! leaves only after its changes are stored. [`guide::promises`] has all twelve promises, where each
//! ends, and its tests.
//!
//! # Install
//!
//! ```toml
//! [dependencies]
//! cloakroom = { version = "0.1", features = ["redis"] }
//! ```
//!
//! Without `features` it has axum's extractors, the memory store and sessions in signed cookies.
//!
//! # Layer and handler
//!
//! [`SessionLayer`] goes around the routes. A handler takes a [`Session`], which is loaded by then:
//! reading and changing it is immediate and typed.
//!
//! ```
//! use axum::{Router, routing::get};
//! use cloakroom::{Field, Key, Session, SessionError, SessionLayer, store::MemoryStore};
//!
//! const VISITS: Field<u32> = Field::new("visits");
//!
//! async fn visit(session: Session) -> Result<String, SessionError> {
//!     let visits = session.update(VISITS, |visits| {
//!         *visits += 1;
//!         *visits
//!     })?;
//!     assert_eq!(session.get(VISITS)?, Some(visits));
//!     Ok(format!("Visit number {visits}.\n"))
//! }
//!
//! // This key is new at each start. `SessionConfig` reads the app's own from `SESSION_KEYS`.
//! let sessions = SessionLayer::new(MemoryStore::new(), Key::generate()?);
//! let app = Router::new().route("/", get(visit)).layer(sessions);
//! # use axum::{body::Body, http::Request};
//! # use tower::ServiceExt;
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # let answer = runtime.block_on(app.oneshot(Request::new(Body::empty())))?;
//! # assert_eq!(answer.status(), 200);
//! # assert!(answer.headers()["set-cookie"].to_str()?.starts_with("__Host-id="));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The session is stored after the handler has returned and before the response leaves. A handler that
//! only sometimes needs it takes a [`LazySession`], and without axum a handler finds the `LazySession` in
//! the request's extensions. `Option<Session>` is `None` for a visitor without a session.
//!
//! # Login and logout
//!
//! [`Session::log_in`] sets the principal and gives the session a new id in one step, so whoever knew the
//! old id has nothing. Like any other change it takes effect at the commit: `log_in` itself asks no store.
//! When [`LazySession::destroy`] returns, the session is over on every server.
//!
//! ```
//! use cloakroom::{LazySession, Session, SessionError};
//!
//! async fn login(session: Session) -> Result<(), SessionError> {
//!     // The password was right.
//!     session.log_in("alice").await?;
//!     assert_eq!(session.principal().as_deref(), Some("alice"));
//!     Ok(())
//! }
//!
//! async fn logout(lazy: LazySession) -> Result<(), SessionError> {
//!     lazy.destroy().await
//! }
//! # use axum::{Router, body::Body, http::{Request, header}, routing::get};
//! # use cloakroom::{Key, SessionLayer, store::MemoryStore};
//! # use tower::ServiceExt;
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # runtime.block_on(async {
//! # let store = MemoryStore::new();
//! # let app = Router::new()
//! #     .route("/login", get(login))
//! #     .route("/logout", get(logout))
//! #     .layer(SessionLayer::new(store.clone(), Key::generate()?));
//! # let answer = app.clone().oneshot(Request::get("/login").body(Body::empty())?).await?;
//! # assert_eq!(answer.status(), 200);
//! # let cookie = answer.headers()[header::SET_COOKIE].to_str()?.split(';').next().unwrap();
//! # let request = Request::get("/logout").header(header::COOKIE, cookie).body(Body::empty())?;
//! # let answer = app.oneshot(request).await?;
//! # assert_eq!(answer.status(), 200);
//! # assert!(answer.headers()[header::SET_COOKIE].to_str()?.contains("Max-Age=0"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Session::remember`] keeps a visitor logged in after the browser has closed,
//! [`Session::log_out_keeping_data`] keeps a cart through a logout, and [`Session::renew`] gives a new id
//! at any other change of rights.
//!
//! # Forms and messages
//!
//! [`Session::csrf_token`] is for the hidden field of a form. [`Session::verify_csrf`] refuses a request that
//! does not bring it, such as one that another site has made the browser send. [`Session::flash`] leaves a message
//! for the next page, and [`Session::take_flashes`] gives it to one page only.
//!
//! ```
//! use cloakroom::{Session, SessionError};
//!
//! async fn page(session: Session) -> Result<String, SessionError> {
//!     let token = session.csrf_token()?.map(|token| token.to_string()).unwrap_or_default();
//!     let messages: Vec<String> = session.take_flashes().await?;
//!     let form = format!(r#"<form method="post"><input type="hidden" name="csrf" value="{token}">"#);
//!     Ok(messages.join(" ") + &form) // your templates also escape the messages
//! }
//!
//! fn submitted(session: &Session, token: &str) -> Result<(), SessionError> {
//!     session.verify_csrf(token)?; // a refusal is a 403
//!     session.flash("Saved.")
//! }
//! # let mut visitor = cloakroom::documentation::Visitor::new();
//! # visitor.visit(async |session| session.log_in("ada").await);
//! # visitor.visit(async |session| {
//! # let token = session.csrf_token()?.expect("the session is stored");
//! # submitted(&session, token.as_str())?;
//! assert!(submitted(&session, "forged").is_err());
//! # Ok(()) });
//! # visitor.visit(async |session| {
//! assert!(page(session).await?.starts_with("Saved."));
//! # Ok(()) });
//! ```
//!
//! # Requests that overlap
//!
//! * Changes of different keys are all kept.
//! * The closure of [`Session::update`] runs again on the newer value.
//! * [`Session::insert`] and [`Session::remove`] overwrite a key that this request has not read. They
//!   answer [`SessionError::Conflict`] (409) for a key that it has read and that is different by now.
//! * A change of a session that has ended meanwhile is [`SessionError::Gone`] (409).
//!
//! Both errors arise at the commit, because only the store knows what others have done. The call of
//! `insert` or `remove` in the handler returns `Ok`; the client gets the 409 instead of the handler's
//! answer. A handler that wants to see the error calls [`Session::save`].
//!
//! # How values are stored
//!
//! A value is anything that serde can serialize. It is stored as MessagePack, and structs are stored with
//! the names of their fields. So a struct may gain a field while sessions with the old one exist, if serde
//! knows what a missing field means:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, Default)]
//! struct Cart {
//!     items: Vec<String>,
//!     #[serde(default)] // added later; carts from before do not have it
//!     gift: bool,
//! }
//! # #[derive(Serialize)]
//! # struct OldCart { items: Vec<String> }
//! # cloakroom::documentation::Visitor::new().visit(async |session| {
//! # session.insert("cart", &OldCart { items: vec!["apple".into()] })?;
//! let cart: Cart = session.get("cart")?.unwrap_or_default(); // stored by the last release
//! assert_eq!(cart.items, ["apple"]);
//! assert!(!cart.gift);
//! # Ok(()) });
//! ```
//!
//! A server that still runs the last release ignores the new field, and an `update` there drops it. A
//! value that cannot be read as the type that is asked for is [`SessionError::Decode`], and stays as it is.
//! For a type that has changed altogether, take a new key.
//!
//! # Choose a store
//!
//! Nothing else in an app depends on the store. [`SessionConfig`] reads the store's URL, the keys, the cookie
//! and the times from environment variables, or from a part of your configuration file:
//!
//! ```
//! use cloakroom::{ConfigError, SessionConfig, SessionLayer};
//!
//! async fn sessions() -> Result<SessionLayer, ConfigError> {
//!     let config = SessionConfig::from_env()?; // SESSION_STORE=redis://… SESSION_KEYS=…
//!     config.layer(config.connect().await?)
//! }
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # if std::env::var_os("SESSION_STORE").is_none() {
//! assert!(runtime.block_on(sessions()).is_err()); // neither of them is set here
//! # }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`connect`] opens a store by its URL alone.
//!
//! | store | feature | take it when |
//! |---|---|---|
//! | [`MemoryStore`](store::MemoryStore) | always there | you have one server, or write tests |
//! | [`RedisStore`] | `redis` | you have several servers and want the least latency |
//! | [`MemcachedStore`] | `memcached` | you run Memcached already, and sessions may be lost with it |
//! | [`DynamoDbStore`] | `dynamodb` | you run no servers, and nothing acknowledged may be lost |
//! | [`PostgresStore`] | `postgres` | you have PostgreSQL anyway |
//! | [`MysqlStore`] | `mysql` | you have MySQL or MariaDB anyway |
//! | [`SqliteStore`] | `sqlite` | a single server must keep its sessions |
//! | [`FileStore`] | `file` | you have EFS, NFS or a local folder anyway |
//! | [`CookieSessions`] | always there; `private` encrypts | sessions are small, and copies of a cookie may outlive a logout |
//! | a [`SessionStore`](store::SessionStore) of yours | always there; `conformance` tests it | you run another database already |
//!
//! The [`guide`] has a page about each, with what it costs, needs and cannot promise.
//!
//! # When something fails
//!
//! [`SessionError`] is a response:
//!
//! * 403 for a request without a CSRF token of its session, where the app asks for one;
//! * 409 for a conflict or a session that has ended;
//! * 413 for a session that is too large;
//! * 503 with `Retry-After` for an outage, for a session that too many requests change at once
//!   ([`Contended`](SessionError::Contended)), and for a record that a newer release has written
//!   ([`NewerFormat`](SessionError::NewerFormat));
//! * 500 for the rest.
//!
//! If the commit fails, the client gets the same status instead of the handler's answer. The client sees
//! the status alone, unless [`SessionLayer::on_error`] writes a page; the error is in the response's
//! extensions, where an outer layer finds it and can log it.
//!
//! A handler that answers 5xx, 408 or with a `SessionError` changes nothing, except for what it has
//! already done with [`save`](Session::save) or [`destroy`](Session::destroy). An ordinary 4xx, such as
//! 404 or 422, is no failure: its changes are stored. [`SessionLayer::commit_when`] sets another rule.
//! [`SessionLayer::on_outage`] lets pages that make sense without a
//! session go on while the store is out.
//!
//! [`Backend::check`] answers a readiness probe, and [`SessionLayer::shutdown`] waits for what is still being
//! stored when the server stops.
//!
//! # Logs
//!
//! Events go to [`tracing`](https://docs.rs/tracing), and to an [`Observer`] if the layer has one. The
//! [page on watching sessions](guide::observing) has examples, the metrics of the feature `metrics`, and what to
//! alarm on.
//!
//! | level | events |
//! |---|---|
//! | `warn` | what a person has to look into: a store that cannot be reached, a logout that was not confirmed, a record that cannot be read |
//! | `info` | a login, a logout, a session that was ended and by whom; sessions that were revoked; a store that answers again; a change of the nodes that Memcached's discovery reports |
//! | `debug` | a session that was created, changed, renewed, or not found; a cookie or a CSRF token that was refused; a conflict |
//! | `trace` | a cookie whose signature holds |
//!
//! A session is named by a hash of its id. No event of this crate has an id, a ticket or a key in it.
//!
//! # Testing
//!
//! The feature `testing` has a [visitor][tv] who keeps cookies as a browser does, a [`Session` without
//! HTTP][ts] for unit tests, a [login without the login form][ws], and a [store that fails on demand][fs].
//! A [`ManualClock`] lets time pass without waiting:
//!
//! ```
//! # #[cfg(feature = "testing")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Router, routing::get};
//! use cloakroom::store::MemoryStore;
//! use cloakroom::testing::{TestSession, TestVisitor};
//! use cloakroom::{Key, ManualClock, Session, SessionError, SessionLayer, Timestamp};
//! use std::time::Duration;
//!
//! fn greeting(session: &Session) -> Result<String, SessionError> {
//!     Ok(format!("Hello, {}!", session.get("name")?.unwrap_or("stranger".to_owned())))
//! }
//!
//! // The function by itself.
//! let session = TestSession::new().with_value("name", "Ada");
//! assert_eq!(greeting(&session)?, "Hello, Ada!");
//!
//! // The whole app.
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # runtime.block_on(async {
//! let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
//! let store = MemoryStore::builder().clock(clock.clone()).build();
//! let app = Router::new()
//!     .route("/begin", get(async |session: Session| session.insert("name", "Ada")))
//!     .route("/", get(async |session: Session| greeting(&session)))
//!     .layer(SessionLayer::new(store, Key::generate()?).clock(clock.clone()));
//!
//! let visitor = TestVisitor::new(app);
//! visitor.get("/begin").await;
//! // The idle timeout is 30 minutes.
//! for (minutes, name) in [(29, "Ada"), (31, "stranger")] {
//!     clock.advance(Duration::from_secs(minutes * 60));
//!     assert_eq!(visitor.get("/").await.text().await, format!("Hello, {name}!"));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })
//! # }
//! # #[cfg(not(feature = "testing"))]
//! # fn main() {}
//! ```
//!
#![cfg_attr(feature = "testing", doc = "[The module][mod@testing] has a whole test of an app.")]
//!
//! # Words
//!
//! | word | meaning |
//! |---|---|
//! | ticket | the value of the cookie, or of the [header](SessionLayer::header) in its place: a random id and an expiry, signed. A ticket that we did not sign never reaches the store |
//! | record | the session in the store: its values, its principal and its times. It is stored under a hash of the id |
//! | mark | a short entry that takes a record's place when the session ends or moves to a new id. It tells late requests that the session is over |
//! | principal | the user that is logged in, as [`Session::log_in`] was told |
//! | idle timeout | how long a session lives without being used; 30 minutes by default |
//! | absolute lifetime | how long a session lives at most; 12 hours by default |
//! | commit | storing a request's changes: one conditional write, after the handler or at [`Session::save`] |
//! | renew | giving the session a new id and ending the old one; the values stay |
//! | destroy | ending the session: a logout |
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `axum` | yes | [`Session`] as a handler argument and [`SessionError`] as a response; depends on axum-core only |
//! | `redis` | no | [`RedisStore`], on fred and rustls with ring |
//! | `memcached` | no | [`MemcachedStore`], on rustls with ring |
//! | `elasticache` | no | `redis` and `memcached` under the name of the AWS service |
//! | `redis-iam` | no | logging in to ElastiCache with AWS credentials, on the AWS SDK's signer |
//! | `dynamodb` | no | [`DynamoDbStore`], on the AWS SDK and rustls with ring |
//! | `postgres` | no | [`PostgresStore`], on tokio-postgres and rustls with ring |
//! | `mysql` | no | [`MysqlStore`], on mysql_async and rustls with ring |
//! | `sqlite` | no | [`SqliteStore`], on rusqlite with SQLite itself, which needs a C compiler; Unix only |
//! | `object` | no | [`BucketStore`], for S3, R2, MinIO, Google Cloud Storage and Azure Blob Storage, on object_store, hyper and rustls with ring |
//! | `near` | no | [`Near`], this server's memory in front of a shared store, on moka |
//! | `file` | no | [`FileStore`], on std and rustix; Unix only |
//! | `efs` | no | `file` under the name of the AWS service |
//! | `cookie` | no | nothing: [`CookieSessions`] is always there, and the name exists so that each way has a feature |
//! | `private` | no | encryption for [`CookieSessions`] |
//! | `conformance` | no | the contract of a store as a test kit |
//! | `metrics` | no | `MetricsObserver`, on the `metrics` facade |
//! | `testing` | no | [tools][tv] for tests of your own app |
//! | `full` | no | everything |
//!
//! A feature adds names and never changes what the others do.
//!
// The stores of features that are off have no page to link to; their names then lead to the module.
#![cfg_attr(feature = "redis", doc = "[`RedisStore`]: store::RedisStore")]
#![cfg_attr(not(feature = "redis"), doc = "[`RedisStore`]: store")]
#![cfg_attr(feature = "memcached", doc = "[`MemcachedStore`]: store::MemcachedStore")]
#![cfg_attr(not(feature = "memcached"), doc = "[`MemcachedStore`]: store")]
#![cfg_attr(feature = "dynamodb", doc = "[`DynamoDbStore`]: store::DynamoDbStore")]
#![cfg_attr(not(feature = "dynamodb"), doc = "[`DynamoDbStore`]: store")]
#![cfg_attr(feature = "postgres", doc = "[`PostgresStore`]: store::PostgresStore")]
#![cfg_attr(not(feature = "postgres"), doc = "[`PostgresStore`]: store")]
#![cfg_attr(feature = "mysql", doc = "[`MysqlStore`]: store::MysqlStore")]
#![cfg_attr(not(feature = "mysql"), doc = "[`MysqlStore`]: store")]
#![cfg_attr(all(feature = "sqlite", unix), doc = "[`SqliteStore`]: store::SqliteStore")]
#![cfg_attr(not(all(feature = "sqlite", unix)), doc = "[`SqliteStore`]: store")]
#![cfg_attr(feature = "object", doc = "[`BucketStore`]: store::BucketStore")]
#![cfg_attr(not(feature = "object"), doc = "[`BucketStore`]: store")]
#![cfg_attr(feature = "near", doc = "[`Near`]: store::Near")]
#![cfg_attr(not(feature = "near"), doc = "[`Near`]: store")]
#![cfg_attr(all(feature = "file", unix), doc = "[`FileStore`]: store::FileStore")]
#![cfg_attr(not(all(feature = "file", unix)), doc = "[`FileStore`]: store")]
#![cfg_attr(feature = "testing", doc = "[tv]: testing::TestVisitor")]
#![cfg_attr(feature = "testing", doc = "[ts]: testing::TestSession")]
#![cfg_attr(feature = "testing", doc = "[ws]: testing::TestVisitor::with_session")]
#![cfg_attr(feature = "testing", doc = "[fs]: testing::FaultyStore")]
#![cfg_attr(not(feature = "testing"), doc = "[tv]: crate#features")]
#![cfg_attr(not(feature = "testing"), doc = "[ts]: crate#features")]
#![cfg_attr(not(feature = "testing"), doc = "[ws]: crate#features")]
#![cfg_attr(not(feature = "testing"), doc = "[fs]: crate#features")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod abort_on_drop;
mod app_keys;
mod backoff;
mod browser;
mod clock;
mod config;
mod connect;
mod cookie;
#[doc(hidden)]
pub mod documentation;
mod entropy;
mod error;
mod error_chain;
pub mod events;
#[cfg(feature = "axum")]
mod extract;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
pub mod guide;
mod hex;
mod id;
mod keys;
#[cfg(feature = "metrics")]
mod metrics;
mod middleware;
mod observer;
mod poison;
mod record;
mod refused_cookies;
mod session;
#[cfg(test)]
mod simulation;
mod span;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use clock::{Clock, ManualClock, Timestamp};
pub use config::{ConfigError, SessionConfig};
pub use connect::{ConnectError, connect};
pub use cookie::HeaderError;
pub use cookie::{CookieError, CookieOptions, CookieOptionsBuilder, CsrfToken, SameSite};
pub use error::{LoginRequired, SessionError};
#[cfg(feature = "axum")]
pub use extract::{Fresh, RequireLogin};
pub use id::{InvalidHandle, SessionHandle};
pub use keys::{Key, KeyError, KeyRing};
#[cfg(feature = "metrics")]
pub use metrics::MetricsObserver;
pub use middleware::{EmptyBody, ErrorAnswer, ErrorPage, SiteData};
pub use middleware::{
    OutagePolicy, ResponseFuture, SessionLayer, SessionService, Timeouts, UnreadablePolicy,
};
pub use observer::Observer;
pub use record::AuthLevel;
pub use refused_cookies::RefusedCookies;
pub use session::{Backend, CookieSessions, Field, FieldName, FieldOf, LazySession};
pub use session::{
    Login, Revocations, RevocationsBuilder, Revoke, Roster, Sealing, Session, Users, WhenFull,
};

/// Compiles the README's code; it does not appear in the documentation.
#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../README.md")]
mod readme {}
