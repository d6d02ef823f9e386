//! The rules of browsers for a cookie's name, path and domain (RFC 6265bis sections 4.1 and 5.7).
//!
//! They drop most cookies that break a rule without telling anybody, so all of it is checked when the
//! options are built.

use std::net::Ipv6Addr;

use super::error::CookieError;

/// The attributes that a name's prefix demands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Prefix {
    pub(super) secure: bool,
    pub(super) http_only: bool,
    /// Path `/` and no domain.
    pub(super) host: bool,
}

impl Prefix {
    /// Returns the demands on this name. Browsers compare prefixes without case, so `__host-` is held
    /// to the same rules.
    ///
    /// `__Http-` and `__Host-Http-` are from the draft "Cookies: HTTP State Management Mechanism"
    /// (layered cookies); Chromium has them since release 140. Other browsers treat the latter as
    /// `__Host-`, and the former as any name.
    pub(super) fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let host = name.starts_with("__host-");
        let http_only = name.starts_with("__http-") || name.starts_with("__host-http-");
        Self { secure: host || http_only || name.starts_with("__secure-"), http_only, host }
    }
}

/// Checks that a name is a token (RFC 9110 section 5.6.2).
pub(super) fn check_name(name: &str) -> Result<(), CookieError> {
    let is_token_byte =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    match !name.is_empty() && name.bytes().all(is_token_byte) {
        true => Ok(()),
        false => Err(CookieError::Name),
    }
}

/// Checks that a URL can have this path.
///
/// Browsers compare the attribute with the path of the URL, after they have resolved `..` and escaped
/// blanks, quotes and the like. A path that no URL can have would make a cookie that is never sent.
pub(super) fn check_path(path: &str) -> Result<(), CookieError> {
    // RFC 3986 section 3.3, without `;`, which would end the attribute.
    let is_path_byte =
        |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,=:@%".contains(&byte);
    let fits = path.len() <= MAX_ATTRIBUTE_BYTES && path.bytes().all(is_path_byte);
    let is_dots = |segment: &str| matches!(segment, "." | "..");
    match path.starts_with('/') && fits && !path.split('/').any(is_dots) {
        true => Ok(()),
        false => Err(CookieError::Path),
    }
}

/// The longest attribute value that browsers take; a longer one is ignored, not cut.
const MAX_ATTRIBUTE_BYTES: usize = 1024;

/// Returns the domain as browsers compare it: in lower case, without the one dot at its beginning that
/// they ignore.
///
/// Nothing else is mended. A scheme, a port or `*.` shows that something else was meant, and the dot at
/// the end of `example.org.` makes another host of it.
pub(super) fn normal_domain(domain: &str) -> Result<String, CookieError> {
    let host = domain.strip_prefix('.').unwrap_or(domain);
    if is_address(host) {
        return Err(CookieError::DomainIsAddress);
    }
    // DNS's limits (RFC 1035 section 2.3.4). `_` is not allowed in host names, but DNS and browsers
    // take it, and hosts in containers have it.
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    match host.len() <= 253 && host.split('.').all(is_label) {
        true => Ok(host.to_ascii_lowercase()),
        false => Err(CookieError::Domain),
    }
}

/// Returns whether browsers take the host for an IP address: a name whose last label is a number is
/// never a domain name for them (URL Standard, "ends in a number checker").
fn is_address(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    let hexadecimal = |label: &str| {
        let digits = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
        digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let is_number = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    is_number || hexadecimal(last) || bare.parse::<Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_a_host_name_and_nothing_else() {
        for domain in [
            "",
            ".",
            "..example.org",
            "https://example.org",
            "//example.org",
            "example.org/",
            "example.org:8080",
            "*.example.org",
            " example.org",
            "example.org ",
            "exam ple.org",
            "example..org",
            "example.org.",
            "example.org;Path=/a",
            "example.org\r\nSet-Cookie: a=b",
            "bücher.example",
            "a@example.org",
        ] {
            assert_eq!(normal_domain(domain), Err(CookieError::Domain), "{domain:?}");
        }
        assert_eq!(normal_domain(&"a".repeat(64)), Err(CookieError::Domain));
        assert_eq!(normal_domain(&["a"; 128].join(".")), Err(CookieError::Domain));
        assert!(
            normal_domain(&"a".repeat(63)).is_ok() && normal_domain(&["a"; 127].join(".")).is_ok()
        );
    }

    #[test]
    fn a_domain_is_kept_as_browsers_compare_it() {
        for (domain, kept) in [
            ("example.org", "example.org"),
            (".example.org", "example.org"),
            ("Example.ORG", "example.org"),
            ("my_app.example.org", "my_app.example.org"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("localhost", "localhost"),
            ("1e100.net", "1e100.net"),
            ("0x7f.example", "0x7f.example"),
            ("example.0xyz", "example.0xyz"),
        ] {
            assert_eq!(normal_domain(domain).as_deref(), Ok(kept), "{domain:?}");
        }
    }

    #[test]
    fn an_ip_address_is_no_domain() {
        for domain in [
            "127.0.0.1",
            ".10.0.0.1",
            "1.2.3.4",
            "2130706433",
            "0x7f.1",
            "0x7f",
            "1.0X7F",
            "0x",
            "::1",
            "[::1]",
        ] {
            assert_eq!(normal_domain(domain), Err(CookieError::DomainIsAddress), "{domain:?}");
        }
    }

    #[test]
    fn a_path_is_one_that_a_url_can_have() {
        for path in
            ["/", "/shop", "/shop/", "/a-b_c.d~e", "/%7Euser", "/a,b=c@d:e(f)", "/.well-known"]
        {
            assert_eq!(check_path(path), Ok(()), "{path:?}");
        }
        for path in [
            "", "shop", "/;a", "/a b", "/a\0", "/a\r\n", "/a\x7f", "/ä", "/a?b", "/a#b", "/a\\b",
            "/\"a\"", "/a/../b", "/./a",
        ] {
            assert_eq!(check_path(path), Err(CookieError::Path), "{path:?}");
        }
        assert_eq!(check_path(&format!("/{}", "a".repeat(1023))), Ok(()));
        assert_eq!(check_path(&format!("/{}", "a".repeat(1024))), Err(CookieError::Path));
    }

    #[test]
    fn r44_prefixes_are_compared_without_case_and_the_longest_counts() {
        let prefix = |secure, http_only, host| Prefix { secure, http_only, host };
        for (name, demands) in [
            ("id", prefix(false, false, false)),
            ("__Secure", prefix(false, false, false)),
            ("x__Host-id", prefix(false, false, false)),
            ("__Secure-id", prefix(true, false, false)),
            ("__Host-id", prefix(true, false, true)),
            ("__hOST-id", prefix(true, false, true)),
            ("__Http-id", prefix(true, true, false)),
            ("__HTTP-id", prefix(true, true, false)),
            ("__Host-Http-id", prefix(true, true, true)),
            ("__host-HTTP-", prefix(true, true, true)),
        ] {
            assert_eq!(Prefix::of(name), demands, "{name}");
        }
    }
}
