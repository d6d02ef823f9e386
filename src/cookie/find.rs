//! Finds our cookie among everything that a client may send.
//!
//! It works on bytes, because a header with one non-ASCII cookie is not a `str`, and somebody else's
//! cookie would then hide ours. It neither decodes nor verifies, because most requests never need
//! that.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use memchr::memchr;
use memchr::memmem::Finder;
use smallvec::SmallVec;

use super::ticket::TICKET_LEN;

/// Finds the cookies of one name.
#[derive(Clone, Debug)]
pub(crate) struct CookieFinder {
    /// `name=`
    pattern: Finder<'static>,
}

impl CookieFinder {
    pub(crate) fn new(name: &str) -> Self {
        Self { pattern: Finder::new(&format!("{name}=")).into_owned() }
    }

    /// Returns the values of every cookie with exactly this name, in all `Cookie` headers (HTTP/2
    /// clients may send one header per cookie, RFC 9113 section 8.2.3).
    pub(super) fn values<'a>(&'a self, headers: &'a HeaderMap) -> impl Iterator<Item = &'a [u8]> {
        headers.get_all(COOKIE).into_iter().flat_map(|header| self.values_in(header.as_bytes()))
    }

    /// Returns the values of every cookie with exactly this name in one header.
    pub(crate) fn values_in<'a>(&'a self, header: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        // Splitting at each `;` would be simpler, but most cookies of a request are not ours, and this
        // runs in requests that never use their session.
        let mut from = 0;
        std::iter::from_fn(move || {
            loop {
                let at = from + self.position(&header[from..])?;
                from = at + self.pattern.needle().len();
                let before = header[..at].trim_ascii_end();
                // `name=` also occurs inside other names and values.
                if before.is_empty() || before.ends_with(b";") {
                    let value = &header[from..];
                    let value = &value[..memchr(b';', value).unwrap_or(value.len())];
                    from += value.len();
                    return Some(unquoted(value.trim_ascii()));
                }
            }
        })
    }

    /// Returns where `name=` occurs first. In many requests ours is the only cookie, and then the text
    /// search has nothing to do.
    fn position(&self, header: &[u8]) -> Option<usize> {
        let needle = self.pattern.needle();
        match header.get(..needle.len())? == needle {
            true => Some(0),
            false => self.pattern.find(header),
        }
    }
}

/// Possible tickets that one request may have verified. The client chooses how many cookies it sends,
/// and each costs a signature.
const MOST_CANDIDATES: usize = 8;

/// The cookies of a request that a later load may need, copied out of its headers. In all but odd
/// cases the copy takes no allocation.
pub(crate) struct Presented {
    cookies: Cookies,
    /// It has been reported that these cookies lead to no session.
    is_reported: AtomicBool,
    /// The client that has sent them, where the app says which.
    pub(crate) client: Option<IpAddr>,
}

enum Cookies {
    Tickets {
        /// The client sent a cookie of our name, however broken.
        any: bool,
        /// The values that have a ticket's length.
        ///
        /// Several, if another path or domain has a cookie of our name, or somebody attempts something.
        /// RFC 6265bis section 5.8.3 says that a server should not rely on their order, so all of
        /// them are tried.
        candidates: SmallVec<[[u8; TICKET_LEN]; 1]>,
    },
    /// All `Cookie` headers, if the cookie holds the session itself.
    Headers(SmallVec<[HeaderValue; 1]>),
}

impl Presented {
    /// Copies those of the values under our name that can be tickets.
    pub(super) fn find<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let (mut any, mut candidates) = (false, SmallVec::new());
        for value in values {
            any = true;
            if candidates.len() < MOST_CANDIDATES
                && let Ok(candidate) = <[u8; TICKET_LEN]>::try_from(value)
            {
                candidates.push(candidate);
            }
        }
        Cookies::Tickets { any, candidates }.into()
    }

    /// Returns whether the client sent any cookie of our name, however broken.
    pub(crate) fn any(&self) -> bool {
        matches!(self.cookies, Cookies::Tickets { any: true, .. })
    }

    /// Returns whether several cookies of our name may be tickets.
    pub(crate) fn has_several(&self) -> bool {
        self.candidates().len() > 1
    }

    /// Returns the values that have a ticket's length.
    pub(crate) fn candidates(&self) -> &[[u8; TICKET_LEN]] {
        match &self.cookies {
            Cookies::Tickets { candidates, .. } => candidates,
            Cookies::Headers(_) => &[],
        }
    }
}

impl Presented {
    /// Keeps all `Cookie` headers for later, because a text may have any length and several cookies.
    /// Cloning a header shares its bytes.
    pub(crate) fn hold(headers: &HeaderMap) -> Self {
        Cookies::Headers(headers.get_all(COOKIE).iter().cloned().collect()).into()
    }

    /// Returns the values of `finder`'s cookies in the headers that [`hold`](Self::hold) kept.
    pub(crate) fn values<'a>(&'a self, finder: &'a CookieFinder) -> impl Iterator<Item = &'a [u8]> {
        let headers = match &self.cookies {
            Cookies::Tickets { .. } => &[],
            Cookies::Headers(headers) => headers.as_slice(),
        };
        headers.iter().flat_map(|header| finder.values_in(header.as_bytes()))
    }
}

impl Presented {
    /// Returns whether it is to be reported that these cookies lead to no session: `true` once per request,
    /// which may look at them several times.
    pub(crate) fn is_first_report(&self) -> bool {
        !self.is_reported.swap(true, Ordering::Relaxed)
    }
}

impl From<Cookies> for Presented {
    fn from(cookies: Cookies) -> Self {
        Self { cookies, is_reported: AtomicBool::new(false), client: None }
    }
}

/// Removes the double quotes around a value, which RFC 6265 allows.
fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(cookies: &[&[u8]]) -> HeaderMap {
        cookies.iter().map(|&value| (COOKIE, HeaderValue::from_bytes(value).unwrap())).collect()
    }

    fn found(cookies: &[&[u8]]) -> Vec<Vec<u8>> {
        CookieFinder::new("id").values(&headers(cookies)).map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn finds_the_exact_name_only() {
        assert_eq!(found(&[b"a=1; id=x; ID=y; xid=z; id2=w; id"]), [b"x"]);
        assert_eq!(found(&[b"a=id=x; b=\"; id=y\"; c id=z"]), [b"y\""]);
    }

    #[test]
    fn looks_through_several_headers_and_repeated_cookies() {
        assert_eq!(found(&[b"id=a; b=c", b"d=e", b"id=b;id=\"c\""]), [b"a", b"b", b"c"]);
    }

    #[test]
    fn strange_neighbours_do_not_hide_it() {
        assert_eq!(found(&[b"x=\xff\xfe; ;; =;id=v;=;"]), [b"v"]);
        assert_eq!(found(&[b""]), Vec::<Vec<u8>>::new());
        assert_eq!(found(&[b"id="]), [b""]);
    }

    #[test]
    fn only_values_of_a_tickets_length_are_candidates() {
        let ticket = "t".repeat(TICKET_LEN);
        let junk = format!("id=; id={}; id={ticket}; id={ticket}x", "j".repeat(8192));
        let (finder, headers) = (CookieFinder::new("id"), headers(&[junk.as_bytes()]));
        let presented = Presented::find(finder.values(&headers));
        assert!(presented.any());
        assert_eq!(presented.candidates().len(), 1);
    }

    fn presented(cookie: &str) -> Presented {
        let (finder, headers) = (CookieFinder::new("id"), headers(&[cookie.as_bytes()]));
        Presented::find(finder.values(&headers))
    }

    #[test]
    fn of_many_candidates_the_first_eight_are_kept() {
        let tickets = |count| format!("id={}; ", "t".repeat(TICKET_LEN)).repeat(count);
        for (sent, kept) in [(0, 0), (1, 1), (2, 2), (8, 8), (9, 8), (100, 8)] {
            let presented = presented(&tickets(sent));
            assert_eq!(presented.candidates().len(), kept);
            assert_eq!(presented.has_several(), kept > 1, "{sent}");
        }
    }

    #[test]
    fn a_broken_cookie_of_the_name_is_told_from_none() {
        assert!(presented("id=").any());
        assert!(!presented("a=id; b=c").any());
    }

    #[test]
    fn the_headers_that_are_kept_have_every_value_and_no_candidates() {
        let ticket = "t".repeat(TICKET_LEN);
        let lines = [format!("a=b; id={ticket}"), "id=short".to_owned()];
        let held = Presented::hold(&headers(&[lines[0].as_bytes(), lines[1].as_bytes()]));
        let finder = CookieFinder::new("id");
        let values: Vec<_> = held.values(&finder).collect();
        assert_eq!(values, [ticket.as_bytes(), b"short"]);
        assert!(held.candidates().is_empty() && !held.any());
        assert_eq!(presented(&lines[0]).values(&finder).count(), 0);
    }

    #[test]
    fn that_no_session_was_found_is_reported_once_for_a_request() {
        let presented = presented("id=");
        assert!(presented.is_first_report());
        assert!(!presented.is_first_report() && !presented.is_first_report());
    }
}
