//! An HTTP proxy that gives each request, not each connection, to the next node.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
use tokio::time::sleep;

/// A proxy. Dropping it ends it.
#[derive(Debug)]
pub struct RoundRobin {
    pub url: String,
    upstream: Arc<Upstream>,
    proxy: JoinHandle<()>,
}

#[derive(Debug)]
struct Upstream {
    client: Client<HttpConnector, Body>,
    /// A request holds its node until it is answered.
    nodes: Mutex<Vec<Arc<str>>>,
    turn: AtomicUsize,
}

impl RoundRobin {
    pub async fn before(nodes: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let client = Client::builder(TokioExecutor::new()).build_http();
        let nodes = Mutex::new(nodes.into_iter().map(Arc::from).collect());
        let upstream = Arc::new(Upstream { client, nodes, turn: AtomicUsize::new(0) });
        let app = Router::new().fallback(forward).with_state(upstream.clone());
        let proxy = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, upstream, proxy }
    }

    /// Sends requests to this node too.
    pub fn add(&self, node: &str) {
        self.upstream.nodes().push(node.into());
    }

    /// Sends this node no further requests. Returns when those that it has are answered.
    pub async fn drain(&self, node: &str) {
        let drained: Vec<_> =
            self.upstream.nodes().extract_if(.., |other| **other == *node).collect();
        while drained.iter().any(|node| Arc::strong_count(node) > 1) {
            sleep(Duration::from_millis(5)).await;
        }
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
    let node = upstream.next();
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let uri: Uri = format!("{node}{path}").parse().unwrap();
    *request.uri_mut() = uri;
    match upstream.client.request(request).await {
        Ok(response) => response.into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

impl Upstream {
    fn nodes(&self) -> MutexGuard<'_, Vec<Arc<str>>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Arc<str> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let nodes = self.nodes();
        nodes[turn % nodes.len()].clone()
    }
}
