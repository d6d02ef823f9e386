//! What a client sees of a session's error: an empty body, or a page that the app writes.

use std::fmt;
use std::sync::Arc;

use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, Entry, RETRY_AFTER, SET_COOKIE, VARY,
};
use http::{HeaderMap, Request, Response, StatusCode, request};

use super::headers::forbid_storing;
use crate::error::SessionError;

/// Makes the body of an error response; see [`SessionLayer::on_error`](crate::SessionLayer::on_error).
///
/// [`EmptyBody`] and [`ErrorPage`] are the two ways there are, and no other type can be one. The name is
/// needed only to write down the bounds of a service that is generic over it.
pub trait ErrorAnswer<B>: sealed::Sealed {
    /// Whether the page is written from the request too, which then has to be kept until the answer.
    #[doc(hidden)]
    const KEEPS_REQUEST: bool;

    #[doc(hidden)]
    fn page(&self, error: &SessionError, request: &request::Parts) -> Option<Response<B>>;
}

/// Answers errors with an empty body; what a layer without
/// [`on_error`](crate::SessionLayer::on_error) does.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmptyBody;

impl<B> ErrorAnswer<B> for EmptyBody {
    const KEEPS_REQUEST: bool = false;

    fn page(&self, _: &SessionError, _: &request::Parts) -> Option<Response<B>> {
        None
    }
}

/// Answers errors with a page of the app; what
/// [`on_error`](crate::SessionLayer::on_error) makes of a function.
pub struct ErrorPage<F>(Arc<F>);

impl<F> ErrorPage<F> {
    pub(super) fn new(write: F) -> Self {
        Self(Arc::new(write))
    }
}

impl<F, B> ErrorAnswer<B> for ErrorPage<F>
where
    F: Fn(&SessionError, &request::Parts) -> Response<B>,
{
    const KEEPS_REQUEST: bool = true;

    fn page(&self, error: &SessionError, request: &request::Parts) -> Option<Response<B>> {
        Some((self.0)(error, request))
    }
}

impl<F> Clone for ErrorPage<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F> fmt::Debug for ErrorPage<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErrorPage")
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::EmptyBody {}
    impl<F> Sealed for super::ErrorPage<F> {}
}

/// Marks a response to an error that has no body yet. A handler that writes a page of its own makes its
/// response without the mark.
#[derive(Clone, Copy)]
pub(super) struct Bodiless;

/// Keeps what a page may want to know of a request.
pub(super) fn keep<B>(request: &Request<B>) -> Box<request::Parts> {
    let (mut kept, ()) = Request::new(()).into_parts();
    kept.method = request.method().clone();
    kept.uri = request.uri().clone();
    kept.version = request.version();
    kept.headers = request.headers().clone();
    kept.extensions = request.extensions().clone();
    Box::new(kept)
}

/// Puts the page in the place of a response to an error that has no body.
pub(super) fn fill<B>(
    mut response: Response<B>,
    answer: &impl ErrorAnswer<B>,
    request: &request::Parts,
) -> Response<B> {
    let extensions = response.extensions_mut();
    if extensions.remove::<Bodiless>().is_none() {
        return response;
    }
    let Some(error) = extensions.get::<SessionError>().cloned() else { return response };
    // Its answer tells the developer what is missing.
    if matches!(error, SessionError::MissingLayer) {
        return response;
    }
    let Some(page) = answer.page(&error, request) else { return response };
    let (mut page, body) = page.into_parts();
    let (mut parts, _) = response.into_parts();
    // A page is 200 if its author did not think of the status, and no failed commit may look like one
    // that went well. A redirect or another error is what its author meant.
    parts.status = match (page.status, parts.status) {
        (page, handlers) if page.is_success() && handlers.is_success() => error.status(),
        (page, handlers) if page.is_success() => handlers,
        (page, _) => page,
    };
    // They describe the empty body.
    for name in [CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE] {
        parts.headers.remove(name);
    }
    if parts.status != StatusCode::SERVICE_UNAVAILABLE {
        parts.headers.remove(RETRY_AFTER);
    }
    add(&mut parts.headers, std::mem::take(&mut page.headers));
    forbid_storing(&mut parts.headers);
    page.extensions.extend(std::mem::take(&mut parts.extensions));
    parts.extensions = page.extensions;
    Response::from_parts(parts, body)
}

/// Adds a page's headers. They take the place of those of the same name, but for cookies and `Vary`, which
/// are added.
fn add(headers: &mut HeaderMap, page: HeaderMap) {
    let mut last = None;
    for (name, value) in page {
        let is_next = name.is_none();
        // A name is given with its first value only.
        let Some(name) = name.or_else(|| last.clone()) else { continue };
        match headers.entry(&name) {
            Entry::Occupied(mut entry) if is_next || name == SET_COOKIE || name == VARY => {
                entry.append(value)
            }
            Entry::Occupied(mut entry) => {
                entry.insert(value);
            }
            Entry::Vacant(entry) => {
                entry.insert(value);
            }
        }
        last = Some(name);
    }
}
