//! Error texts and headers that every response has.

use std::error::Error;

use axum::extract::rejection::{FormRejection, JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Extension, Request};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cloakroom::SessionError;

use crate::{idle, page};

/// The reason why a request was refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The text is for the visitor.
    Told(StatusCode, String),
    Session(SessionError),
}

/// The text that explains a refusal to a person. [`finish`] writes it into the response.
#[derive(Clone)]
struct Explanation(String);

impl Refusal {
    pub(crate) fn told(status: StatusCode, text: impl Into<String>) -> Self {
        Self::Told(status, text.into())
    }

    /// The same for a wrong name and a wrong password, so that nobody learns which names exist.
    pub(crate) fn wrong_password() -> Self {
        Self::told(StatusCode::UNAUTHORIZED, "the user name or the password is wrong")
    }

    /// Refuses an input with 400, or with 413 if it is too long.
    fn input(status: StatusCode, text: String) -> Self {
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => Self::Told(status, text),
            _ => Self::Told(StatusCode::BAD_REQUEST, text),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Told(status, text) => (status, Extension(Explanation(text))).into_response(),
            Self::Session(error) => error.into_response(),
        }
    }
}

impl From<SessionError> for Refusal {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        Self::input(rejection.status(), rejection.body_text())
    }
}

impl From<FormRejection> for Refusal {
    fn from(rejection: FormRejection) -> Self {
        Self::input(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for Refusal {
    fn from(rejection: PathRejection) -> Self {
        Self::input(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        Self::input(rejection.status(), rejection.body_text())
    }
}

/// The outermost middleware: explains errors and sets the headers of every response.
pub(crate) async fn finish(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    // A handler that has written a page of its own has set its type.
    if is_error && !is_page(&response) {
        explain(&mut response, path.starts_with("/api/"));
    }
    let headers = response.headers_mut();
    let policy = page::content_security_policy(path == idle::FRAME);
    headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    // `no-store` and not `private`: with "back" after a logout, a browser would show the account again.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

/// Gives an error response a body. Its status and headers (a cookie, `Retry-After`, `Allow`) stay.
fn explain(response: &mut Response, wants_json: bool) {
    let status = response.status();
    let explanation = explanation(response);
    let (kind, body) = if wants_json {
        ("application/json", serde_json::json!({ "error": explanation }).to_string())
    } else {
        ("text/html; charset=utf-8", page::refusal(status, &explanation))
    };
    *response.body_mut() = body.into();
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
}

fn explanation(response: &Response) -> String {
    if let Some(Explanation(text)) = response.extensions().get() {
        return text.clone();
    }
    // The operator gets the whole error, the visitor a text that helps a visitor.
    if let Some(error) = response.extensions().get::<SessionError>()
        && response.status().is_server_error()
    {
        eprintln!("session: {}", with_causes(error));
    }
    let text = match response.status() {
        StatusCode::NOT_FOUND => "there is nothing at this address",
        StatusCode::METHOD_NOT_ALLOWED => "this address takes other methods",
        StatusCode::FORBIDDEN => {
            "the token of this session is missing or was made before a login; load the page again"
        }
        StatusCode::CONFLICT => "your session has ended or changed meanwhile; load the page again",
        StatusCode::PAYLOAD_TOO_LARGE => "the session is too large for its store",
        StatusCode::NOT_IMPLEMENTED => "sessions in cookies cannot be listed",
        StatusCode::SERVICE_UNAVAILABLE => "the session store cannot be reached; try again soon",
        _ => "something is wrong on our side",
    };
    text.to_owned()
}

pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
