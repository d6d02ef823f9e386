//! The service: puts a lazy session into the request and hands it on.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower::Service;

use super::config::{Asked, Config};
use super::error_answer::{EmptyBody, ErrorAnswer, keep};
use super::future::ResponseFuture;
use crate::session::{LazySession, Tolerated};

/// The service that a [`SessionLayer`](crate::SessionLayer) makes; see there.
#[derive(Clone, Debug)]
pub struct SessionService<S, E = EmptyBody> {
    inner: S,
    config: Arc<Config>,
    errors: E,
}

impl<S, E> SessionService<S, E> {
    pub(super) fn new(inner: S, config: Arc<Config>, errors: E) -> Self {
        Self { inner, config, errors }
    }

    /// Returns the session that a layer of the same cookie name around this one has begun. It is handed
    /// on, and that layer commits it.
    fn handed_on<B>(&self, request: &Request<B>) -> Option<LazySession> {
        let around = request.extensions().get::<LazySession>()?;
        around.handed_on(&self.config.settings().carrier)
    }

    /// Asks the app's rules about the request. Few layers have any, and the request is large: only they take
    /// it apart and put it together again.
    fn ask_rules<B>(&self, request: Request<B>) -> (Asked<'_>, Request<B>) {
        let (parts, body) = request.into_parts();
        let asked = self.config.ask_rules(&parts);
        (asked, Request::from_parts(parts, body))
    }
}

impl<S, RequestBody, ResponseBody, E> Service<Request<RequestBody>> for SessionService<S, E>
where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>>,
    ResponseBody: Default,
    E: ErrorAnswer<ResponseBody> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResponseBody, E>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<RequestBody>) -> Self::Future {
        if let Some(lazy) = self.handed_on(&request) {
            request.extensions_mut().insert(lazy);
            let answered = self.inner.call(request);
            return ResponseFuture::new(answered, None, &self.config, false, self.errors.clone());
        }
        let (settings, tolerated) = (self.config.settings(), Tolerated::default());
        let mut asked = Asked { settings, tolerated, client: None };
        if self.config.has_rules() {
            (asked, request) = self.ask_rules(request);
        }
        let Asked { settings, tolerated, client } = asked;
        let outer = request.extensions().get();
        let lazy =
            LazySession::new(Arc::clone(settings), request.headers(), outer, tolerated, client);
        // A browser that has kept such a cookie speaks HTTPS.
        let watches = lazy.carrier().cookie().is_some()
            && !lazy.came_with_secure_cookie()
            && self.config.notices.watch(&request);
        let kept = E::KEEPS_REQUEST.then(|| keep(&request));
        request.extensions_mut().insert(lazy.clone());
        let (answered, errors) = (self.inner.call(request), self.errors.clone());
        ResponseFuture::new(answered, Some(lazy), &self.config, watches, errors).about(kept)
    }
}
