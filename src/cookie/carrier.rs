//! The carrier of a layer's tickets between client and server: a cookie, or a header of the app's own.

use std::time::Duration;

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::attributes::{CookieOptions, SetCookies};
use super::find::{CookieFinder, Presented};
use super::header::TicketHeader;
use crate::error::SessionError;

/// A cookie with its attributes, or a header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Carrier {
    Cookie(CookieOptions),
    Header(TicketHeader),
}

impl Carrier {
    /// Returns the name of the cookie or header.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Cookie(cookie) => cookie.name(),
            Self::Header(header) => header.name().as_str(),
        }
    }

    /// Whether it has this name. Headers are compared without case.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        match self {
            Self::Cookie(cookie) => cookie.name() == name,
            Self::Header(header) => header.name().as_str().eq_ignore_ascii_case(name),
        }
    }

    /// Returns the name that signatures are bound to. A cookie and a header never have the same.
    pub(crate) fn bound_name(&self) -> &str {
        match self {
            Self::Cookie(cookie) => cookie.name(),
            Self::Header(header) => header.bound_name(),
        }
    }

    pub(crate) fn cookie(&self) -> Option<&CookieOptions> {
        match self {
            Self::Cookie(cookie) => Some(cookie),
            Self::Header(_) => None,
        }
    }

    /// Renders a ticket for a session with this much `left` of its absolute lifetime.
    pub(crate) fn live(
        &self,
        ticket: &str,
        remembered: bool,
        left: Duration,
    ) -> Result<HeaderValue, SessionError> {
        match self {
            Self::Cookie(cookie) => cookie.live(ticket, cookie.max_age(remembered, left)),
            Self::Header(header) => Ok(header.live(ticket)),
        }
    }

    /// Renders the value that makes the client forget the ticket. In a header that is an empty value.
    pub(crate) fn removal(&self) -> HeaderValue {
        match self {
            Self::Cookie(cookie) => cookie.removal(),
            Self::Header(_) => HeaderValue::from_static(""),
        }
    }

    /// Returns the request header that responses depend on.
    pub(crate) fn request_header(&self) -> &HeaderName {
        match self {
            Self::Cookie(_) => &COOKIE,
            Self::Header(header) => header.name(),
        }
    }

    /// Puts rendered values into a response.
    pub(crate) fn send(&self, rendered: SetCookies, response: &mut HeaderMap) {
        for value in rendered {
            match self {
                Self::Cookie(_) => drop(response.append(SET_COOKIE, value)),
                Self::Header(header) => drop(response.insert(header.name(), value)),
            }
        }
    }
}

/// Finds the tickets in a request.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a layer has one, and every request looks into it")]
pub(crate) enum TicketFinder {
    Cookie(CookieFinder),
    Header(HeaderName),
}

impl TicketFinder {
    pub(crate) fn new(carrier: &Carrier) -> Self {
        match carrier {
            Carrier::Cookie(cookie) => Self::Cookie(CookieFinder::new(cookie.name())),
            Carrier::Header(header) => Self::Header(header.name().clone()),
        }
    }

    /// Copies the values that can be tickets.
    pub(crate) fn present(&self, headers: &HeaderMap) -> Presented {
        match self {
            Self::Cookie(finder) => Presented::find(finder.values(headers)),
            // A client that was told to forget its ticket may go on sending the empty value.
            Self::Header(name) => {
                let values =
                    headers.get_all(name).iter().map(|value| value.as_bytes().trim_ascii());
                Presented::find(values.filter(|value| !value.is_empty()))
            }
        }
    }
}
