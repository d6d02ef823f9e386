//! The future of a request: runs the handler, commits, and only then lets the response go.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Response, request};
use pin_project_lite::pin_project;

use super::config::Config;
use super::error_answer::{EmptyBody, ErrorAnswer, fill};
use super::response::{finish, has_failed, refuse};
use crate::error::SessionError;
use crate::session::LazySession;

pin_project! {
    /// The future of [`SessionService`](crate::SessionService).
    ///
    /// If it is dropped while the handler runs, nothing is stored. If it is dropped while it commits,
    /// as when the client hangs up, the commit is handed to the runtime and runs to its end.
    pub struct ResponseFuture<F, B, E = EmptyBody> {
        #[pin]
        inner: F,
        // `None` where a layer around this one commits the session, and after the response.
        lazy: Option<LazySession>,
        // `None` where nothing in it matters to this request.
        config: Option<Arc<Config>>,
        // A warning is due if the browser, which speaks plain HTTP, is sent a `Secure` cookie.
        watches: bool,
        committing: Option<Committing<B>>,
        errors: E,
        // For a page of the app, if there is an error to write one about.
        request: Option<Box<request::Parts>>,
    }

    impl<F, B, E> PinnedDrop for ResponseFuture<F, B, E> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            match (this.lazy.as_ref(), this.committing.take()) {
                (Some(lazy), None) => lazy.abandon_head(),
                // A commit that has begun goes on, and closes the head itself.
                (Some(lazy), Some(committing)) => committing.commit.go_on(lazy),
                _ => {}
            }
        }
    }
}

struct Committing<B> {
    response: Option<Response<B>>,
    failed: bool,
    commit: Commit,
}

/// `None` while it is polled and when it is over.
struct Commit(Option<Pin<Box<Committed>>>);

type Committed = dyn Future<Output = Result<(), SessionError>> + Send;

impl<F, B, E> ResponseFuture<F, B, E> {
    pub(super) fn new(
        inner: F,
        lazy: Option<LazySession>,
        config: &Arc<Config>,
        watches: bool,
        errors: E,
    ) -> Self {
        let is_asked = watches || config.commit_rule.is_some() || config.clear_site_data.is_some();
        let config = is_asked.then(|| Arc::clone(config));
        Self { inner, lazy, config, watches, committing: None, errors, request: None }
    }

    /// Keeps the request for a page about an error.
    pub(super) fn about(mut self, request: Option<Box<request::Parts>>) -> Self {
        self.request = request;
        self
    }
}

impl<F, B, Error, E> Future for ResponseFuture<F, B, E>
where
    F: Future<Output = Result<Response<B>, Error>>,
    B: Default,
    E: ErrorAnswer<B>,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answered = ready!(self.as_mut().poll_commit(cx));
        let this = self.project();
        *this.lazy = None;
        Poll::Ready(match this.request.take() {
            Some(request) => answered.map(|response| fill(response, this.errors, &request)),
            None => answered,
        })
    }
}

impl<F, B, Error, E> ResponseFuture<F, B, E>
where
    F: Future<Output = Result<Response<B>, Error>>,
    B: Default,
{
    fn poll_commit(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let Some(lazy) = this.lazy else { return this.inner.poll(cx) };
        if this.committing.is_none() {
            let response = match ready!(this.inner.poll(cx)) {
                Ok(response) => response,
                Err(error) => {
                    lazy.abandon_head();
                    return Poll::Ready(Err(error));
                }
            };
            if lazy.close_head_if_unused() {
                return Poll::Ready(Ok(response));
            }
            // The changes that a handler made and did not save are dropped if it failed.
            let rule = this.config.as_ref().and_then(|config| config.commit_rule.as_deref());
            let (failed, response) = has_failed(response, rule);
            if lazy.close_head_if_idle(failed) {
                let response = finish(response, lazy, this.config.as_deref());
                see(&response, this.config.as_deref().filter(|_| *this.watches), lazy);
                return Poll::Ready(Ok(response));
            }
            let commit = lazy.clone().finish(failed);
            let commit = Commit(Some(Box::pin(commit)));
            *this.committing = Some(Committing { response: Some(response), failed, commit });
        }
        // Cannot be: it was put there just now, if not before.
        let Some(committing) = this.committing else { return Poll::Pending };
        let result = ready!(committing.commit.poll(cx));
        let response = committing.response.take().unwrap_or_default();
        let config = this.config.as_deref();
        let response = match result {
            Err(error) if !committing.failed => refuse(response, lazy, config, error),
            _ => finish(response, lazy, config),
        };
        see(&response, this.config.as_deref().filter(|_| *this.watches), lazy);
        Poll::Ready(Ok(response))
    }
}

/// Warns if a response takes a `Secure` cookie of ours to a browser that drops it.
fn see<B>(response: &Response<B>, config: Option<&Config>, lazy: &LazySession) {
    if let (Some(config), Some(cookie)) = (config, lazy.carrier().cookie()) {
        config.notices.see(response.headers(), cookie);
    }
}

impl Commit {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SessionError>> {
        // Taken out while it runs: were a closure of the app to panic in it, it must not be handed
        // on as if it had been dropped.
        let Some(mut commit) = self.0.take() else { return Poll::Ready(Ok(())) };
        let polled = commit.as_mut().poll(cx);
        if polled.is_pending() {
            self.0 = Some(commit);
        }
        polled
    }

    fn go_on(self, lazy: &LazySession) {
        if let Some(commit) = self.0 {
            lazy.go_on(async move { drop(commit.await) });
        }
    }
}

impl<F, B, E> std::fmt::Debug for ResponseFuture<F, B, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("lazy", &self.lazy)
            .field("committing", &self.committing.is_some())
            .finish_non_exhaustive()
    }
}
