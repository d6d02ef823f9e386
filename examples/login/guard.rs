//! Extractors that let only users, only administrators, or only requests of our own pages pass.
//!
//! A page of another site can make a visitor's browser send requests here, but it can neither hide where
//! they come from nor know the token of a session.

use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cloakroom::{Session, SessionError};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::account::ROLE;
use crate::accounts::Role;
use crate::answer::Refusal;

const CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A user who is logged in and not banned. Others are answered 401 or 403.
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) session: Session,
    role: Role,
}

impl<S: Send + Sync> FromRequestParts<S> for User {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let session = session(parts, state).await?;
        let Some(name) = session.principal() else {
            return Err(Refusal::told(StatusCode::UNAUTHORIZED, "log in first"));
        };
        match session.get(ROLE)?.unwrap_or(Role::User) {
            Role::Banned => Err(Refusal::told(StatusCode::FORBIDDEN, "this account is banned")),
            role => Ok(Self { name, session, role }),
        }
    }
}

/// An administrator. Everybody else is answered 403.
pub(crate) struct Admin(pub(crate) User);

impl<S: Send + Sync> FromRequestParts<S> for Admin {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match User::from_request_parts(parts, state).await {
            Ok(user) if user.role == Role::Admin => Ok(Self(user)),
            Err(Refusal::Session(error)) => Err(error.into()),
            _ => Err(Refusal::told(StatusCode::FORBIDDEN, "this is for administrators")),
        }
    }
}

/// Extracts `Who` from a request that carries the session's token in `X-CSRF-Token`, and refuses others
/// with 403. Every handler that changes something takes it.
pub(crate) struct Protected<Who>(pub(crate) Who);

impl<S, Who> FromRequestParts<S> for Protected<Who>
where
    S: Send + Sync,
    Who: FromRequestParts<S, Rejection: Into<Refusal>>,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let session = session(parts, state).await?;
        let token = parts.headers.get(CSRF_TOKEN).map(|token| token.as_bytes().to_vec());
        verify(&session, &token.unwrap_or_default())?;
        Ok(Self(Who::from_request_parts(parts, state).await.map_err(Into::into)?))
    }
}

/// [`Protected`] for the forms of the page: the token is in the hidden field `csrf`, beside `Fields`.
pub(crate) struct Submitted<Who, Fields>(pub(crate) Who, pub(crate) Fields);

#[derive(Deserialize)]
struct Signed<Fields> {
    #[serde(default)]
    csrf: String,
    #[serde(flatten)]
    fields: Fields,
}

impl<S, Who, Fields> FromRequest<S> for Submitted<Who, Fields>
where
    S: Send + Sync,
    Who: FromRequestParts<S, Rejection: Into<Refusal>> + Send,
    Fields: DeserializeOwned,
{
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let (mut parts, body) = request.into_parts();
        let session = session(&mut parts, state).await?;
        let who = Who::from_request_parts(&mut parts, state).await.map_err(Into::into);
        let request = Request::from_parts(parts, body);
        let Form(Signed { csrf, fields }) = Form::from_request(request, state).await?;
        verify(&session, csrf.as_bytes())?;
        Ok(Self(who?, fields))
    }
}

async fn session<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<Session, SessionError> {
    <Session as FromRequestParts<S>>::from_request_parts(parts, state).await
}

/// A visitor without a session has no token. Nothing is done in anybody's name then, and [`same_origin`]
/// has looked where the request comes from.
fn verify(session: &Session, token: &[u8]) -> Result<(), SessionError> {
    if session.is_new() { Ok(()) } else { session.verify_csrf(token) }
}

/// A middleware that refuses changes, and websockets, which a page of another site has asked for.
///
/// The token does the same for visitors who have a session. This also protects those who have none:
/// otherwise another site could log them in as somebody else, and wait for the notes that they write.
pub(crate) async fn same_origin(request: Request, next: Next) -> Response {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if (!is_safe || request.uri().path() == "/ws") && !came_from_here(request.headers()) {
        let why = "this request comes from another site";
        return Refusal::told(StatusCode::FORBIDDEN, why).into_response();
    }
    next.run(request).await
}

/// Browsers say where a request comes from: the recent ones in `Sec-Fetch-Site`, all others in `Origin`.
/// A request with neither comes from a client that is no browser.
fn came_from_here(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return site == "same-origin" || site == "none";
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    headers.get(ORIGIN).is_none_or(|origin| {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        origin.is_some_and(|(_, authority)| Some(authority) == host)
    })
}
