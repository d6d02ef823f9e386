//! Whether a browser speaks plain HTTP to this app, as far as a server can know.
//!
//! Browsers drop a `Secure` cookie that comes over plain HTTP, silently; most keep one from the machine
//! they run on. The visitor then seems to be logged out at every click, and nothing says why.
//!
//! A server sees only the last hop. The scheme of an HTTP/1 request is not in it at all, and behind a
//! proxy that ends TLS everything is plain HTTP. So silence proves nothing, and only these count as
//! proof, if nothing says HTTPS:
//!
//! * the proxy says so (`X-Forwarded-Proto`, `Forwarded`),
//! * the browser says so: `Origin`, which it sends with forms, is `http://` and this host,
//! * the URI says so (HTTP/2, or HTTP/1 with an absolute URI), and no proxy has left a trace.
//!
//! A client can forge all of it. It then causes one line in the log, once.

use std::net::Ipv4Addr;

use http::header::{FORWARDED, HOST, ORIGIN, VIA};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, Uri};

/// Headers in which proxies say what the hop before them spoke.
static SAY_THE_SCHEME: [HeaderName; 5] = [
    HeaderName::from_static("x-forwarded-proto"),
    FORWARDED,
    HeaderName::from_static("x-forwarded-scheme"),
    HeaderName::from_static("cloudfront-forwarded-proto"),
    HeaderName::from_static("cf-visitor"),
];

/// Headers that are `on` where the hop before spoke HTTPS.
static SAY_ON: [HeaderName; 2] =
    [HeaderName::from_static("x-forwarded-ssl"), HeaderName::from_static("front-end-https")];

/// Returns whether the browser is known to speak plain HTTP to a host that is not its own machine.
pub(super) fn is_plain_http(uri: &Uri, headers: &HeaderMap) -> bool {
    let (mut proxy_says, mut origin) = (false, None);
    // In one pass: to look for each name would hash it, and this runs in every first request of a visitor.
    for (name, value) in headers {
        if SAY_THE_SCHEME.contains(name) {
            // Most requests to apps in production end here.
            if contains(value.as_bytes(), b"https") {
                return false;
            }
            proxy_says |= contains(value.as_bytes(), b"http");
        } else if *name == ORIGIN {
            origin = origin.or(Some(value));
        }
    }
    let origin = origin.and_then(|origin| origin.as_bytes().strip_prefix(b"http://"));
    let uri_says = uri.scheme() == Some(&Scheme::HTTP);
    // Most others end here, before anything is parsed.
    if !(proxy_says || origin.is_some() || uri_says) {
        return false;
    }
    let Some(host) = host(uri, headers).filter(|host| !is_loopback(host.host())) else {
        return false;
    };
    if SAY_ON.iter().filter_map(|name| headers.get(name)).any(|value| value == "on") {
        return false;
    }
    let browser_says = origin == Some(host.as_str().as_bytes());
    let traceless = || ![VIA.as_str(), "x-forwarded-for"].iter().any(|n| headers.contains_key(*n));
    proxy_says || browser_says || (uri_says && traceless())
}

fn host(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    match headers.get(HOST) {
        Some(host) => Authority::try_from(host.as_bytes()).ok(),
        None => uri.authority().cloned(),
    }
}

/// Returns whether browsers take the host for their own machine.
fn is_loopback(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host == "[::1]"
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

fn contains(value: &[u8], word: &[u8]) -> bool {
    value.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn is_plain(uri: &str, headers: &[(&str, &str)]) -> bool {
        let request = headers.iter().fold(Request::builder().uri(uri), |request, (name, value)| {
            request.header(*name, *value)
        });
        let request = request.body(()).unwrap();
        is_plain_http(request.uri(), request.headers())
    }

    #[test]
    fn plain_http_is_what_a_proxy_the_browser_or_the_uri_says() {
        let host = ("host", "shop.example");
        for headers in [
            &[host, ("x-forwarded-proto", "http")][..],
            &[host, ("x-forwarded-proto", "HTTP, http")],
            &[host, ("forwarded", "for=192.0.2.60;proto=http;by=203.0.113.43")],
            &[host, ("cf-visitor", "{\"scheme\":\"http\"}")],
            &[host, ("origin", "http://shop.example")],
            &[("host", "192.168.1.5:3000"), ("origin", "http://192.168.1.5:3000")],
        ] {
            assert!(is_plain("/", headers), "{headers:?}");
        }
        assert!(is_plain("http://shop.example/", &[]));
    }

    #[test]
    fn what_is_not_known_or_says_https_anywhere_is_not_plain_http() {
        let host = ("host", "shop.example");
        for headers in [
            &[][..],
            &[host],
            &[host, ("x-forwarded-proto", "https")],
            &[host, ("x-forwarded-proto", "http"), ("x-forwarded-proto", "https")],
            &[host, ("x-forwarded-proto", "http, HTTPS")],
            &[host, ("x-forwarded-proto", "http"), ("forwarded", "proto=https")],
            &[host, ("x-forwarded-proto", "http"), ("front-end-https", "on")],
            &[host, ("origin", "https://shop.example")],
            &[host, ("origin", "http://other.example")],
            &[host, ("origin", "null")],
        ] {
            assert!(!is_plain("/", headers), "{headers:?}");
        }
        for trace in ["via", "x-forwarded-for"] {
            assert!(!is_plain("http://shop.example/", &[(trace, "192.0.2.1")]), "{trace}");
        }
        assert!(!is_plain("https://shop.example/", &[]));
    }

    #[test]
    fn the_browsers_own_machine_is_no_matter() {
        for host in ["localhost", "LOCALHOST:3000", "app.localhost", "127.0.0.1:80", "[::1]:3000"] {
            let headers = [("host", host), ("x-forwarded-proto", "http")];
            assert!(!is_plain("/", &headers), "{host}");
        }
        for host in ["localhost.example", "127.0.0.1.example", "10.0.0.1", "[::2]"] {
            let headers = [("host", host), ("x-forwarded-proto", "http")];
            assert!(is_plain("/", &headers), "{host}");
        }
    }
}
