//! Headers that must not stay on a response: beside a ticket, or on an error.

use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers that some caches obey instead of `Cache-Control`, besides those whose name ends with
/// [`TARGETED`].
const FOR_SOME_CACHES: [&str; 5] = [
    // `Cache-Control` goes before these (RFC 9111 sections 5.3 and 5.4), except for caches that know
    // only HTTP/1.0.
    "expires",
    "pragma",
    // The W3C's note "Edge Architecture Specification": Fastly, Varnish, Akamai.
    "surrogate-control",
    // Akamai.
    "edge-control",
    // nginx.
    "x-accel-expires",
];

/// The end of the names that RFC 9213 section 2 has in mind: `CDN-Cache-Control`, and those of one
/// vendor, such as `Cloudflare-CDN-Cache-Control`. A cache that is the target takes such a header and
/// ignores `Cache-Control`.
const TARGETED: &str = "-cache-control";

/// Headers that describe the response that was refused. On the error in its place they would be wrong.
///
/// A list of what is dropped, and not of what stays: most headers come from layers around the handler,
/// which mean every response (CORS, `Strict-Transport-Security`, a request's id), and nobody knows all
/// their names. A page that cannot read its 503 for want of `Access-Control-Allow-Origin` cannot try
/// again.
const OF_THE_REFUSED: [&str; 47] = [
    // Its body (RFC 9110 section 8; RFC 6266, RFC 9530, RFC 9421).
    "accept-ranges",
    "content-digest",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "digest",
    "etag",
    "last-modified",
    "link",
    "repr-digest",
    "signature",
    "signature-input",
    "trailer",
    "transfer-encoding",
    // How caches may keep it, and find it.
    "age",
    "cache-tag",
    "surrogate-key",
    "warning",
    // Orders to the client. A commit that failed must not look like one that went well: no
    // redirect to the page after the login, and no cookie cleared for a logout that is not over.
    "clear-site-data",
    "hx-location",
    "hx-push-url",
    "hx-redirect",
    "hx-refresh",
    "hx-replace-url",
    "hx-trigger",
    "hx-trigger-after-settle",
    "hx-trigger-after-swap",
    "location",
    "proxy-authenticate",
    "refresh",
    "retry-after",
    "www-authenticate",
    // Orders to a proxy to send a file in place of the body: the page that was refused.
    "x-accel-redirect",
    "x-lighttpd-send-file",
    "x-sendfile",
    // An upgrade that does not take place, and the result of a call that did not.
    "connection",
    "grpc-message",
    "grpc-status",
    "grpc-status-details-bin",
    "sec-websocket-accept",
    "sec-websocket-protocol",
    "upgrade",
];

/// Whether a header of this name is taken off a response that is an error or has a ticket. A ticket under it
/// would be lost.
pub(super) fn is_taken_off(name: &str) -> bool {
    OF_THE_REFUSED.contains(&name) || FOR_SOME_CACHES.contains(&name) || name.ends_with(TARGETED)
}

/// Makes sure that no cache stores the response.
///
/// Headers for some caches are removed and not set to `no-store`: without them, those caches obey
/// `Cache-Control`.
pub(super) fn forbid_storing(headers: &mut HeaderMap) {
    // Hardly any response has one, and to look at its few names costs less than to look up each of these.
    let is_obeyed = |name: &&HeaderName| {
        FOR_SOME_CACHES.contains(&name.as_str()) || name.as_str().ends_with(TARGETED)
    };
    let obeyed: Vec<_> = headers.keys().filter(is_obeyed).cloned().collect();
    for name in obeyed {
        headers.remove(name);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// Turns a refused response's headers into those of the error in its place.
pub(super) fn keep_for_error(headers: &mut HeaderMap) {
    for name in OF_THE_REFUSED {
        headers.remove(name);
    }
    forbid_storing(headers);
}
