//! The warnings that a layer gives its operator once.

use std::sync::atomic::{AtomicBool, Ordering};

use http::header::SET_COOKIE;
use http::{HeaderMap, Request};

use super::plain_http::is_plain_http;
use crate::cookie::CookieOptions;
use crate::session::{LEAST_TIME, Terms};

/// Shared by the clones of a layer and its services: axum makes a service for each route, and servers
/// one for each connection.
#[derive(Debug, Default)]
pub(super) struct Notices {
    checked: AtomicBool,
    warned_of_plain_http: AtomicBool,
}

impl Notices {
    /// Warns of times that do not fit together, at the first call. Not in the setters: until the last of
    /// them was called, the times need not fit.
    pub(super) fn check(&self, terms: &Terms) {
        if self.checked.swap(true, Ordering::Relaxed) {
            return;
        }
        check_lifetimes(terms);
        let Terms { command_timeout, commit_timeout, .. } = terms;
        if *command_timeout.min(commit_timeout) == LEAST_TIME {
            tracing::warn!(
                ?command_timeout,
                ?commit_timeout,
                "a store has no time to answer: the command or the commit timeout is next to zero"
            );
        }
    }

    /// Returns whether the response to this request must be [seen](Self::see): its browser speaks plain
    /// HTTP, and nobody has been warned yet.
    pub(super) fn watch<B>(&self, request: &Request<B>) -> bool {
        let warned = self.warned_of_plain_http.load(Ordering::Relaxed);
        !warned && is_plain_http(request.uri(), request.headers())
    }

    /// Warns if this response takes a `Secure` cookie of ours to a browser that drops it.
    pub(super) fn see(&self, response: &HeaderMap, cookie: &CookieOptions) {
        let name = cookie.name().as_bytes();
        let is_ours = |value: &[u8]| value.strip_prefix(name).is_some_and(|v| v.starts_with(b"="));
        let ours = response.get_all(SET_COOKIE).iter().any(|value| is_ours(value.as_bytes()));
        if ours && cookie.is_secure() && !self.warned_of_plain_http.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a `Secure` cookie was sent over plain HTTP, where browsers drop it: serve the app \
                 over HTTPS, or for development use `CookieOptionsBuilder::insecure_plain_http`"
            );
        }
    }
}

fn check_lifetimes(terms: &Terms) {
    let Terms { idle_timeout, anonymous_idle_timeout, absolute_lifetime, .. } = terms;
    if *idle_timeout.min(anonymous_idle_timeout).min(absolute_lifetime) == LEAST_TIME {
        tracing::warn!(
            ?idle_timeout,
            ?anonymous_idle_timeout,
            ?absolute_lifetime,
            "sessions end at once: an idle timeout or the absolute lifetime is next to zero"
        );
    } else if idle_timeout > absolute_lifetime {
        tracing::warn!(
            ?idle_timeout,
            ?absolute_lifetime,
            "the idle timeout is longer than the absolute lifetime, so it never ends a session"
        );
    }
}
