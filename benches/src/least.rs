//! The smallest possible session layer: one allocation, which the handler could ask for.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use tower::Service;
use tower_layer::Layer;

/// Puts one `Arc` into the extensions of every request, and does nothing else.
#[derive(Clone, Copy, Debug)]
pub struct LeastLayer;

/// The service of [`LeastLayer`].
#[derive(Clone, Debug)]
pub struct Least<S>(S);

impl<S> Layer<S> for LeastLayer {
    type Service = Least<S>;

    fn layer(&self, inner: S) -> Least<S> {
        Least(inner)
    }
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Least<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        request.extensions_mut().insert(Arc::new(0_u64));
        self.0.call(request)
    }
}
