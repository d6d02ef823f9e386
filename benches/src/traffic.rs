//! Requests like those of a browser, sent directly into an app without sockets or tasks.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::runtime::{Builder, Runtime};
use tower::Service;

use crate::measure::{Lane, cpu_time_of};

/// The `Cookie` header of a request.
pub type Cookie = Option<HeaderValue>;

/// Sends requests to apps, on a runtime without other tasks.
#[derive(Debug)]
pub struct Traffic(Runtime);

impl Traffic {
    /// Creates a current-thread runtime.
    ///
    /// # Panics
    ///
    /// If the system cannot create a runtime.
    pub fn new() -> Self {
        Self(Builder::new_current_thread().enable_time().build().expect("a runtime"))
    }

    /// Sends a request and returns the answer with its whole body.
    ///
    /// # Panics
    ///
    /// If the answer is not 200: such an app must not be measured.
    pub fn answer(&self, app: &mut Router, path: &str, cookie: &Cookie) -> Response<String> {
        self.0.block_on(async {
            let (head, body) = call(app, request(path, cookie)).await.into_parts();
            assert_eq!(head.status, StatusCode::OK, "{path}");
            let body = body.collect().await.expect("a body in memory").to_bytes();
            Response::from_parts(head, String::from_utf8_lossy(&body).into_owned())
        })
    }

    /// Returns the lane of an app that gets the same request repeatedly. The requests are made
    /// before the measurement. The answers are dropped during it, because a layer may have added to
    /// them.
    pub fn lane<'a>(&'a self, app: &Router, path: &'a str, cookie: Cookie) -> Lane<'a> {
        let mut app = app.clone();
        Box::new(move |batch| self.send(&mut app, path, &cookie, batch))
    }

    fn send(&self, app: &mut Router, path: &str, cookie: &Cookie, batch: usize) -> Duration {
        let requests: Vec<_> = (0..batch).map(|_| request(path, cookie)).collect();
        self.0.block_on(async {
            let start = cpu_time::ThreadTime::now();
            for request in requests {
                std::hint::black_box(call(app, request).await);
            }
            start.elapsed()
        })
    }

    /// Returns the lane of work that is not an app.
    pub fn lane_of<'a>(mut work: impl FnMut() + 'a) -> Lane<'a> {
        Box::new(move |batch| cpu_time_of(|| (0..batch).for_each(|_| work())))
    }
}

impl Default for Traffic {
    fn default() -> Self {
        Self::new()
    }
}

/// Sends a request to an app and returns its answer.
pub(crate) async fn call(app: &mut Router, request: Request<Body>) -> Response<Body> {
    match app.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

pub(crate) fn request(path: &str, cookie: &Cookie) -> Request<Body> {
    let mut request = Request::builder().uri(path).body(Body::empty()).expect("a fixed path");
    if let Some(cookie) = cookie {
        request.headers_mut().insert(COOKIE, cookie.clone());
    }
    request
}

/// Returns the cookie that a browser would send after this answer.
pub fn cookie_of<B>(response: &Response<B>) -> Cookie {
    let set_cookie = response.headers().get(SET_COOKIE)?;
    let pair = set_cookie.as_bytes().split(|&byte| byte == b';').next()?;
    HeaderValue::from_bytes(pair).ok()
}

/// Returns the cookie with another last character.
///
/// # Panics
///
/// If the cookie is empty.
pub fn forge(cookie: &Cookie) -> Cookie {
    let mut bytes = cookie.as_ref().expect("a cookie to forge").as_bytes().to_vec();
    let last = bytes.last_mut().expect("a cookie is not empty");
    *last = if *last == b'A' { b'B' } else { b'A' };
    HeaderValue::from_bytes(&bytes).ok()
}
