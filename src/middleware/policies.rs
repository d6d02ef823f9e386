//! The options of a layer about its responses: what a request goes on without, which responses are stored, and
//! what they carry.

use std::net::IpAddr;
use std::sync::Arc;

use http::{Response, request, response};

use super::config::{OutagePolicy, UnreadablePolicy};
use super::error_answer::ErrorPage;
use super::layer::SessionLayer;
use super::response::succeeded;
use super::site_data::{ClearSiteData, SiteData};
use crate::error::SessionError;

/// # Policies
impl<E> SessionLayer<E> {
    /// Sets what a request is answered when the store cannot be read. Default: every request
    /// [fails closed](OutagePolicy::FailClosed).
    ///
    /// ```
    /// use cloakroom::OutagePolicy;
    ///
    /// # use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// # let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let layer = layer.on_outage(|request| match request.uri.path() {
    ///     "/catalogue" => OutagePolicy::Anonymous,
    ///     _ => OutagePolicy::FailClosed,
    /// });
    /// assert!(format!("{layer:?}").contains("outage_policy: true"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_outage(
        mut self,
        policy: impl Fn(&request::Parts) -> OutagePolicy + Send + Sync + 'static,
    ) -> Self {
        self.config().outage = Some(Arc::new(policy));
        self
    }

    /// Sets what a request is answered when the record of its session is damaged, or was written by a
    /// newer release. Default: every request [fails closed](UnreadablePolicy::FailClosed).
    ///
    /// The record is never overwritten. A damaged one ends with a logout; both end when they expire.
    ///
    /// ```
    /// use cloakroom::UnreadablePolicy;
    ///
    /// # use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// # let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let layer = layer.on_unreadable(|request| match request.uri.path() {
    ///     "/login" => UnreadablePolicy::Anonymous,
    ///     _ => UnreadablePolicy::FailClosed,
    /// });
    /// assert!(format!("{layer:?}").contains("unreadable_policy: true"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_unreadable(
        mut self,
        policy: impl Fn(&request::Parts) -> UnreadablePolicy + Send + Sync + 'static,
    ) -> Self {
        self.config().unreadable = Some(Arc::new(policy));
        self
    }

    /// Sets by which responses the changes of a request are stored. Default:
    /// [`succeeded`](Self::succeeded), because a handler that failed half way should leave nothing.
    ///
    /// The rule is asked about the responses of handlers that used their session. Where it returns
    /// `false`, the request changes nothing, renews nothing and sets no cookie. What `save` and
    /// `destroy` have done before stands. A handler that returns an error, panics or is dropped has
    /// no response and stores nothing, whatever the rule; a panic in the rule counts as one in the
    /// handler.
    ///
    /// ```
    /// use http::StatusCode;
    ///
    /// # use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// # let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let layer = layer.commit_when(|response| {
    ///     SessionLayer::succeeded(response) && response.status != StatusCode::FORBIDDEN
    /// });
    /// assert!(format!("{layer:?}").contains("commit_rule: true"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn commit_when(
        mut self,
        rule: impl Fn(&response::Parts) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.config().commit_rule = Some(Arc::new(rule));
        self
    }

    /// Sets how the address of a request's client is known, for the [observers](crate::Observer) that are told of
    /// [refused cookies](crate::events::CookieRefused), such as [`RefusedCookies`](crate::RefusedCookies), which counts them per
    /// client. Default: nobody asks.
    ///
    /// The app decides which address it believes: the one of the connection, or the one in a header that its own proxy
    /// sets and that clients cannot. The function runs in every request, before the handler. The library keeps the
    /// address for as long as the request and writes it nowhere.
    ///
    /// ```
    /// use axum::extract::ConnectInfo;
    /// use std::net::SocketAddr;
    ///
    /// # use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// # let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let layer = layer.client_address(|request| {
    ///     request.extensions.get::<ConnectInfo<SocketAddr>>().map(|client| client.ip())
    /// });
    /// assert!(format!("{layer:?}").contains("client_address: true"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("ip", "remote_addr", "real_ip"))]
    pub fn client_address(
        mut self,
        address_of: impl Fn(&request::Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.config().client_address = Some(Arc::new(address_of));
        self
    }

    /// Tells browsers to remove this data of the site when a session is [ended](crate::Session::destroy): a
    /// `Clear-Site-Data` header on the response of the logout. Default: none, because a site may keep other things in
    /// the browser than those of the session.
    ///
    /// It goes with the cookie that is removed: to a request that has ended a session and had brought a ticket. A
    /// logout that others have made, as with [`Users::end`](crate::Users::end), has no response to go with. A header
    /// that the handler has set itself stays as it is. When the same request begins another session, such as for a
    /// message on the next page, `"cookies"` is left out. Calling it again replaces the list; an empty one is as none.
    ///
    /// Browsers obey it over HTTPS only. Emptying a large cache may keep the response waiting, so begin with
    /// [`SiteData::Storage`] and add `Cache` if pages are cached that others must not see.
    ///
    /// ```
    /// use cloakroom::SiteData;
    ///
    /// # use cloakroom::{Key, SessionLayer, store::MemoryStore};
    /// # let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?);
    /// let layer = layer.clear_site_data([SiteData::Cache, SiteData::Storage]);
    /// # let mut visitor = cloakroom::documentation::Visitor::before(layer);
    /// # visitor.visit(async |session| session.log_in("ada").await);
    /// # let response = visitor.visit(async |session| {
    /// session.destroy().await?;
    /// # Ok(()) });
    /// assert_eq!(response.headers()["clear-site-data"], r#""cache", "storage""#);
    /// # Ok::<(), cloakroom::KeyError>(())
    /// ```
    pub fn clear_site_data(mut self, what: impl IntoIterator<Item = SiteData>) -> Self {
        self.config().clear_site_data = Some(ClearSiteData::new(what));
        self
    }

    /// Sets the function that writes the page which a client sees of a session's error. Default: an empty
    /// body, with the [status](SessionError::status) of the error.
    ///
    /// `write` gets the error and the request, as it came to this layer. It is asked about
    ///
    /// * a commit that failed, whose answer takes the place of the handler's;
    /// * an error that a handler, an extractor or a layer within this one has answered with, if the answer
    ///   has no body: axum's `IntoResponse` and [`SessionError::into_empty_response`] make such answers.
    ///   A handler that writes a page of its own keeps it, if it makes the response anew: the body that it
    ///   puts into such an answer is replaced.
    ///
    /// A page with the status 200, or another success, gets the status that the answer had, which is the
    /// error's unless the handler chose another: no failed commit may
    /// look like one that went well. A redirect, or another error, stands. The page's headers take the
    /// place of those of the same name; cookies and `Vary` are added. `Retry-After` (with 503) and
    /// `Cache-Control: no-store` are set as without a page, and the error stays among the response's extensions.
    ///
    /// Do not show the text of the error to clients: it is for operators, and names keys of the session and
    /// servers.
    ///
    /// It changes the type of the layer, so call it where the layer is added:
    /// `.layer(sessions.on_error(page))`.
    ///
    /// A layer with a page copies each request's head, its extensions included, which costs an allocation
    /// for the head and those of its maps. A panic in `write` counts as one in the handler; what was stored stays so. Calling it again replaces the
    /// page.
    ///
    /// ```
    /// use axum::{Router, body::Body, http::Request, response::{Html, IntoResponse}, routing::get};
    /// use cloakroom::{Key, SessionError, SessionLayer, store::MemoryStore};
    /// # use tower::ServiceExt;
    ///
    /// let sessions = SessionLayer::new(MemoryStore::new(), Key::generate()?).on_error(|error, request| {
    ///     let text = match error {
    ///         SessionError::Gone => "You have been logged out meanwhile.",
    ///         error if error.is_outage() => "We are busy. Please try again in a moment.",
    ///         _ => "Something went wrong. Please try again.",
    ///     };
    ///     match request.uri.path().starts_with("/api/") {
    ///         true => format!("{{\"error\":\"{text}\"}}").into_response(),
    ///         false => Html(format!("<h1>{text}</h1>")).into_response(),
    ///     }
    /// });
    /// let app = Router::new().route("/", get(async || SessionError::Gone)).layer(sessions);
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    /// # runtime.block_on(async {
    /// let answer = app.oneshot(Request::get("/").body(Body::empty())?).await?;
    /// assert_eq!(answer.status(), 409);
    /// let page = axum::body::to_bytes(answer.into_body(), 1024).await?;
    /// assert_eq!(page, "<h1>You have been logged out meanwhile.</h1>");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_error<F, B>(self, write: F) -> SessionLayer<ErrorPage<F>>
    where
        F: Fn(&SessionError, &request::Parts) -> Response<B> + Send + Sync + 'static,
    {
        self.answering(ErrorPage::new(write))
    }
}

impl SessionLayer {
    /// Returns whether the handler of this response succeeded, so that its changes are stored: the
    /// default rule of [`commit_when`](Self::commit_when).
    ///
    /// A handler has failed if it answers 5xx or 408 (a timeout layer within this one has dropped it
    /// half way), if a [`SessionError`](crate::SessionError) is among the extensions of its response,
    /// or if its headers hold a `grpc-status` other than 0. Any other 4xx is an answer like 200.
    ///
    /// ```
    /// use cloakroom::SessionLayer;
    /// use http::Response;
    ///
    /// let answered = |status: u16| Response::builder().status(status).body(()).unwrap().into_parts().0;
    /// assert!(SessionLayer::succeeded(&answered(200)));
    /// assert!(SessionLayer::succeeded(&answered(404)));
    /// assert!(!SessionLayer::succeeded(&answered(408)));
    /// assert!(!SessionLayer::succeeded(&answered(500)));
    /// ```
    pub fn succeeded(response: &response::Parts) -> bool {
        succeeded(response.status, &response.headers, &response.extensions)
    }
}
