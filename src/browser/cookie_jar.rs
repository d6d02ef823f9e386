//! The cookies of one host, stored and sent by the rules of RFC 6265bis as far as one host needs them.

use std::cmp::Reverse;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use cookie::Cookie;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

use crate::cookie::MAX_COOKIE_BYTES;
use crate::poison::IgnorePoison;

/// The cookies of a browser, in the order in which they came. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct CookieJar {
    pub(crate) cookies: Arc<Mutex<Vec<StoredCookie>>>,
    /// The browser speaks plain HTTP, where it neither stores nor sends `Secure` cookies.
    pub(crate) plain_http: bool,
}

/// A cookie with the path that it belongs to.
#[derive(Clone)]
pub(crate) struct StoredCookie {
    pub(crate) cookie: Cookie<'static>,
    pub(crate) path: String,
}

impl CookieJar {
    /// Stores the cookies of a response to a request for `request_path`, and removes those that it says
    /// are over.
    pub(crate) fn keep(&self, response: &HeaderMap, request_path: &str) {
        let new = response.get_all(SET_COOKIE).iter();
        let new = new.filter_map(|header| StoredCookie::parse(header, request_path));
        for cookie in new.filter(|new| new.is_accepted(self.plain_http)) {
            self.store(cookie);
        }
    }

    /// Stores this cookie, or removes the one in whose place it is if it is over.
    pub(crate) fn store(&self, new: StoredCookie) {
        let is_over = new.is_over();
        self.with(|cookies| match cookies.iter().position(|old| old.is_same(&new)) {
            Some(at) if is_over => drop(cookies.remove(at)),
            // In the same place: the order is that of the first time.
            Some(at) => cookies[at] = new,
            None if is_over => {}
            None => cookies.push(new),
        });
    }

    /// Adds the `Cookie` header of a request to this path, or of one to all paths.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap, path: Option<&str>) {
        let mut sent = self.with(|cookies| cookies.clone());
        sent.retain(|stored| {
            let is_withheld = stored.cookie.secure() == Some(true) && self.plain_http;
            !is_withheld && path.is_none_or(|path| stored.belongs_to(path))
        });
        // RFC 6265bis section 5.8.3: longer paths first, and then the older cookie.
        sent.sort_by_key(|stored| Reverse(stored.path.len()));
        let pairs: Vec<_> = sent.iter().map(|sent| sent.cookie.stripped().to_string()).collect();
        if let Ok(mut header) = HeaderValue::try_from(pairs.join("; "))
            && !pairs.is_empty()
        {
            header.set_sensitive(true);
            headers.append(COOKIE, header);
        }
    }

    /// Reads or changes all cookies.
    pub(crate) fn with<T>(&self, action: impl FnOnce(&mut Vec<StoredCookie>) -> T) -> T {
        action(&mut self.cookies.lock().ignore_poison())
    }
}

impl StoredCookie {
    /// Reads a `Set-Cookie` header. `None` if a browser cannot read it either.
    fn parse(header: &HeaderValue, request_path: &str) -> Option<Self> {
        let text = std::str::from_utf8(header.as_bytes()).ok()?;
        let cookie = Cookie::parse(text.to_owned()).ok()?;
        let path = cookie.path().filter(|path| path.starts_with('/'));
        let path = path.unwrap_or_else(|| default_path(request_path)).to_owned();
        Some(Self { cookie, path })
    }

    /// Whether a browser stores it: it is not too large, `Secure` only over HTTPS, and what the prefix of its
    /// name promises.
    fn is_accepted(&self, plain_http: bool) -> bool {
        let Self { cookie, .. } = self;
        let name = cookie.name().to_ascii_lowercase();
        let is_secure = cookie.secure() == Some(true);
        let keeps_prefix = match () {
            () if name.starts_with("__host-") => {
                is_secure && cookie.domain().is_none() && cookie.path() == Some("/")
            }
            () if name.starts_with("__secure-") => is_secure,
            () => true,
        };
        let fits = name.len() + cookie.value().len() <= MAX_COOKIE_BYTES;
        fits && keeps_prefix && !(is_secure && plain_http)
    }

    /// Whether one takes the place of the other.
    fn is_same(&self, other: &Self) -> bool {
        let domain = |stored: &Self| stored.cookie.domain().map(str::to_ascii_lowercase);
        self.cookie.name() == other.cookie.name()
            && self.path == other.path
            && domain(self) == domain(other)
    }

    /// Whether it removes the cookie that it takes the place of.
    fn is_over(&self) -> bool {
        if let Some(age) = self.cookie.max_age() {
            return !age.is_positive();
        }
        let expires = self.cookie.expires_datetime();
        expires.is_some_and(|expires| SystemTime::from(expires) <= SystemTime::now())
    }

    /// Whether it is sent with requests to `path` (RFC 6265bis section 5.1.4).
    fn belongs_to(&self, path: &str) -> bool {
        let rest = path.strip_prefix(&*self.path);
        rest.is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/')
        })
    }
}

/// Returns the path of a cookie that says none (RFC 6265bis section 5.1.4).
fn default_path(request_path: &str) -> &str {
    match request_path.rfind('/') {
        None | Some(0) => "/",
        Some(end) => &request_path[..end],
    }
}

impl fmt::Debug for CookieJar {
    /// Shows the names only: a value is as good as a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |stored: &StoredCookie| stored.cookie.name().to_owned();
        let names: Vec<_> = self.with(|cookies| cookies.iter().map(name).collect());
        f.debug_tuple("CookieJar").field(&names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar(set_cookies: &[&str]) -> CookieJar {
        let jar = CookieJar::default();
        keep(&jar, set_cookies);
        jar
    }

    /// The cookies come in a response to `/shop/cart`.
    fn keep(jar: &CookieJar, set_cookies: &[&str]) {
        let mut headers = HeaderMap::new();
        for text in set_cookies {
            headers.append(SET_COOKIE, HeaderValue::from_bytes(text.as_bytes()).unwrap());
        }
        jar.keep(&headers, "/shop/cart");
    }

    fn sent(jar: &CookieJar, path: &str) -> String {
        let mut headers = HeaderMap::new();
        jar.add_to(&mut headers, Some(path));
        headers.get(COOKIE).map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_cookie_is_sent_to_its_path_and_what_is_below_it() {
        let jar = jar(&["a=1; Path=/shop", "b=2", "c=3; Path=/", "d=4; Path=relative"]);
        assert_eq!(sent(&jar, "/shop/cart"), "a=1; b=2; d=4; c=3");
        assert_eq!(sent(&jar, "/shop"), "a=1; b=2; d=4; c=3");
        assert_eq!(sent(&jar, "/shopping"), "c=3");
        assert_eq!(sent(&jar, "/"), "c=3");
        assert_eq!(default_path("/cart"), "/");
    }

    #[test]
    fn a_cookie_is_replaced_or_removed_only_under_its_own_name_path_and_domain() {
        let jar = jar(&["a=1; Path=/", "b=1; Path=/; Domain=shop.example"]);
        keep(&jar, &["a=; Max-Age=0; Path=/shop", "b=; Max-Age=0; Path=/"]);
        assert_eq!(sent(&jar, "/"), "a=1; b=1");
        keep(&jar, &["b=2; Path=/; Domain=.SHOP.example", "a=2; Path=/"]);
        assert_eq!(sent(&jar, "/"), "a=2; b=2");
        keep(&jar, &["a=; Max-Age=0; Path=/", "b=; Max-Age=-1; Path=/; Domain=shop.example"]);
        assert_eq!(sent(&jar, "/"), "");
    }

    #[test]
    fn max_age_counts_before_expires() {
        let past = "Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        let removed = format!("a=1; Path=/; {past}");
        let kept = format!("b=1; Path=/; Max-Age=9; {past}");
        let far = "c=1; Path=/; Expires=Fri, 01 Jan 2500 00:00:00 GMT";
        assert_eq!(sent(&jar(&[&removed, &kept, far]), "/"), "b=1; c=1");
    }

    #[test]
    fn the_prefixes_of_a_name_are_kept_to() {
        let jar = jar(&[
            "__Host-a=1; Secure; Path=/",
            "__Host-b=1; Path=/",
            "__Host-c=1; Secure; Path=/shop",
            "__Host-d=1; Secure; Path=/; Domain=shop.example",
            "__HOST-e=1; Secure",
            "__Secure-f=1; Secure; Path=/",
            "__secure-g=1; Path=/",
        ]);
        assert_eq!(sent(&jar, "/"), "__Host-a=1; __Secure-f=1");
    }

    #[test]
    fn a_secure_cookie_needs_https() {
        let plain = CookieJar { plain_http: true, ..jar(&["a=1; Secure; Path=/"]) };
        assert_eq!(sent(&plain, "/"), "");
        keep(&plain, &["b=1; Secure; Path=/", "c=1; Path=/"]);
        assert_eq!(sent(&plain, "/"), "c=1");
        assert_eq!(sent(&CookieJar { plain_http: false, ..plain }, "/"), "a=1; c=1");
    }

    #[test]
    fn what_is_no_cookie_or_too_large_is_dropped() {
        let large = format!("a={}; Path=/", "v".repeat(4096));
        let fits = format!("b={}; Path=/", "v".repeat(4095));
        let jar = jar(&["", "=1", "no pair", "\u{fc}=\u{fc}; Path=/", &large, &fits]);
        assert_eq!(jar.with(|cookies| cookies.len()), 2);
        assert!(format!("{jar:?}").contains("\"b\"") && !format!("{jar:?}").contains("vvv"));
    }
}
