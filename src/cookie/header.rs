//! A header of the app's own that carries the ticket instead of a cookie, and the names it may have.

use std::fmt;

use http::{HeaderName, HeaderValue};

use crate::error_chain::WithCauses;

/// Names that HTTP, gRPC, a browser or a proxy gives a meaning, besides those that begin with one of
/// [`PREFIXES`]. Under them a ticket would be dropped, changed, sent elsewhere, or taken for something else.
///
/// `mcp-session-id` is among them because clients of that protocol demand a lifetime that is not a session's
/// here, and because its revision of July 2026 has no such header any more.
const TAKEN: [&str; 44] = [
    "age",
    "allow",
    "alt-svc",
    "authentication-info",
    "authorization",
    "baggage",
    "connection",
    "cookie",
    "cookie2",
    "date",
    "dnt",
    "etag",
    "expect",
    "expires",
    "forwarded",
    "from",
    "host",
    "http2-settings",
    "keep-alive",
    "last-modified",
    "link",
    "location",
    "max-forwards",
    "mcp-session-id",
    "origin",
    "pragma",
    "priority",
    "range",
    "referer",
    "referrer-policy",
    "refresh",
    "retry-after",
    "server",
    "set-cookie",
    "set-cookie2",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
];

const PREFIXES: [&str; 16] = [
    "accept",
    "access-control-",
    "cache-",
    "cdn-",
    "content-",
    "cross-origin-",
    "digest",
    "grpc-",
    "if-",
    "proxy-",
    "sec-",
    "strict-transport-",
    "www-",
    "x-accel-",
    "x-forwarded-",
    "x-real-",
];

/// A header that carries tickets in both directions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TicketHeader {
    name: HeaderName,
    /// The name that signatures are bound to. No cookie can have it, so a ticket from a cookie is worth nothing in a
    /// header, and the reverse.
    bound_name: String,
}

impl TicketHeader {
    pub(crate) fn new(name: &str) -> Result<Self, HeaderError> {
        // Not all that HTTP allows: nginx drops names with `_`, and gRPC refuses most other signs.
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let first = name.bytes().next().ok_or(HeaderError::Name)?;
        if !first.is_ascii_alphanumeric() || !name.bytes().all(fits) {
            return Err(HeaderError::Name);
        }
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeaderError::Name)?;
        let lower = name.as_str();
        let is_taken = TAKEN.contains(&lower)
            || PREFIXES.iter().any(|prefix| lower.starts_with(prefix))
            // gRPC takes such a value for base64 of bytes.
            || lower.ends_with("-bin");
        if is_taken {
            return Err(HeaderError::Taken);
        }
        let bound_name = format!("header: {lower}");
        Ok(Self { name, bound_name })
    }

    pub(crate) fn name(&self) -> &HeaderName {
        &self.name
    }

    pub(super) fn bound_name(&self) -> &str {
        &self.bound_name
    }

    /// Returns the value of a header with this ticket.
    pub(super) fn live(&self, ticket: &str) -> HeaderValue {
        #[expect(clippy::expect_used, reason = "a ticket is base64url")]
        let mut value = HeaderValue::try_from(ticket).expect("a ticket has visible ASCII only");
        value.set_sensitive(true);
        value
    }
}

/// Why a layer cannot send its tickets in a header; the text says what to do.
///
/// ```
/// use cloakroom::{HeaderError, Key, SessionLayer, store::MemoryStore};
///
/// let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
/// assert_eq!(layer.header("authorization").unwrap_err(), HeaderError::Taken);
/// # Ok::<(), cloakroom::KeyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The name is empty, or has other characters than letters, digits and `-`.
    #[error(
        "a header for tickets is named by letters, digits and `-`, a letter or digit first: for example `x-session`"
    )]
    Name,
    /// The name has a meaning in HTTP, gRPC or another protocol.
    #[error(
        "this header has a meaning of its own, by which others change, drop or log it: take a name that only your app uses, for example `x-session`"
    )]
    Taken,
    /// The sessions of this layer travel in cookies.
    #[error(
        "sessions that travel in cookies cannot travel in a header: keep them in a store, or drop `header`"
    )]
    NeedsStore,
}

impl fmt::Debug for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", WithCauses(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cookie::CookieOptions;

    #[test]
    fn names_that_others_use_are_refused() {
        let taken = "cookie Set-Cookie authorization proxy-authorization connection keep-alive te \
                     upgrade transfer-encoding host content-type grpc-status x-session-bin \
                     MCP-Session-Id x-forwarded-for sec-fetch-site vary cache-control";
        for name in taken.split(' ') {
            assert_eq!(TicketHeader::new(name), Err(HeaderError::Taken), "{name}");
        }
        for name in
            ["", "-x", "x session", "x_session", "x.session", "x:", "sess\u{ef}on", "x\r\ny"]
        {
            assert_eq!(TicketHeader::new(name), Err(HeaderError::Name), "{name:?}");
        }
        for error in [HeaderError::Name, HeaderError::Taken, HeaderError::NeedsStore] {
            assert_eq!(format!("{error:?}"), error.to_string());
        }
    }

    #[test]
    fn signatures_are_bound_to_what_no_cookie_is_called() {
        let header = TicketHeader::new("X-Session").unwrap();
        assert_eq!(
            (header.name().as_str(), header.bound_name()),
            ("x-session", "header: x-session")
        );
        assert!(CookieOptions::builder().name(header.bound_name().to_owned()).build().is_err());
    }
}
