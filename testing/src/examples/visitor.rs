//! A visitor with one cookie, over real HTTP.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// A visitor. It sends its cookie always, unlike browsers, which do not send a `Secure` cookie over
/// plain HTTP.
#[derive(Clone, Debug)]
pub struct Visitor {
    client: Client<HttpConnector, Full<Bytes>>,
    pub(super) url: String,
    /// The cookie as `name=value`.
    pub cookie: Option<String>,
    /// Further headers of every request.
    pub headers: HeaderMap,
}

#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Visitor {
    pub fn to(url: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, url: url.to_owned(), cookie: None, headers: HeaderMap::new() }
    }

    pub async fn get(&mut self, path: &str) -> Reply {
        self.send("GET", path, None, "").await
    }

    pub async fn post(&mut self, path: &str, json: Value) -> Reply {
        self.send("POST", path, Some("application/json"), json.to_string()).await
    }

    pub async fn submit(&mut self, path: &str, form: &'static str) -> Reply {
        self.send("POST", path, Some("application/x-www-form-urlencoded"), form).await
    }

    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        kind: Option<&str>,
        body: impl Into<Bytes>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        if let Some(kind) = kind {
            request = request.header(CONTENT_TYPE, kind);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let mut request = request.body(Full::new(body.into())).unwrap();
        request.headers_mut().extend(self.headers.clone());
        let (head, body) = self.client.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let reply = Reply { status: head.status, headers: head.headers, body };
        self.keep_cookie(&reply);
        reply
    }

    fn keep_cookie(&mut self, reply: &Reply) {
        let Some(set_cookie) = reply.header(SET_COOKIE) else { return };
        let (pair, attributes) = set_cookie.split_once(';').unwrap_or((set_cookie, ""));
        self.cookie = (!attributes.contains("Max-Age=0")).then(|| pair.to_owned());
    }
}

impl Reply {
    pub fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }
}
