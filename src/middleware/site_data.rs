//! The `Clear-Site-Data` header of a logout.

use std::fmt;

use http::header::Entry;
use http::{HeaderMap, HeaderName, HeaderValue};

static CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// Data of a site that a browser can be told to remove; see
/// [`SessionLayer::clear_site_data`](crate::SessionLayer::clear_site_data).
///
/// There is no variant for `"*"`: it means whatever browsers will be able to remove one day.
///
/// ```
/// use cloakroom::SiteData;
///
/// assert_eq!(SiteData::ExecutionContexts.directive(), "executionContexts");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum SiteData {
    /// Responses of this origin in the browser's cache.
    Cache,
    /// All cookies of the site, **those of its other subdomains and of other apps there included**.
    Cookies,
    /// The data that scripts of this origin have stored: local storage, databases, service workers.
    Storage,
    /// Open pages of this origin, which are loaded again. Few browsers do it.
    ExecutionContexts,
}

impl SiteData {
    /// Returns the name that the header uses, without its quotation marks.
    ///
    /// ```
    /// assert_eq!(cloakroom::SiteData::Cache.directive(), "cache");
    /// ```
    pub const fn directive(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Cookies => "cookies",
            Self::Storage => "storage",
            Self::ExecutionContexts => "executionContexts",
        }
    }
}

/// The values of the header, ready made.
#[derive(Clone)]
pub(super) struct ClearSiteData {
    /// `None` if nothing is to be removed.
    all: Option<HeaderValue>,
    /// For a response that brings a cookie of ours.
    but_cookies: Option<HeaderValue>,
}

impl ClearSiteData {
    pub(super) fn new(what: impl IntoIterator<Item = SiteData>) -> Self {
        let mut directives: Vec<SiteData> = Vec::new();
        for data in what {
            if !directives.contains(&data) {
                directives.push(data);
            }
        }
        let all = header_value(&directives);
        directives.retain(|data| *data != SiteData::Cookies);
        Self { all, but_cookies: header_value(&directives) }
    }

    /// Adds the header to the response to a logout, unless the handler has set one.
    ///
    /// The cookie of a session that begins in the same response must not be removed with the others: browsers do not
    /// agree on which of the two headers they obey first.
    pub(super) fn add_to(&self, response: &mut HeaderMap, begins_anew: bool) {
        let value = if begins_anew { &self.but_cookies } else { &self.all };
        if let (Some(value), Entry::Vacant(header)) = (value, response.entry(&CLEAR_SITE_DATA)) {
            header.insert(value.clone());
        }
    }
}

impl fmt::Debug for ClearSiteData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.all.as_ref().and_then(|all| all.to_str().ok()).unwrap_or("nothing"))
    }
}

/// The grammar wants each name in quotation marks (Clear Site Data, section 3.1).
fn header_value(directives: &[SiteData]) -> Option<HeaderValue> {
    let quoted: Vec<_> =
        directives.iter().map(|data| format!("\"{}\"", data.directive())).collect();
    if quoted.is_empty() { None } else { HeaderValue::try_from(quoted.join(", ")).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(what: &[SiteData], begins_anew: bool, before: Option<&'static str>) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.extend(before.map(|set| (CLEAR_SITE_DATA.clone(), HeaderValue::from_static(set))));
        ClearSiteData::new(what.iter().copied()).add_to(&mut headers, begins_anew);
        assert!(headers.len() < 2);
        headers.get(&CLEAR_SITE_DATA).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn each_directive_is_quoted_and_named_once() {
        use SiteData::{Cache, Cookies, ExecutionContexts, Storage};
        let all = [Cache, Cookies, Storage, Cache, ExecutionContexts];
        let expected = r#""cache", "cookies", "storage", "executionContexts""#;
        assert_eq!(added(&all, false, None).as_deref(), Some(expected));
        assert_eq!(added(&[], false, None), None);
    }

    #[test]
    fn a_cookie_of_the_same_response_stays() {
        use SiteData::{Cache, Cookies};
        assert_eq!(added(&[Cookies, Cache], true, None).as_deref(), Some(r#""cache""#));
        assert_eq!(added(&[Cookies], true, None), None);
    }

    #[test]
    fn the_handlers_own_header_stays() {
        let handlers = Some(r#""storage""#);
        assert_eq!(added(&[SiteData::Cache], false, handlers).as_deref(), handlers);
    }
}
