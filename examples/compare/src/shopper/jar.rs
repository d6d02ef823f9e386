//! A browser's cookies for one site, with the rules that the comparison needs.

use std::collections::BTreeMap;

use cookie::Cookie;
use cookie::time::OffsetDateTime;
use http::HeaderMap;
use http::header::SET_COOKIE;

/// A cookie jar that sends every cookie with every request: there is one host, one path and no TLS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jar(BTreeMap<String, String>);

impl Jar {
    pub(crate) fn header(&self) -> String {
        let pairs = self.0.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn absorb(&mut self, headers: &HeaderMap) {
        let texts = headers.get_all(SET_COOKIE).iter().filter_map(|header| header.to_str().ok());
        for cookie in texts.filter_map(|text| Cookie::parse(text).ok()) {
            if is_removal(&cookie) {
                self.0.remove(cookie.name());
            } else {
                self.0.insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
    }

    /// Takes over what the answer to a tab has changed since `before`.
    pub(crate) fn follow(&mut self, before: &Self, after: &Self) {
        self.0.retain(|name, _| after.0.contains_key(name) || !before.0.contains_key(name));
        for (name, value) in &after.0 {
            if before.0.get(name) != Some(value) {
                self.0.insert(name.clone(), value.clone());
            }
        }
    }
}

fn is_removal(cookie: &Cookie<'_>) -> bool {
    match (cookie.max_age(), cookie.expires_datetime()) {
        (Some(age), _) => !age.is_positive(),
        (None, Some(expires)) => expires <= OffsetDateTime::UNIX_EPOCH,
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn absorb(jar: &mut Jar, cookies: &[&'static str]) {
        let headers = cookies.iter().map(|text| (SET_COOKIE, http::HeaderValue::from_static(text)));
        jar.absorb(&headers.collect());
    }

    #[test]
    fn a_browser_follows_what_its_tabs_are_told() {
        let jar = |cookies| {
            let mut jar = Jar::default();
            absorb(&mut jar, cookies);
            jar
        };
        let before = jar(&["id=one", "kept=k"]);
        let mut browser = before.clone();
        browser.follow(&before, &jar(&["id=two", "kept=k"]));
        assert_eq!(browser.header(), "id=two; kept=k");
        browser.follow(&before, &before);
        assert_eq!(browser.header(), "id=two; kept=k", "a tab that was told nothing");
        browser.follow(&before, &jar(&["kept=k", "new=n"]));
        assert_eq!(browser.header(), "kept=k; new=n", "a removal");
    }

    #[test]
    fn cookies_come_are_replaced_and_go() {
        let mut jar = Jar::default();
        absorb(&mut jar, &["id=one; Path=/; Secure", "BALANCER=node-1.7; Max-Age=60"]);
        assert_eq!(jar.header(), "BALANCER=node-1.7; id=one");
        absorb(&mut jar, &["id=two; HttpOnly"]);
        assert_eq!(jar.header(), "BALANCER=node-1.7; id=two");
        absorb(&mut jar, &["id=; Max-Age=0", "BALANCER=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]);
        assert!(jar.is_empty());
    }
}
