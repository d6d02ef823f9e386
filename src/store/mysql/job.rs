//! One command on its way to a connection, and its answer's way back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::Span;

use super::exchange::{Answers, Request};
use super::failure::Failed;
use crate::poison::IgnorePoison;

/// The time, after the deadline of a command that was sent, within which its task says what became of it. The
/// task has the same deadline, but may run in a runtime that is not driven any more.
const LAST_WORD: Duration = Duration::from_millis(100);

pub(super) type Outcome = Result<Answers, Failed>;

/// The request of a command, until it is taken to be sent, or withdrawn. Exactly one of the two happens, so a
/// caller whose time is up knows whether its command can still be carried out.
type Slot = Arc<Mutex<Option<Request>>>;

/// A command that waits for a connection. One that is dropped before it was sent goes back to its caller.
pub(super) struct Job {
    request: Slot,
    deadline: Instant,
    span: Span,
    asker: Option<oneshot::Sender<Reply>>,
}

/// The caller's side of a [`Job`].
pub(super) struct Ticket {
    request: Slot,
    deadline: Instant,
    reply: oneshot::Receiver<Reply>,
}

pub(super) enum Reply {
    Outcome(Outcome),
    /// The task that served the queue has ended with its runtime, and the request was not sent.
    Unserved(Request),
}

impl Job {
    pub(super) fn new(request: Request, deadline: Instant) -> (Self, Ticket) {
        let request = Slot::new(Mutex::new(Some(request)));
        let (asker, reply) = oneshot::channel();
        let ticket = Ticket { request: request.clone(), deadline, reply };
        (Self { request, deadline, span: Span::current(), asker: Some(asker) }, ticket)
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Returns the span of the caller.
    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// Returns whether somebody still waits for the answer.
    pub(super) fn is_wanted(&self) -> bool {
        self.asker.as_ref().is_some_and(|asker| !asker.is_closed())
    }

    /// Takes the request to send it. `None` means that its caller does not wait for it any more.
    pub(super) fn take(&self) -> Option<Request> {
        if self.is_wanted() { take(&self.request) } else { None }
    }

    pub(super) fn answer(mut self, outcome: Outcome) {
        if let Some(asker) = self.asker.take() {
            // Nobody may be waiting any more.
            drop(asker.send(Reply::Outcome(outcome)));
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        // Without a request it was sent, and its caller takes the missing answer for a lost one.
        if let (Some(asker), Some(request)) = (self.asker.take(), take(&self.request)) {
            drop(asker.send(Reply::Unserved(request)));
        }
    }
}

impl Ticket {
    /// Waits for the answer until the deadline, and then withdraws a command that was not sent.
    pub(super) async fn reply(mut self) -> Reply {
        match timeout_at(self.deadline, &mut self.reply).await {
            Ok(Ok(reply)) => return reply,
            Ok(Err(_)) => {
                return lost("the command ended with its runtime, without an answer");
            }
            Err(_) if take(&self.request).is_some() => return Reply::Outcome(Err(too_late())),
            Err(_) => {}
        }
        match timeout(LAST_WORD, self.reply).await {
            Ok(Ok(reply)) => reply,
            _ => lost("the server did not answer in time"),
        }
    }
}

/// Returns the failure of a command that was not sent before its deadline.
pub(super) fn too_late() -> Failed {
    Failed::unavailable("no connection was free in time")
}

fn take(request: &Slot) -> Option<Request> {
    request.lock().ignore_poison().take()
}

fn lost(text: &'static str) -> Reply {
    Reply::Outcome(Err(Failed::indeterminate(text)))
}
