//! The headers that a session adds to a response, and the error response when it was not stored.

use http::header::{CACHE_CONTROL, Entry, RETRY_AFTER, VARY};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::config::{CommitRule, Config};
use super::error_answer::Bodiless;
use super::headers::{forbid_storing, keep_for_error};
use crate::cookie::Carrier;
use crate::error::SessionError;
use crate::session::{LazySession, ResponseEffect};

/// Seconds after which a client may try again: about as long as a failover takes.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("2");

/// Ready made, because a name that is given as text is parsed at every request.
static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Returns whether the handler succeeded, by the default rule; see
/// [`SessionLayer::succeeded`](crate::SessionLayer::succeeded).
pub(super) fn succeeded(status: StatusCode, headers: &HeaderMap, extensions: &Extensions) -> bool {
    let grpc_failed = || headers.get(&GRPC_STATUS).is_some_and(|status| status != "0");
    let failed = status.is_server_error()
        || status == StatusCode::REQUEST_TIMEOUT
        || extensions.get::<SessionError>().is_some()
        || grpc_failed();
    !failed
}

/// Asks the app's rule, or else the default one, whether the handler has failed.
pub(super) fn has_failed<B>(
    response: Response<B>,
    rule: Option<&CommitRule>,
) -> (bool, Response<B>) {
    let Some(rule) = rule else {
        let (status, headers) = (response.status(), response.headers());
        return (!succeeded(status, headers, response.extensions()), response);
    };
    let (parts, body) = response.into_parts();
    (!rule(&parts), Response::from_parts(parts, body))
}

/// Adds the cookie, and the caching rules that go with it, to the handler's response.
pub(super) fn finish<B>(
    mut response: Response<B>,
    lazy: &LazySession,
    config: Option<&Config>,
) -> Response<B> {
    let effect = lazy.take_response_effect();
    if let (true, Some(data)) = (effect.logged_out, config.and_then(|c| c.clear_site_data.as_ref()))
    {
        data.add_to(response.headers_mut(), effect.begins_anew);
    }
    decorate(response.headers_mut(), effect, lazy.carrier());
    response
}

/// Replaces the handler's response by the error that a commit met.
///
/// Cookies stay, the app's as well as ours: what an earlier `save` has stored stands.
pub(super) fn refuse<B: Default>(
    response: Response<B>,
    lazy: &LazySession,
    config: Option<&Config>,
    error: SessionError,
) -> Response<B> {
    finish(answer(response, error), lazy, config)
}

/// Makes the response for an error: status, headers and the error as an extension. Of the refused
/// response's headers it keeps those that do not describe it, cookies included.
fn answer<B: Default>(mut refused: Response<B>, error: SessionError) -> Response<B> {
    let mut response = Response::new(B::default());
    let status = error.status();
    *response.status_mut() = status;
    let headers = response.headers_mut();
    std::mem::swap(headers, refused.headers_mut());
    keep_for_error(headers);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, RETRY_SECONDS);
    }
    let extensions = response.extensions_mut();
    extensions.insert(error);
    extensions.insert(Bodiless);
    response
}

impl SessionError {
    /// Makes the response to this error: its [status](Self::status), `Retry-After` with a 503,
    /// `Cache-Control: no-store`, an empty body, and the error among the extensions, by which the layer
    /// knows that the handler has failed.
    ///
    /// For handlers without axum, whose `IntoResponse` makes the same. If the layer has a page for errors
    /// ([`on_error`](crate::SessionLayer::on_error)), it becomes the body.
    ///
    /// ```
    /// use cloakroom::SessionError;
    ///
    /// let response = SessionError::Contended.into_empty_response::<String>();
    /// assert_eq!(response.status(), 503);
    /// assert_eq!(response.headers()["retry-after"], "2");
    /// assert!(response.extensions().get::<SessionError>().is_some());
    /// ```
    pub fn into_empty_response<B: Default>(self) -> Response<B> {
        answer(Response::default(), self)
    }
}

// Each look at a header map by name is a hash, so every header is looked for once.
fn decorate(headers: &mut HeaderMap, effect: ResponseEffect, carrier: &Carrier) {
    if effect.used {
        vary_by(headers, carrier);
    }
    match effect.set_cookies {
        // OWASP "Web Content Caching". RFC 6265bis leaves caches free to keep a Set-Cookie.
        Some(cookies) => {
            forbid_storing(headers);
            carrier.send(cookies, headers);
        }
        None if effect.used => {
            let private = || HeaderValue::from_static("private, no-cache");
            headers.entry(CACHE_CONTROL).or_insert_with(private);
        }
        None => {}
    }
}

fn vary_by(headers: &mut HeaderMap, carrier: &Carrier) {
    let name = match carrier {
        Carrier::Cookie(_) => HeaderValue::from_static("Cookie"),
        Carrier::Header(header) => HeaderValue::from(header.name().clone()),
    };
    match headers.entry(VARY) {
        Entry::Vacant(vary) => {
            vary.insert(name);
        }
        Entry::Occupied(vary)
            if vary.iter().any(|value| varies_by(value, carrier.request_header().as_str())) => {}
        Entry::Occupied(mut vary) => vary.append(name),
    }
}

fn varies_by(value: &HeaderValue, header: &str) -> bool {
    let mut names = value.to_str().into_iter().flat_map(|value| value.split(',')).map(str::trim);
    names.any(|name| name == "*" || name.eq_ignore_ascii_case(header))
}
