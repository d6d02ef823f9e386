//! Visitors who have logged in with axum-login 0.18, on tower-sessions 0.14.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum_login::tower_sessions::{MemoryStore, SessionManagerLayer};
use axum_login::{AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend};
use cloakroom::{Key, LazySession, Session, SessionError, SessionLayer};

use crate::browser::Browser;

#[derive(Clone, Debug)]
struct User {
    id: i64,
    password: String,
}

impl AuthUser for User {
    type Id = i64;

    fn id(&self) -> i64 {
        self.id
    }

    fn session_auth_hash(&self) -> &[u8] {
        self.password.as_bytes()
    }
}

/// The table of users: the one whose id is 7, and the password.
#[derive(Clone)]
struct Users(Arc<Mutex<String>>);

impl AuthnBackend for Users {
    type User = User;
    type Credentials = String;
    type Error = Infallible;

    async fn authenticate(&self, password: String) -> Result<Option<User>, Infallible> {
        let user = self.get_user(&7).await?;
        Ok(user.filter(|user| user.password == password))
    }

    async fn get_user(&self, id: &i64) -> Result<Option<User>, Infallible> {
        let password = self.0.lock().unwrap().clone();
        Ok((*id == 7).then_some(User { id: 7, password }))
    }
}

async fn login(mut auth: AuthSession<Users>) -> StatusCode {
    let user = auth.authenticate("sesame".into()).await.unwrap().unwrap();
    auth.login(&user).await.unwrap();
    auth.session.insert("cart", ["apple"]).await.unwrap();
    StatusCode::OK
}

// The middleware as the page has it.
async fn carry(
    lazy: LazySession,
    auth: AuthSession<Users>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let old = &auth.session;
    if old.id().is_none() {
        return Ok(next.run(request).await);
    }
    let session = lazy.load().await?;
    if session.is_new() {
        if let Some(cart) = old.get::<Vec<String>>("cart").await? {
            session.insert("cart", &cart)?;
        }
        // `None` if the password has changed since the login.
        if let Some(user) = &auth.user {
            session.log_in(user.id()).await?;
        }
        session.save().await?;
    } else {
        old.flush().await?;
    }
    let user = session.principal();
    let response = next.run(request).await;
    let has_left = user.is_some() && session.principal() != user;
    if old.id().is_some() && (session.is_new() || has_left) {
        old.flush().await?;
    }
    Ok(response)
}

#[derive(Debug)]
struct Failure;

impl<E: std::error::Error> From<E> for Failure {
    fn from(_: E) -> Self {
        Self
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        StatusCode::SERVICE_UNAVAILABLE.into_response()
    }
}

async fn home(session: Session) -> Result<String, SessionError> {
    let cart: Vec<String> = session.get("cart")?.unwrap_or_default();
    Ok(format!("user {:?}, cart {cart:?}", session.principal()))
}

/// The app before, the app with both, and the users.
fn apps() -> (Router, Router, Users) {
    let users = Users(Arc::new(Mutex::new("sesame".into())));
    let sessions = SessionManagerLayer::new(MemoryStore::default());
    let old = AuthManagerLayerBuilder::new(users.clone(), sessions).build();
    let before = Router::new().route("/login", post(login)).layer(old.clone());
    let new = SessionLayer::new(cloakroom::store::MemoryStore::new(), Key::generate().unwrap());
    let both = Router::new()
        .route("/", get(home))
        .route("/logout", post(async |lazy: LazySession| lazy.destroy().await))
        .layer(from_fn(carry))
        .layer(old)
        .layer(new);
    (before, both, users)
}

#[tokio::test]
async fn a_login_is_carried_once_and_ends_with_a_logout() {
    let (before, both, _) = apps();
    let mut ada = Browser::new(&before);
    ada.post("/login").await;
    let mut ada = ada.now_at(&both);
    let mut copy = ada.clone();
    for cookies in [2, 1] {
        assert_eq!(ada.home().await, r#"user Some("7"), cart ["apple"]"#);
        assert_eq!(ada.jar.len(), cookies, "{:?}", ada.jar);
    }
    ada.post("/logout").await;
    for browser in [&mut ada, &mut copy] {
        assert_eq!(browser.home().await, "user None, cart []");
    }
}

#[tokio::test]
async fn a_login_from_before_a_change_of_the_password_is_not_carried() {
    let (before, both, users) = apps();
    let mut ada = Browser::new(&before);
    ada.post("/login").await;
    let mut ada = ada.now_at(&both);
    *users.0.lock().unwrap() = "simsalabim".into();
    assert_eq!(ada.home().await, "user None, cart []");
}
