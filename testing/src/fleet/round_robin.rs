//! An HTTP proxy that gives each request, not each connection, to the next node.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A proxy. Dropping it ends it.
#[derive(Debug)]
pub struct RoundRobin {
    pub url: String,
    proxy: JoinHandle<()>,
}

#[derive(Debug)]
struct Upstream {
    client: Client<HttpConnector, Body>,
    nodes: Vec<String>,
    turn: AtomicUsize,
}

impl RoundRobin {
    pub async fn before(nodes: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let client = Client::builder(TokioExecutor::new()).build_http();
        let upstream = Arc::new(Upstream { client, nodes, turn: AtomicUsize::new(0) });
        let app = Router::new().fallback(forward).with_state(upstream);
        let proxy = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, proxy }
    }
}

impl Drop for RoundRobin {
    fn drop(&mut self) {
        self.proxy.abort();
    }
}

/// Forwards a request to the next node. If that one does not answer, the response is a 502. To try
/// another node instead would hide an outage from the tests.
async fn forward(State(upstream): State<Arc<Upstream>>, mut request: Request) -> Response {
    *request.uri_mut() = upstream.next(request.uri());
    match upstream.client.request(request).await {
        Ok(response) => response.into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

impl Upstream {
    fn next(&self, uri: &Uri) -> Uri {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        format!("{}{path}", self.nodes[turn % self.nodes.len()]).parse().unwrap()
    }
}
