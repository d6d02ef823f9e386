//! A command's way to a thread, and its answer's way back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout_at;

use super::changes::Change;
use super::error::SqliteError;
use super::jobs::{Answer, Read, Write};
use super::place::Place;
use super::queue::Refused;
use super::reader::Reads;
use super::ticket::Ticket;
use super::writer::Writes;
use crate::error::StoreError;
use crate::id::StoreKey;
use crate::store::Entry;

/// The queues of one store.
#[derive(Clone)]
pub(super) struct Commands {
    pub(super) place: Place,
    pub(super) timeout: Duration,
    pub(super) writes: Arc<Writes>,
    pub(super) reads: Arc<Reads>,
}

impl Commands {
    /// Returns the entry under this key, live or not.
    pub(super) async fn load(&self, key: StoreKey) -> Result<Option<Entry>, StoreError> {
        let ticket = Arc::new(Ticket::new(self.timeout));
        let (reply, answer) = oneshot::channel();
        let pushed = self.reads.push(Read { key, ticket: ticket.clone(), reply }, 0);
        self.check_queued(pushed)?;
        // It does not matter whether a read is still carried out.
        self.wait(&ticket, answer, SqliteError::TimedOut).await
    }

    /// Has a change made and committed.
    ///
    /// A caller that is dropped while the command waits takes it back; later it is carried out and its
    /// answer dropped. Nothing here holds anything that others wait for.
    pub(super) async fn change<C: Change>(&self, change: C) -> Result<C::Output, StoreError> {
        let ticket = Arc::new(Ticket::new(self.timeout));
        let (reply, answer) = oneshot::channel();
        let bytes = change.bytes();
        let job = Write { change, ticket: ticket.clone(), reply, outcome: None };
        self.check_queued(self.writes.push(Box::new(job), bytes))?;
        self.wait(&ticket, answer, SqliteError::Unanswered).await
    }

    fn check_queued(&self, pushed: Result<(), Refused>) -> Result<(), StoreError> {
        pushed.map_err(|refused| {
            self.place.error(match refused {
                Refused::Full => SqliteError::QueueFull,
                Refused::Closed => SqliteError::Ended,
            })
        })
    }

    async fn wait<T>(
        &self,
        ticket: &Ticket,
        mut answer: oneshot::Receiver<Answer<T>>,
        lost: fn(Duration) -> SqliteError,
    ) -> Result<T, StoreError> {
        let in_time = timeout_at(ticket.deadline().into(), &mut answer).await;
        let is_late = in_time.is_err() || ticket.is_late();
        let answered = match in_time {
            Ok(Ok(answered)) => answered,
            // A command that was withdrawn, here or by the thread, is never carried out. The thread's reason may
            // have arrived at the last moment.
            _ if ticket.withdraw() || ticket.is_withdrawn() => match answer.try_recv() {
                Ok(answered) => answered,
                Err(_) if is_late => {
                    return Err(self.place.error(SqliteError::TimedOut(ticket.timeout())));
                }
                Err(_) => return Err(self.place.error(SqliteError::Ended)),
            },
            // The answer may have arrived at the last moment.
            _ => match answer.try_recv() {
                Ok(answered) => answered,
                Err(_) => return Err(self.place.error(lost(ticket.timeout()))),
            },
        };
        answered?.map_err(|unreadable| self.place.error(unreadable.into()))
    }
}
