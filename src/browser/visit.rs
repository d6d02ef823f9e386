//! One request through a layer, whose handler is a closure.

use std::convert::Infallible;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower::Service;
use tower_layer::Layer;

use super::cookie_jar::CookieJar;
use crate::error::SessionError;
use crate::middleware::SessionLayer;
use crate::session::LazySession;

/// Sends one request through `layer` and returns its response, whose cookies `jar` keeps.
///
/// It carries all cookies of the jar, whatever their paths. The body has the handler's value; it is `None`
/// if the handler or the commit failed, and the error is in the extensions then, as in an app.
pub(crate) async fn visit<T>(
    layer: &SessionLayer,
    jar: &CookieJar,
    handler: impl AsyncFnOnce(LazySession) -> Result<T, SessionError>,
) -> Response<Option<T>> {
    let mut handler = Some(handler);
    let service = HandlerService(move |lazy| {
        let handler = handler.take();
        async move {
            Ok(match (handler, lazy) {
                (Some(handler), Some(lazy)) => respond(handler(lazy).await),
                _ => respond(Err(SessionError::MissingLayer)),
            })
        }
    });
    let mut request = Request::new(());
    jar.add_to(request.headers_mut(), None);
    // Boxed: the compiler works out how a future is laid out to a limited depth.
    let Ok(response) = Box::pin(layer.layer(service).call(request)).await;
    jar.keep(response.headers(), "/");
    response
}

fn respond<T>(result: Result<T, SessionError>) -> Response<Option<T>> {
    match result {
        Ok(value) => Response::new(Some(value)),
        Err(error) => error.into_empty_response(),
    }
}

/// A service whose handler gets the session of the layer around it. It is always ready.
pub(crate) struct HandlerService<F>(pub(crate) F);

impl<F, Answer, Body> Service<Request<()>> for HandlerService<F>
where
    F: FnMut(Option<LazySession>) -> Answer,
    Answer: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        self.0(request.extensions().get().cloned())
    }
}
