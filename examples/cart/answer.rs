//! Error texts and headers that every response of the shop has.

use std::error::Error;

use axum::extract::rejection::{FormRejection, JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Extension, Request};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cloakroom::SessionError;

use crate::page;

/// The reason why a request was refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    Input(StatusCode, String),
    Session(SessionError),
}

/// The text that explains a refusal to a person. [`finish`] writes it into the response.
#[derive(Clone)]
struct Explanation(String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Input(status, text) => (status, Extension(Explanation(text))).into_response(),
            Self::Session(error) => error.into_response(),
        }
    }
}

impl From<SessionError> for Refusal {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

/// Refuses an input with 400, or with 413 if it is too long.
fn input(status: StatusCode, text: String) -> Refusal {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::Input(status, text),
        _ => Refusal::Input(StatusCode::BAD_REQUEST, text),
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        input(rejection.status(), rejection.body_text())
    }
}

impl From<FormRejection> for Refusal {
    fn from(rejection: FormRejection) -> Self {
        input(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for Refusal {
    fn from(rejection: PathRejection) -> Self {
        input(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        input(rejection.status(), rejection.body_text())
    }
}

/// The outermost middleware: explains errors and sets the headers of every response.
pub(crate) async fn finish(request: Request, next: Next) -> Response {
    let wants_json = wants_json(request.uri().path());
    let mut response = next.run(request).await;
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    if is_error && !is_written(&response) {
        explain(&mut response, wants_json);
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, page::CONTENT_SECURITY_POLICY.clone());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    // `no-store` and not `private`: with "back" after a logout, a browser would show the cart again.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether [`session_error`] has answered.
fn is_written(response: &Response) -> bool {
    response.extensions().get::<SessionError>().is_some()
}

/// Answers a request whose session could not be read or stored.
pub(crate) fn session_error(error: &SessionError, request: &Parts) -> Response {
    let status = error.status();
    // The operator gets the whole error, the visitor a text that helps a visitor.
    if status.is_server_error() {
        eprintln!("session: {}", with_causes(error));
    }
    let text = match status {
        StatusCode::CONFLICT => "your session has ended or changed meanwhile; load it again",
        StatusCode::PAYLOAD_TOO_LARGE => "the cart is too large for its store",
        StatusCode::SERVICE_UNAVAILABLE => "the session store cannot be reached; try again soon",
        _ => OUR_FAULT,
    };
    let mut response = status.into_response();
    write(&mut response, text, wants_json(request.uri.path()));
    response
}

/// Gives any other error response a body.
fn explain(response: &mut Response, wants_json: bool) {
    let told = response.extensions().get::<Explanation>().map(|Explanation(text)| text.clone());
    let text = told.unwrap_or_else(|| usual_text(response.status()).to_owned());
    write(response, &text, wants_json);
}

fn usual_text(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "there is nothing at this address",
        StatusCode::METHOD_NOT_ALLOWED => "this address takes other methods",
        _ => OUR_FAULT,
    }
}

const OUR_FAULT: &str = "something is wrong on our side";

fn wants_json(path: &str) -> bool {
    path.starts_with("/api/")
}

/// Writes an error's body. The status and the other headers (a cookie, `Retry-After`, `Allow`) stay.
fn write(response: &mut Response, text: &str, wants_json: bool) {
    let (kind, body) = if wants_json {
        ("application/json", serde_json::json!({ "error": text }).to_string())
    } else {
        ("text/html; charset=utf-8", page::refusal(response.status(), text))
    };
    *response.body_mut() = body.into();
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
}

pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
