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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cookie::ticket::TICKET_LEN;

    fn cookie() -> Carrier {
        let options = CookieOptions::builder().name("Shop").insecure_plain_http();
        Carrier::Cookie(options.build().unwrap())
    }

    fn header() -> Carrier {
        Carrier::Header(TicketHeader::new("X-Shop").unwrap())
    }

    fn sent(carrier: &Carrier, value: HeaderValue, name: &str) -> Vec<String> {
        let mut response = HeaderMap::new();
        response.insert(SET_COOKIE, HeaderValue::from_static("other=1"));
        response.insert("x-shop", HeaderValue::from_static("before"));
        carrier.send(SetCookies::from_elem(value, 1), &mut response);
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        response.get_all(name).iter().map(text).collect()
    }

    #[test]
    fn only_headers_are_compared_without_case() {
        assert_eq!((cookie().name(), header().name()), ("Shop", "x-shop"));
        assert!(cookie().is_called("Shop") && !cookie().is_called("shop"));
        assert!(header().is_called("X-SHOP") && !header().is_called("x-shops"));
    }

    #[test]
    fn signatures_for_a_cookie_and_a_header_are_bound_to_different_names() {
        assert_eq!((cookie().bound_name(), header().bound_name()), ("Shop", "header: x-shop"));
    }

    #[test]
    fn only_a_carrier_that_is_a_cookie_has_its_options() {
        assert_eq!(cookie().cookie().map(CookieOptions::name), Some("Shop"));
        assert_eq!(header().cookie(), None);
    }

    #[test]
    fn responses_depend_on_the_header_that_brings_tickets() {
        assert_eq!(
            (cookie().request_header().as_str(), header().request_header().as_str()),
            ("cookie", "x-shop")
        );
    }

    #[test]
    fn a_ticket_joins_the_cookies_of_others_and_replaces_a_header() {
        let left = Duration::from_secs(60);
        let live = cookie().live("TICKET", true, left).unwrap();
        let cookies = sent(&cookie(), live, "set-cookie");
        assert_eq!(cookies.len(), 2);
        assert!(cookies[1].starts_with("Shop=TICKET; ") && cookies[1].ends_with("; Max-Age=60"));
        let live = header().live("TICKET", true, left).unwrap();
        assert!(live.is_sensitive());
        assert_eq!(sent(&header(), live, "x-shop"), ["TICKET"]);
    }

    #[test]
    fn the_removal_is_an_expired_cookie_or_an_empty_header() {
        let removal = cookie().removal();
        let removal = removal.to_str().unwrap();
        assert!(removal.starts_with("Shop=; ") && removal.ends_with("; Max-Age=0"), "{removal}");
        assert_eq!(header().removal(), "");
    }

    #[test]
    fn an_empty_header_presents_no_ticket() {
        let ticket = "t".repeat(TICKET_LEN);
        for (carrier, name, values) in [
            (cookie(), "cookie", [format!("Shop={ticket}"), "Shop=".to_owned()]),
            (header(), "x-shop", [format!(" {ticket} "), "broken".to_owned()]),
        ] {
            let present = |value: &str| {
                let mut request = HeaderMap::new();
                request.insert(name, value.parse().unwrap());
                TicketFinder::new(&carrier).present(&request)
            };
            assert_eq!(present(&values[0]).candidates(), [ticket.as_bytes()]);
            let broken = present(&values[1]);
            assert!(broken.any() && broken.candidates().is_empty());
            assert!(!present(" ").any());
        }
    }
}
