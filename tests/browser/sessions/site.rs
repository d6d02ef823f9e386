//! A server in this process.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower::{ServiceExt, service_fn};

/// A server whose app can be replaced while browsers are connected. Dropping it ends the server.
pub(crate) struct Site {
    port: u16,
    app: Arc<Mutex<Router>>,
    server: JoinHandle<()>,
}

impl Site {
    pub(crate) async fn open(app: Router) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = Arc::new(Mutex::new(app));
        let current = app.clone();
        let service = service_fn(move |request: Request| {
            let app = current.lock().unwrap().clone();
            app.oneshot(request)
        });
        let server = tokio::spawn(async move {
            axum::serve(listener, Router::new().fallback_service(service)).await.unwrap();
        });
        Self { port, app, server }
    }

    /// Replaces the app, as a new release does.
    pub(crate) fn deploy(&self, app: Router) {
        *self.app.lock().unwrap() = app;
    }

    /// Returns a URL on a host for which browsers accept `Secure` cookies over plain HTTP, and which
    /// can have a cookie for its parent domain.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://www.shop.localhost:{}{path}", self.port)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}
