//! Calls of the nodes over HTTP, each sent once.

use std::time::Duration;

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{HeaderMap, Request, StatusCode, request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use super::recorder::Doubt;

/// A client of all nodes.
#[derive(Debug)]
pub(super) struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    urls: Vec<String>,
}

/// The end of a call, as its client sees it.
#[derive(Debug)]
pub(super) enum Reply {
    Answered {
        status: StatusCode,
        /// The cookie that the response sets, as `name=value`.
        cookie: Option<String>,
        body: String,
    },
    /// The node accepted no connection, so it did not get the call.
    NotSent,
    Unknown(Doubt),
}

impl Http {
    pub(super) fn at(urls: Vec<String>) -> Self {
        // A library that sends a call again by itself would carry it out twice.
        let mut client = Client::builder(TokioExecutor::new());
        let client = client.retry_canceled_requests(false).build_http();
        Self { client, urls }
    }

    /// Returns the number of nodes.
    pub(super) fn nodes(&self) -> usize {
        self.urls.len()
    }

    pub(super) fn request(&self, node: usize, method: &str, path: &str) -> request::Builder {
        Request::builder().method(method).uri(format!("{}/api/{path}", self.urls[node]))
    }

    /// Sends one call. After `patience` the client hangs up.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>, patience: Duration) -> Reply {
        timeout(patience, self.answer(request)).await.unwrap_or(Reply::Unknown(Doubt::HungUp))
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> Reply {
        let response = match self.client.request(request).await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Reply::NotSent,
            Err(_) => return Reply::Unknown(Doubt::Broken),
        };
        let (status, cookie) = (response.status(), cookie(response.headers()));
        match response.into_body().collect().await {
            Ok(body) => {
                let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
                Reply::Answered { status, cookie, body }
            }
            Err(_) => Reply::Unknown(Doubt::Broken),
        }
    }
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let set_cookie = headers.get(SET_COOKIE)?.to_str().ok()?;
    let (pair, attributes) = set_cookie.split_once(';').unwrap_or((set_cookie, ""));
    (!attributes.contains("Max-Age=0")).then(|| pair.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_cookie_is_none() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(SET_COOKIE, text.parse().unwrap());
            cookie(&headers)
        };
        assert_eq!(of("__Host-id=abc; Path=/; Secure").as_deref(), Some("__Host-id=abc"));
        assert_eq!(of("__Host-id=; Path=/; Max-Age=0"), None);
    }
}
