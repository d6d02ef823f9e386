//! The renewal of a ticket by time.

use super::commit::Commit;
use super::proven::latest_ticket;
use crate::clock::Timestamp;
use crate::cookie::{Presented, SetCookies, Ticket};
use crate::error::SessionError;
use crate::record::Turn;
use crate::session::found::Live;
use crate::store::{NewEntry, Replaced};

impl Commit<'_> {
    /// Gives the client the session's next ticket, if the turn of the one that it has brought is over.
    ///
    /// The record stays where it is and counts the tickets, so nothing of a session moves: requests under way merge with
    /// this write as with any other, and an end of the session goes before it. Moving the record to a new id, as a
    /// [renewal](super::commit) does, would refuse those requests, and a lost answer would cost the visitor the session.
    ///
    /// A failure costs nothing now, so the request goes on: the ticket stays good, and the next request tries again.
    pub(crate) async fn turn(&self, presented: &Presented) {
        let Some(live) = self.turning() else { return };
        let (key, now) = (live.key, self.issuer.terms.now());
        let Some(ticket) = latest_ticket(&key, self.issuer.mint, presented, now) else { return };
        match self.take_turn(live, ticket, now).await {
            Ok(cookies) => self.slot.state().cookies = cookies,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(session = %key, error, "ticket not renewed");
            }
        }
    }

    /// Returns the session, unless the request has only peeked at it or answers with a cookie anyway.
    fn turning(&self) -> Option<Live> {
        let state = self.slot.read();
        let is_meant = state.peeked.is_none() && state.cookies.is_none() && !state.is_over();
        state.found.live().filter(|_| is_meant).cloned()
    }

    async fn take_turn(
        &self,
        live: Live,
        ticket: Ticket,
        now: Timestamp,
    ) -> Result<Option<SetCookies>, SessionError> {
        let terms = self.issuer.terms;
        if live.is_overdue(now) {
            return Ok(None);
        }
        let Some(next) = terms.turn_after_use(&live.record, ticket.turn, now) else {
            return Ok(None);
        };
        let (expires, remembered) = (live.record.expires, live.record.remembered);
        let stored = match next == live.record.turn {
            // Time has passed since the load: it may be over, or have another id.
            true => self.stored_turn(&live).await?,
            false => self.store_turn(live, next, now).await?,
        };
        // It was signed before the store has lost it, another request goes first, or it is outdated by now.
        let is_next = |turn: &Turn| turn.number > ticket.turn && turn.admits(ticket.turn, now);
        let Some(turn) = stored.filter(is_next).map(|turn| turn.number) else {
            return Ok(None);
        };
        let ticket = Ticket { expires, turn, ..ticket };
        self.issuer.sign(&ticket, remembered, expires.since(now)).map(Some)
    }

    /// Returns the turn that the store has now.
    async fn stored_turn(&self, live: &Live) -> Result<Option<Turn>, SessionError> {
        let entry = self.issuer.commands.load(&live.key).await?;
        let found = self.issuer.terms.read(live.address(), entry)?;
        Ok(found.live().map(|live| live.record.turn))
    }

    /// Stores the turn, on the version that this request knows. Returns the turn that is stored then, which may be one that
    /// another request has begun meanwhile.
    async fn store_turn(
        &self,
        mut live: Live,
        next: Turn,
        now: Timestamp,
    ) -> Result<Option<Turn>, SessionError> {
        let terms = self.issuer.terms;
        live.record.turn = next;
        let commit = terms.draw_commit_id()?;
        live.record.commits.push(commit);
        let deadline = live.record.deadline(now);
        let bytes = terms.encode(&live.record, live.seal.as_deref())?;
        let entry = NewEntry::new(commit, deadline, bytes);
        match self.issuer.commands.replace(&live.key, &live.version, &entry).await? {
            Replaced::Done(version) => {
                self.slot.turned(Live::new(live.address(), version, deadline, live.record, now));
                Ok(Some(next))
            }
            Replaced::Conflict(entry) => {
                let found = terms.read(live.address(), Some(entry))?;
                Ok(found.live().map(|live| live.record.turn))
            }
            Replaced::Gone => Ok(None),
        }
    }
}
