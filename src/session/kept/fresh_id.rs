//! Records under an id that nobody has seen yet: a new session's, and a renewed one's.

use std::time::Duration;

use super::commands::Commands;
use super::looked::Looked;
use super::queue::Queues;
use crate::cookie::{Carrier, SetCookies, Ticket, TicketMint};
use crate::error::{SessionError, StoreErrorKind};
use crate::id::{SessionId, StoreKey};
use crate::record::{Mark, Record, SealKeys};
use crate::session::found::{Address, Live};
use crate::session::in_flight::Successor;
use crate::session::retry::Retry;
use crate::session::terms::Terms;
use crate::store::{Created, Entry, NewEntry, Replaced};

/// Fresh ids that one commit tries. One is enough, except after a lost answer, or while a node is
/// down in a store where the id decides about the node.
const ATTEMPTS: usize = 8;

/// Issues ids: draws them, creates their records, and signs the cookies that lead to them.
#[derive(Clone, Copy)]
pub(super) struct Issuer<'a> {
    pub(super) commands: Commands<'a>,
    pub(super) terms: &'a Terms,
    pub(super) mint: &'a TicketMint,
    pub(super) seal_keys: &'a SealKeys,
    pub(super) carrier: &'a Carrier,
    pub(super) queues: &'a Queues,
    pub(super) looked: &'a Looked,
}

impl Issuer<'_> {
    /// Creates the record under a fresh id, and under another one if that failed or its answer was
    /// lost.
    ///
    /// An id is never created twice: the late first attempt could overwrite what has happened under
    /// it since. A record that nobody has a ticket for expires.
    pub(super) async fn create(&self, record: Box<Record>) -> Result<Successor, SessionError> {
        self.create_as(record, |entry| entry).await
    }

    /// Creates the record of a renewal, as [`create`](Self::create) does that of a new session.
    pub(super) async fn create_renewed(
        &self,
        record: Box<Record>,
    ) -> Result<Successor, SessionError> {
        self.create_as(record, NewEntry::renewal).await
    }

    async fn create_as(
        &self,
        mut record: Box<Record>,
        purpose: fn(NewEntry) -> NewEntry,
    ) -> Result<Successor, SessionError> {
        let entropy = self.terms.entropy;
        // The time is read here, because a renewal may come here after slow commands.
        let now = self.terms.now();
        let deadline = record.deadline(now);
        let mut last_error = None;
        let mut retry = Retry::new(entropy, self.commands.deadline());
        for _ in 0..ATTEMPTS {
            if last_error.is_some() && !retry.pause().await {
                break;
            }
            let (id, commit) = SessionId::draw_with_commit(entropy)?;
            let ticket = Ticket::new(id, record.expires);
            let at = address_of(&ticket, self.seal_keys, self.terms);
            record.commits = Default::default();
            record.commits.push(commit);
            let bytes = self.terms.encode(&record, at.seal.as_deref())?;
            let entry = purpose(NewEntry::new(commit, deadline, bytes));
            match self.commands.create(&at.key, &entry).await {
                Ok(Created::Done(version)) => {
                    let left = record.expires.since(record.created);
                    let cookie = self.sign(&ticket, record.remembered, left)?;
                    let live = Live::new(at, version, deadline, record, now);
                    return Ok(Successor { live, cookie, is_unlisted: false });
                }
                Ok(Created::Exists) => {}
                Err(error) if is_worth_another_id(error.kind()) => last_error = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        Err(last_error.map_or(SessionError::Contended, SessionError::from))
    }

    /// Renders a ticket for a session with this much `left` of its absolute lifetime.
    pub(super) fn sign(
        &self,
        ticket: &Ticket,
        remembered: bool,
        left: Duration,
    ) -> Result<SetCookies, SessionError> {
        Ok([self.carrier.live(&self.mint.sign(ticket), remembered, left)?].into())
    }

    /// Brings the record of a renewal up to date, after the old id has met a conflict.
    pub(super) async fn rewrite(
        &self,
        mut successor: Successor,
        mut record: Box<Record>,
    ) -> Result<Successor, SessionError> {
        let live = &successor.live;
        // The ticket is signed for the lifetime that the new record had at first.
        record.created = live.record.created;
        record.expires = live.record.expires;
        record.commits = live.record.commits;
        record.handle = live.record.handle;
        record.idle = live.record.idle;
        record.turn = live.record.turn;
        let commit = self.terms.draw_commit_id()?;
        record.commits.push(commit);
        let now = self.terms.now();
        let deadline = record.deadline(now);
        let (at, version) = (live.address(), live.version);
        let bytes = self.terms.encode(&record, at.seal.as_deref())?;
        let entry = NewEntry::new(commit, deadline, bytes);
        match self.commands.replace(&at.key, &version, &entry).await {
            Ok(Replaced::Done(version)) => {
                successor.live = Live::new(at, version, deadline, record, now);
                Ok(successor)
            }
            // It is listed already, and somebody has ended this login.
            Ok(Replaced::Conflict(entry)) if is_ended(&entry) => Err(SessionError::Gone),
            // Otherwise nobody knows this id, so this is a lost answer or an outage. The record is left
            // behind; waiting for what becomes of the write would take longer than a fresh id.
            _ => self.create_renewed(record).await,
        }
    }

    /// Marks an id of a renewal that its roster lists, and that was given up for another one.
    ///
    /// Nobody has its ticket, but whoever has read the roster may be about to end it, or has ended it. Deleting
    /// it would let the login go on under the other id, though its handle was ended.
    ///
    /// # Errors
    ///
    /// [`SessionError::Gone`] when somebody has ended it.
    pub(super) async fn leave(&self, left: &Live, to: StoreKey) -> Result<(), SessionError> {
        let mut retry = Retry::new(self.terms.entropy, self.commands.deadline());
        let mut version = left.version;
        loop {
            let (commit, at) = (self.terms.draw_commit_id()?, self.terms.now());
            let bytes = Mark::Moved { commit, to, at }.encode();
            let deadline = at.saturating_add(left.moved_mark_lifetime());
            let mark = NewEntry::new(commit, deadline, bytes).last_word();
            match self.commands.replace(&left.key, &version, &mark).await {
                Ok(Replaced::Done(_)) => return Ok(()),
                Ok(Replaced::Conflict(entry)) => match Mark::find(&entry.bytes) {
                    // A lost attempt to bring it up to date, or an edit.
                    Ok(None) if !retry.is_over() => version = entry.version,
                    Ok(None) => return Err(SessionError::Contended),
                    // A lost attempt of this loop.
                    Ok(Some(Mark::Moved { to: there, .. })) if there == to => return Ok(()),
                    _ => return Err(SessionError::Gone),
                },
                Ok(Replaced::Gone) => return Err(SessionError::Gone),
                Err(error) if !is_worth_another_id(error.kind()) => return Err(error.into()),
                Err(_) if retry.pause().await => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Removes a record that nobody has a ticket for. If that fails, it expires.
    pub(super) async fn remove_orphan(&self, key: &StoreKey) {
        let _ = self.commands.delete(key).await;
    }
}

/// Returns where the session of a ticket is kept, with its seal in a layer that knows seals.
pub(super) fn address_of(ticket: &Ticket, seal_keys: &SealKeys, terms: &Terms) -> Address {
    let seal = |cipher| seal_keys.seal_of(&ticket.id, ticket.signer, cipher);
    let (key, turn) = (ticket.id.store_key(), ticket.turn);
    Address { key, turn, seal: terms.cipher.and_then(seal) }
}

fn is_ended(entry: &Entry) -> bool {
    matches!(Mark::find(&entry.bytes), Ok(Some(Mark::Ended { .. })))
}

fn is_worth_another_id(kind: StoreErrorKind) -> bool {
    matches!(kind, StoreErrorKind::Unavailable | StoreErrorKind::Indeterminate)
}
