//! A connection that is opened when it is needed, and opened again after it broke.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::call::Call;
use super::failure::Problem;
use super::link::{Answer, Link, while_wanted};
use super::opening::Opener;
use super::statements::Kind;
use crate::backoff::Backoff;
use crate::entropy;
use crate::error::StoreError;

/// The pauses between attempts to connect. In between, commands fail at once.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(2_500));

/// One of the connections of a store, which is opened again after it broke. Its commands reach the server in the order in which they were sent.
pub(super) struct Lane {
    opener: Arc<Opener>,
    /// The commands that the connection is prepared for.
    kinds: &'static [Kind],
    state: watch::Sender<State>,
}

enum State {
    Closed,
    /// A task of its own is opening the connection.
    Opening,
    Open(Arc<Link>),
    Failed {
        error: StoreError,
        attempts: u32,
        until: Instant,
    },
}

/// The state of a lane, as a command finds it.
enum Found {
    Link(Arc<Link>),
    /// The connection is being opened.
    Wait,
    Failed(StoreError),
}

impl Lane {
    pub(super) fn new(opener: Arc<Opener>, kinds: &'static [Kind]) -> Arc<Self> {
        Arc::new(Self { opener, kinds, state: watch::Sender::new(State::Closed) })
    }

    /// Sends a command, and returns its answer or that there was none by `deadline`.
    ///
    /// Dropping the future withdraws a command that was not handed over yet. One that was is carried out.
    pub(super) async fn send(self: &Arc<Self>, call: Call, deadline: Instant) -> Answer {
        let (asked, answer) = oneshot::channel();
        // The driver hands one answer after the other to whoever asked, and waits for them: a future that is
        // not polled would hold up all others of this connection.
        tokio::spawn(self.clone().serve(call, deadline, asked));
        answer.await.unwrap_or_else(|_| Err(Problem::lost("the runtime is shutting down")))
    }

    /// Opens the connection if it is not open.
    pub(super) async fn ensure_open(self: &Arc<Self>, deadline: Instant) -> Result<(), Problem> {
        timeout_at(deadline, self.link()).await.map_err(|_| late())?.map(drop)
    }

    async fn serve(
        self: Arc<Self>,
        call: Call,
        deadline: Instant,
        mut asked: oneshot::Sender<Answer>,
    ) {
        let placing = timeout_at(deadline, self.place());
        let Some(ready) = while_wanted(&mut asked, placing).await else { return };
        match ready.unwrap_or_else(|_| Err(late())) {
            Ok((link, _place)) => {
                let patience = self.opener.command_timeout();
                link.carry_out(call, deadline, patience, asked).await;
            }
            Err(problem) => drop(asked.send(Err(problem))),
        }
    }

    /// Waits for a connection, and for a place on it.
    async fn place(self: &Arc<Self>) -> Result<(Arc<Link>, OwnedSemaphorePermit), Problem> {
        loop {
            let link = self.link().await?;
            let place = link.place().await;
            // It may have been closed meanwhile. What is sent on a closed connection counts as lost.
            if let Some(place) = place.filter(|_| !link.is_closed()) {
                return Ok((link, place));
            }
        }
    }

    async fn link(self: &Arc<Self>) -> Result<Arc<Link>, Problem> {
        let mut changes = self.state.subscribe();
        loop {
            match self.find() {
                Found::Link(link) => return Ok(link),
                Found::Failed(error) => {
                    let kind = error.kind();
                    let failure = crate::store::failure::Failure::not_applied(kind, Shared(error));
                    return Err(Problem::from(failure));
                }
                Found::Wait => {}
            }
            let opened = changes.wait_for(|state| !matches!(state, State::Opening)).await;
            opened.map_err(|_| late())?;
        }
    }

    /// Returns the open connection, or begins to open one.
    fn find(self: &Arc<Self>) -> Found {
        let known = match &*self.state.borrow() {
            State::Open(link) if !link.is_closed() => Some(Found::Link(link.clone())),
            State::Failed { error, until, .. } if Instant::now() < *until => {
                Some(Found::Failed(error.clone()))
            }
            State::Opening => Some(Found::Wait),
            _ => None,
        };
        known.unwrap_or_else(|| {
            self.begin();
            Found::Wait
        })
    }

    /// Opens the connection in a task of its own, unless another command was faster.
    fn begin(self: &Arc<Self>) {
        let mut attempts = 0;
        let is_mine = self.state.send_if_modified(|state| {
            match state {
                State::Opening => return false,
                State::Open(link) if !link.is_closed() => return false,
                State::Failed { attempts: failed, .. } => attempts = *failed,
                State::Open(_) | State::Closed => {}
            }
            *state = State::Opening;
            true
        });
        if is_mine {
            let opening = Opening { lane: self.clone() };
            tokio::spawn(opening.run(attempts));
        }
    }
}

/// An attempt to open a lane's connection. If it ends without a result, because its runtime ends, the next
/// command makes another one.
struct Opening {
    lane: Arc<Lane>,
}

impl Opening {
    async fn run(self, attempts: u32) {
        let lane = &self.lane;
        let state = match lane.opener.open(lane.kinds).await {
            Ok(link) => State::Open(Arc::new(link)),
            Err(problem) => {
                let attempts = attempts.saturating_add(1);
                let random = entropy::for_a_pause(entropy::operating_system);
                let until = Instant::now() + PAUSES.pause(attempts, random);
                State::Failed { error: problem.failure.for_read(), attempts, until }
            }
        };
        lane.state.send_replace(state);
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.lane.state.send_if_modified(|state| {
            let is_unfinished = matches!(state, State::Opening);
            if is_unfinished {
                *state = State::Closed;
            }
            is_unfinished
        });
    }
}

fn late() -> Problem {
    Problem::not_sent("the command waited in vain for a connection, and was not sent")
}

/// The error of an attempt to connect, for all commands that waited for it.
#[derive(Debug)]
struct Shared(StoreError);

impl std::fmt::Display for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no connection to the server")
    }
}

impl std::error::Error for Shared {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0)
    }
}
