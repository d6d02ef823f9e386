//! A browser in front of a layer: the cookies that it keeps, and requests whose handler is a closure.
//!
//! The module `testing` is built on it, and so are the examples in this crate's documentation, which
//! need it without that feature.

mod cookie_jar;
mod visit;

pub(crate) use cookie_jar::{CookieJar, StoredCookie};
#[cfg(feature = "testing")]
pub(crate) use visit::HandlerService;
pub(crate) use visit::visit;
