//! A command in a queue, with the way back to its caller.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::changes::Change;
use super::error::{SqliteError, Unreadable};
use super::place::Place;
use super::row::Found;
use super::table::Table;
use super::ticket::Ticket;
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::id::StoreKey;

/// An answer on its way to the caller. The row that cannot be read is not an error of the transaction.
pub(super) type Answer<T> = Result<Result<T, Unreadable>, StoreError>;

/// A command that waits for the thread that writes.
pub(super) trait WriteJob: Send {
    fn ticket(&self) -> &Ticket;

    /// Returns whether somebody still waits for the answer.
    fn is_wanted(&self) -> bool;

    /// Returns about how many pages it changes.
    fn pages(&self) -> usize;

    /// Returns whether the log is emptied after it.
    fn checkpoints(&self) -> bool;

    /// Carries the command out inside a transaction, and keeps its answer.
    fn run(&mut self, table: &mut Table<'_>, now: Timestamp) -> rusqlite::Result<()>;

    /// Gives the answer, because the transaction was committed.
    fn confirm(self: Box<Self>);

    fn fail(self: Box<Self>, error: StoreError);
}

/// The [`WriteJob`] of one [`Change`].
pub(super) struct Write<C: Change> {
    pub(super) change: C,
    pub(super) ticket: Arc<Ticket>,
    pub(super) reply: oneshot::Sender<Answer<C::Output>>,
    pub(super) outcome: Option<Result<C::Output, Unreadable>>,
}

impl<C: Change> WriteJob for Write<C> {
    fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn pages(&self) -> usize {
        self.change.pages()
    }

    fn checkpoints(&self) -> bool {
        C::CHECKPOINTS
    }

    fn run(&mut self, table: &mut Table<'_>, now: Timestamp) -> rusqlite::Result<()> {
        self.outcome = Some(self.change.apply(table, now)?);
        Ok(())
    }

    fn confirm(self: Box<Self>) {
        // Without an outcome the reply is dropped, which its caller takes for a lost answer.
        if let Some(outcome) = self.outcome {
            let _ = self.reply.send(Ok(outcome));
        }
    }

    fn fail(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}

/// A load that waits for a thread that reads.
pub(super) struct Read {
    pub(super) key: StoreKey,
    pub(super) ticket: Arc<Ticket>,
    pub(super) reply: oneshot::Sender<Answer<Option<crate::store::Entry>>>,
}

impl Read {
    /// Takes the load, unless nobody waits for it any more.
    pub(super) fn take(&self) -> bool {
        !self.reply.is_closed() && !self.ticket.is_late() && self.ticket.take()
    }

    pub(super) fn answer(self, found: Found) {
        let _ = self.reply.send(Ok(found));
    }

    pub(super) fn fail(self, place: &Place, error: SqliteError) {
        let _ = self.reply.send(Err(place.error(error)));
    }
}
