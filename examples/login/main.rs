//! Logins as an app needs them: password hashes, "remember me", a page of devices, and an administrator
//! who can end or ban what others have.
//!
//! ```text
//! cargo run --example login            # then open http://localhost:3000
//! ```
//!
//! | user | password | role |
//! |---|---|---|
//! | `alice` | `wonderland` | user |
//! | `mallory` | `password1` | user |
//! | `root` | `toor-toor` | administrator |
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `PORT` | port on 127.0.0.1; 0 picks one | 3000 |
//! | `NODE` | this server's name, shown on the page | `node-1` |
//! | `STORE` | a store URL for [`cloakroom::connect`] | `memory:` |
//! | `SESSION_KEYS` | base64url keys with commas between them: the first signs, the others verify | a random one, with a warning |
//! | `IDLE`, `LIFETIME` | idle timeout and absolute lifetime in seconds | the library's |
//! | `TIMEOUT` | the longest that one store command, and all that a request saves, may take, in seconds | the library's |
//! | `LIMIT` | sessions that a user may have at once | the library's |
//!
//! With `STORE=cookie:` or `STORE=private-cookie:`, sessions cannot be listed, and each server keeps its
//! revocations in its own memory. "Log out everywhere else", a new password, and the administrator's "Log out
//! everywhere" then end no session at other servers, and after a restart the ended sessions work again. The
//! server prints a warning about that. An app with several servers gives [`cloakroom::Revocations`] a store
//! that they share.
//!
//! All use of one visitor's session is in `account.rs`, and of all sessions of a user in `devices.rs`.
//! `guard.rs` decides who may do something: it has the extractors for users, for administrators, and for
//! requests with a CSRF token. Around them are `api.rs` (JSON), `home.rs`, `admin.rs` and `forms.rs`
//! (HTML without scripts), `idle.rs` (how long the session lasts), `socket.rs` (a websocket), and
//! `answer.rs` (error texts and headers of every response).

mod account;
mod accounts;
mod admin;
mod answer;
mod api;
mod config;
mod devices;
mod forms;
mod guard;
mod home;
mod idle;
mod page;
mod socket;

use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use accounts::Accounts;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post};
use axum::{Router, middleware};
use cloakroom::{SessionLayer, UnreadablePolicy, Users};
use config::Config;
use tokio::net::TcpListener;

/// The things that all requests share.
#[derive(Debug)]
struct App {
    node: String,
    accounts: Accounts,
    /// All sessions of a user, whichever server they began on.
    users: Users,
}

/// The state of every handler.
type Shared = axum::extract::State<Arc<App>>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("login: {}", answer::with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let config = Config::from_environment()?;
    let sessions = config.sessions().await?.on_unreadable(go_on_without);
    eprintln!("{sessions}");
    let listener = TcpListener::bind(("127.0.0.1", config.port)).await?;
    let app = App { node: config.node, accounts: Accounts::new()?, users: sessions.users() };
    // Before anybody learns the address: a signal that comes first would kill the server.
    let stop = told_to_stop()?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, router(app, sessions.clone())).with_graceful_shutdown(stop).await?;
    sessions.shutdown().await;
    Ok(())
}

fn router(app: App, sessions: SessionLayer) -> Router {
    Router::new()
        .merge(pages())
        .nest("/api", api_routes())
        .route("/ws", get(socket::open))
        .route("/healthz", get(|| async { "ok" }))
        .layer(DefaultBodyLimit::max(16 * 1024))
        .layer(sessions.on_error(answer::session_error))
        .layer(middleware::from_fn(guard::same_origin))
        // Outside of the session layer, which makes the error response when a commit fails.
        .layer(middleware::from_fn(answer::finish))
        .with_state(Arc::new(app))
}

fn pages() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(home::show))
        .route("/idle", get(idle::frame))
        .route("/login", post(forms::login))
        .route("/logout", post(forms::logout))
        .route("/note", post(forms::note))
        .route("/password", post(forms::password))
        .route("/devices/end", post(forms::end_device))
        .route("/devices/end-others", post(forms::end_others))
        .route("/admin", get(admin::show))
        .route("/admin/end-all", post(admin::end_all))
        .route("/admin/ban", post(admin::ban))
}

fn api_routes() -> Router<Arc<App>> {
    Router::new()
        .route("/me", get(api::me))
        .route("/login", post(api::login))
        .route("/logout", post(api::logout))
        .route("/note", get(api::note).post(api::write_note))
        .route("/ttl", get(idle::seconds))
        .route("/flash", get(api::flashes).post(api::flash))
        .route("/password", post(api::password))
        .route("/devices", get(api::devices))
        .route("/devices/end-others", post(api::end_others))
        .route("/devices/{handle}", delete(api::end_device))
        .route("/admin/users/{user}/sessions", get(api::sessions_of).delete(api::end_all))
        .route("/admin/users/{user}/ban", post(api::ban))
}

/// Lets a visitor whose session is damaged see the front page, log in anew, and log out.
fn go_on_without(request: &axum::http::request::Parts) -> UnreadablePolicy {
    match request.uri.path() {
        "/" | "/login" | "/logout" | "/api/login" | "/api/logout" => UnreadablePolicy::Anonymous,
        _ => UnreadablePolicy::FailClosed,
    }
}

/// Waits for the signal that ends the server. It listens from the call on, not from the first poll.
#[cfg(unix)]
fn told_to_stop() -> io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupted, mut terminated) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn told_to_stop() -> io::Result<impl Future<Output = ()> + Send> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    })
}
