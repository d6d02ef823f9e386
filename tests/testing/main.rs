//! The module `testing`, as somebody uses it who tests an app of their own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(feature = "axum")]
mod app;
mod contracts;
mod faulty_store;
mod session;
mod visitor;
