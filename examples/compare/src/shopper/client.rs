//! Requests to the shop, and what their answers mean.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use super::jar::Jar;

/// The time-out of a request: longer than the balancer waits for a node.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// An HTTP client. Clones share their connections.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: legacy::Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
}

#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// Asks for a page that does not use the session.
    Health,
    Session,
    /// Adds one of an item, and waits so many milliseconds between the change and the answer.
    Add(&'static str, Option<u64>),
    Login(String),
    Logout,
}

/// The part of the shop's JSON that the shoppers read.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub(crate) struct SessionView {
    pub(crate) user: Option<String>,
    pub(crate) items: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// 2xx, with the session if the response shows it.
    Acknowledged(Option<SessionView>),
    /// 409: the request was not carried out.
    Conflict,
    /// 502, 503, 504: the request may have been carried out.
    Unavailable,
    Other(u16),
    /// No answer.
    Broken,
}

impl Question {
    fn request(&self) -> (&'static str, String, Option<String>) {
        let add = |sku: &str| Some(json!({ "sku": sku, "qty": 1 }).to_string());
        match self {
            Self::Health => ("GET", "/healthz".into(), None),
            Self::Session => ("GET", "/api/session".into(), None),
            Self::Add(sku, None) => ("POST", "/api/items".into(), add(sku)),
            Self::Add(sku, Some(hold)) => ("POST", format!("/api/items?hold={hold}"), add(sku)),
            Self::Login(user) => {
                ("POST", "/api/login".into(), Some(json!({ "user": user }).to_string()))
            }
            Self::Logout => ("POST", "/api/logout".into(), None),
        }
    }
}

impl Client {
    pub(crate) fn to(address: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        let http = builder.pool_timer(TokioTimer::new()).build(connector);
        Self { http, address }
    }

    /// Sends a request with the jar's cookies, and puts the cookies of the answer into the jar.
    pub(crate) async fn ask(&self, jar: &mut Jar, question: &Question) -> Answer {
        let exchange = timeout(REQUEST_TIMEOUT, self.exchange(jar, question));
        exchange.await.ok().flatten().unwrap_or(Answer::Broken)
    }

    async fn exchange(&self, jar: &mut Jar, question: &Question) -> Option<Answer> {
        let (method, path, body) = question.request();
        let mut request =
            Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        if !jar.is_empty() {
            request = request.header(COOKIE, jar.header());
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::from(body.unwrap_or_default())).ok()?;
        let (head, body) = self.http.request(request).await.ok()?.into_parts();
        // The whole body is read before the cookies are taken: an answer that breaks off does not
        // count.
        let body = body.collect().await.ok()?.to_bytes();
        jar.absorb(&head.headers);
        Some(match head.status {
            status if status.is_success() => {
                Answer::Acknowledged(serde_json::from_slice(&body).ok())
            }
            StatusCode::CONFLICT => Answer::Conflict,
            StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Answer::Unavailable,
            status => Answer::Other(status.as_u16()),
        })
    }

    /// Returns the cart as the shop shows it, and asks again until it does; `None` if it never
    /// does.
    pub(crate) async fn session(&self, jar: &mut Jar) -> Option<SessionView> {
        for _ in 0..300 {
            if let Answer::Acknowledged(view) = self.ask(jar, &Question::Session).await {
                return view;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        None
    }
}
