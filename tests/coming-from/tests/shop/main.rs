//! The shop before and after, the way between them, and what `docs/coming-from.md` says of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod browser;
mod carried;
mod from_axum_login;
mod old_store;
mod page;
mod races;
mod slow;
mod suite;
mod traps;
