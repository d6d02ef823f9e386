//! A visitor that calls the layer directly: a [`TestVisitor`] whose requests bring their handler.

use std::convert::Infallible;
use std::fmt::Debug;

use cloakroom::testing::TestVisitor;
use cloakroom::{LazySession, Session, SessionError, SessionLayer};
use http::header::SET_COOKIE;
use http::{HeaderMap, Request, Response, StatusCode};
use tower::{Layer, Service, service_fn};

/// The response of a handler in these tests.
pub type Handled = Response<String>;

/// A browser. Clones share their cookies, as the tabs of one browser do.
#[derive(Clone, Debug)]
pub struct Visitor {
    layer: SessionLayer,
    browser: TestVisitor<()>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The value that the handler returned, as `Debug` prints it.
    pub body: String,
    pub error: Option<SessionError>,
}

impl Visitor {
    pub fn new(layer: SessionLayer) -> Self {
        Self { layer, browser: TestVisitor::new(()) }
    }

    /// Returns a browser with a copy of the present cookies.
    pub fn copy(&self) -> Self {
        Self { layer: self.layer.clone(), browser: self.browser.copy() }
    }

    /// Returns the same browser, which shares its cookies, in front of another server.
    pub fn at(&self, layer: &SessionLayer) -> Self {
        Self { layer: layer.clone(), browser: self.browser.clone() }
    }

    pub fn layer(&self) -> &SessionLayer {
        &self.layer
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.browser.cookie(name)
    }

    pub fn ticket(&self) -> String {
        self.cookie(crate::COOKIE).expect("a ticket")
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        self.browser.set_cookie(name, value);
    }

    /// Sends a request whose handler gets the loaded session.
    pub async fn visit<T: Debug>(
        &self,
        handler: impl AsyncFnOnce(Session) -> Result<T, SessionError>,
    ) -> Answer {
        self.ask(async move |lazy| {
            let result = match lazy.load().await {
                Ok(session) => handler(session).await,
                Err(error) => Err(error),
            };
            respond(result)
        })
        .await
    }

    /// Sends a request whose handler gets the lazy session and makes the whole response.
    pub async fn ask(&self, handler: impl AsyncFnOnce(LazySession) -> Handled) -> Answer {
        let mut handler = Some(handler);
        let service = self.layer.layer(service_fn(move |request: Request<()>| {
            let handler = handler.take().expect("one request");
            let lazy = request.extensions().get::<LazySession>().expect("a layer").clone();
            async move { Ok::<_, Infallible>(handler(lazy).await) }
        }));
        let Ok(answer) = self.send(service, Request::new(())).await;
        answer
    }

    /// Sends a request with this visitor's cookies to any service, and keeps the cookies of its
    /// response.
    pub async fn send<S>(&self, service: S, request: Request<()>) -> Result<Answer, S::Error>
    where
        S: Service<Request<()>, Response = Handled>,
    {
        let response = self.browser.send_to(service, request).await?.into_inner();
        let (parts, body) = response.into_parts();
        let error = parts.extensions.get().cloned();
        Ok(Answer { status: parts.status, headers: parts.headers, body, error })
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn set_cookies(&self) -> Vec<&str> {
        self.headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect()
    }

    #[track_caller]
    pub fn is_ok(&self) -> &Self {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        self
    }

    #[track_caller]
    pub fn is_gone(&self) {
        assert!(matches!(self.error, Some(SessionError::Gone)), "{self:?}");
        assert_eq!(self.status, StatusCode::CONFLICT, "{self:?}");
        assert_eq!(self.set_cookies(), Vec::<&str>::new());
    }

    #[track_caller]
    pub fn is_conflict_on(&self, name: &str) {
        let Some(SessionError::Conflict { key }) = &self.error else { panic!("{self:?}") };
        assert_eq!((&**key, self.status), (name, StatusCode::CONFLICT));
    }

    #[track_caller]
    pub fn is_outage(&self) {
        assert_eq!(self.status, StatusCode::SERVICE_UNAVAILABLE, "{self:?}");
        assert_eq!(self.header("retry-after"), Some("2"));
        assert!(self.error.is_some(), "{self:?}");
    }
}

/// Makes a response of a handler's result, as the extractors do with errors.
pub fn respond<T: Debug>(result: Result<T, SessionError>) -> Handled {
    match result {
        Ok(value) => Response::new(format!("{value:?}")),
        Err(error) => {
            let mut response = reply(error.status());
            response.extensions_mut().insert(error);
            response
        }
    }
}

/// Returns an empty response with this status.
pub fn reply(status: StatusCode) -> Handled {
    let mut response = Response::new(String::new());
    *response.status_mut() = status;
    response
}
