//! The options of a layer that are code of the app: what a request goes on without, and which responses
//! are stored.

use std::sync::Arc;

use http::{request, response};

use super::config::{OutagePolicy, UnreadablePolicy};
use super::layer::SessionLayer;
use super::response::succeeded;

/// # Policies
impl SessionLayer {
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
