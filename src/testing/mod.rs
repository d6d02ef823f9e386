//! Tools for tests of an app that keeps sessions.
//!
//! They go through the real layer and store, so a test fails where the app would. Put the feature among
//! the dev-dependencies:
//!
//! ```toml
//! [dev-dependencies]
//! cloakroom = { version = "0.1", features = ["testing"] }
//! ```
//!
//! | to test | take |
//! |---|---|
//! | a function that takes a [`&Session`](crate::Session) | [`TestSession`] |
//! | a whole app, request by request | [`TestVisitor`] |
//! | pages behind a login | [`TestVisitor::with_session`], or [`signed_cookie`] for a client of your own |
//! | timeouts | a [`ManualClock`](crate::ManualClock), in the store and in the layer |
//! | outages, slow stores, races | [`FaultyStore`] |
//!
//! # A whole test
//!
//! An app is a function of its layer, so that a test can give it another store and another clock:
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # mod example {
//! use axum::{Form, Router, routing::{get, post}};
//! use cloakroom::store::MemoryStore;
//! use cloakroom::testing::{FaultyStore, TestVisitor};
//! use cloakroom::{Key, LazySession, ManualClock, Session, SessionError, SessionLayer, Timestamp};
//! use std::collections::HashMap;
//! use std::time::Duration;
//!
//! fn app(sessions: SessionLayer) -> Router {
//!     Router::new()
//!         .route("/", get(home))
//!         .route("/login", post(login))
//!         .route("/logout", post(async |lazy: LazySession| lazy.destroy().await))
//!         .layer(sessions)
//! }
//!
//! async fn home(session: Session) -> String {
//!     format!("Hello, {}!", session.principal().as_deref().unwrap_or("stranger"))
//! }
//!
//! async fn login(session: Session, Form(form): Form<HashMap<String, String>>) -> Result<(), SessionError> {
//!     if form["password"] == "wonderland" {
//!         session.log_in(&form["name"]).await?;
//!     }
//!     Ok(())
//! }
//!
//! #[tokio::test]
//! # async fn another() {}
//! # pub
//! async fn a_login_lasts_half_an_hour() -> Result<(), Box<dyn std::error::Error>> {
//!     let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
//!     let store = MemoryStore::builder().clock(clock.clone()).build();
//!     let store = FaultyStore::new(store);
//!     let layer = SessionLayer::new(store.clone(), Key::generate()?).clock(clock.clone());
//!     let ada = TestVisitor::new(app(layer.clone()));
//!
//!     ada.post("/login", "name=ada&password=wrong").await;
//!     assert_eq!(ada.get("/").await.text().await, "Hello, stranger!");
//!     ada.post("/login", "name=ada&password=wonderland").await;
//!     assert_eq!(ada.get("/").await.text().await, "Hello, ada!");
//!
//!     clock.advance(Duration::from_secs(31 * 60));
//!     assert_eq!(ada.get("/").await.text().await, "Hello, stranger!");
//!
//!     // Without the login form.
//!     let bob = TestVisitor::new(app(layer.clone()));
//!     bob.with_session(&layer, async |session| session.log_in("bob").await).await?;
//!     let thief = bob.copy();
//!     bob.post("/logout", "").await;
//!     assert_eq!(thief.get("/").await.text().await, "Hello, stranger!");
//!
//!     store.outage();
//!     assert_eq!(ada.post("/login", "name=ada&password=wonderland").await.status(), 503);
//!     Ok(())
//! }
//! # }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #     #[cfg(feature = "axum")]
//! #     return tokio::runtime::Builder::new_current_thread().enable_time().build()?
//! #         .block_on(example::a_login_lasts_half_an_hour());
//! #     #[cfg(not(feature = "axum"))]
//! #     Ok(())
//! # }
//! ```
//!
//! # Panics
//!
//! Failures of the app and of the store come back as a response or a `Result`. Mistakes in the test itself
//! panic with a text that names them, such as a URI that cannot be parsed. Each method that can panic has a
//! section about it.
//!
//! # Requests that overlap
//!
//! Clones of a [`TestVisitor`] are tabs of one browser, and `tokio::join!` sends their requests at once. A
//! memory store answers at once, so such requests rarely meet. [`Fault::after`] puts a request exactly
//! between another one's load and its write.

mod command;
mod cookies;
mod fault;
mod faulty_store;
mod outcome;
mod response;
mod script;
mod session;
mod signed_cookie;
mod visitor;

pub use crate::events::CommandKind;
pub use command::Commands;
pub use fault::{Action, Fault};
pub use faulty_store::FaultyStore;
pub use outcome::Outcome;
pub use response::TestResponse;
pub use session::TestSession;
pub use signed_cookie::signed_cookie;
pub use visitor::TestVisitor;
