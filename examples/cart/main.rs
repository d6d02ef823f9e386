//! A shop whose cart survives reloads, a login and the death of a server, and ends with a logout.
//!
//! ```text
//! cargo run --example cart            # then open http://localhost:3000
//! ```
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `LISTEN` | the address to listen on; `0.0.0.0` in a container | 127.0.0.1 |
//! | `PORT` | the port; 0 picks one | 3000 |
//! | `NODE` | this server's name, shown on the page | `node-1` |
//! | `STORE` | a store URL for [`cloakroom::connect`] | `memory:` |
//! | `SESSION_KEYS` | base64url keys with commas between them: the first signs, the others verify | a random one, with a warning |
//! | `IDLE`, `LIFETIME` | idle timeout and absolute lifetime in seconds | the library's |
//! | `TIMEOUT` | the longest that one store command, and all that a request saves, may take, in seconds | the library's |
//!
//! The cookie is the library's default: `__Host-id`, which is `Secure`. Chromium and curl (7.88) trust
//! loopback and send it over plain HTTP to `http://localhost:3000`. Python's `http.cookiejar` needs
//! `DefaultCookiePolicy(secure_protocols=("http", "https"))`. Anywhere else, put TLS in front.
//!
//! All use of sessions is in `cart.rs`. Around it are `api.rs` (JSON), `page.rs` and `forms.rs` (HTML),
//! and `answer.rs` (error texts and headers of every response).

mod answer;
mod api;
mod cart;
mod catalogue;
mod config;
mod forms;
mod page;

use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post};
use axum::{Router, middleware};
use cloakroom::SessionLayer;
use config::Config;
use tokio::net::TcpListener;

/// The server's own name and the name of its store, for the page and the JSON.
#[derive(Debug)]
struct Shop {
    node: String,
    store: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cart: {}", answer::with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let config = Config::from_environment()?;
    let sessions = config.sessions().await?;
    eprintln!("{sessions}");
    let listener = TcpListener::bind((config.listen, config.port)).await?;
    let shop = Shop { store: config.store_name().to_owned(), node: config.node };
    // Before anybody learns the address: a signal that comes first would kill the server.
    let stop = told_to_stop()?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app(shop, sessions.clone())).with_graceful_shutdown(stop).await?;
    // Those of requests whose clients hung up may still be under way.
    sessions.shutdown().await;
    Ok(())
}

fn app(shop: Shop, sessions: SessionLayer) -> Router {
    Router::new()
        .route("/", get(page::show))
        .route("/cart/add", post(forms::add))
        .route("/cart/remove", post(forms::remove))
        .route("/login", post(forms::login))
        .route("/logout", post(forms::logout))
        .route("/api/session", get(api::session))
        .route("/api/items", post(api::add))
        .route("/api/items/{sku}", delete(api::remove))
        .route("/api/login", post(api::login))
        .route("/api/logout", post(api::logout))
        .route("/healthz", get(|| async { "ok" }))
        .layer(DefaultBodyLimit::max(16 * 1024))
        .layer(sessions.on_error(answer::session_error))
        // Outside of the session layer, which makes the error response when a commit fails.
        .layer(middleware::from_fn(answer::finish))
        .with_state(Arc::new(shop))
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
