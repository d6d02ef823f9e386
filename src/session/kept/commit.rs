//! Carries out what a commit has decided, for a session in a store.

use tokio::time::Instant;

use super::fresh_id::Issuer;
use super::queue::Queues;
use super::settle::{Settlement, Step};
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::session::changes::Renewal;
use crate::session::decision::Decision;
use crate::session::found::Found;
use crate::session::in_flight::InFlight;
use crate::session::slot::{Draft, Slot};
use crate::store::Touched;

/// One commit to a store, under way.
pub(crate) struct Commit<'a> {
    pub(super) issuer: Issuer<'a>,
    pub(super) slot: &'a Slot,
    pub(super) queues: &'a Queues,
    pub(super) deadline: Instant,
}

impl Commit<'_> {
    pub(crate) async fn carry_out(
        &self,
        decision: Decision,
        draft: &mut Draft,
        now: Timestamp,
    ) -> Result<(), SessionError> {
        if let Decision::Create | Decision::Replace | Decision::Renew = decision {
            draft.check_size(self.issuer.terms)?;
        }
        match decision {
            Decision::Nothing => {
                self.slot.nothing_to_write();
                Ok(())
            }
            Decision::Replace => {
                let commit = self.issuer.terms.draw_commit_id()?;
                self.put_in_flight(InFlight::replacement(commit, draft.take_record(), now)?);
                self.settlement().run(Step::Send).await
            }
            // Boxed, as every path that few requests take: a commit's future stays small.
            Decision::Touch => {
                self.slot.nothing_to_write();
                Box::pin(self.touch(now)).await;
                Ok(())
            }
            Decision::Create => Box::pin(self.create(draft)).await,
            Decision::Renew => Box::pin(self.renew(draft, now)).await,
            Decision::RefuseGone => Err(SessionError::Gone),
            Decision::RefuseTooLate => Err(SessionError::TooLate),
        }
    }

    /// Finds out what became of the write that a dropped commit has left in flight.
    pub(crate) async fn settle(&self) -> Result<(), SessionError> {
        self.settlement().run(Step::Look).await
    }

    /// Puts the write in flight. By itself and not async, so that no future holds a copy of it.
    fn put_in_flight(&self, write: InFlight) {
        self.slot.state().in_flight = Some(Box::new(write));
    }

    fn settlement(&self) -> Settlement<'_> {
        Settlement::new(&self.issuer, self.slot, self.queues, self.deadline)
    }

    /// Moves the deadline. A failure costs the visitor some idle time, so the request goes on.
    async fn touch(&self, now: Timestamp) {
        let due = {
            let mut state = self.slot.state();
            state.touch_due = false;
            let live = state.found.live();
            live.and_then(|live| {
                let deadline = self.issuer.terms.touch_due(live, now)?;
                Some((live.key, live.version, deadline))
            })
        };
        let Some((key, version, deadline)) = due else { return };
        match self.issuer.commands.touch(&key, &version, deadline).await {
            Ok(Touched::Done) => {
                if let Found::Live(live) = &mut self.slot.state().found {
                    live.deadline = deadline;
                }
            }
            Ok(Touched::Skipped | Touched::Gone) => {}
            Err(error) => {
                tracing::debug!(session = %key, error = &error as &dyn std::error::Error, "idle timeout not moved");
            }
        }
    }

    async fn create(&self, draft: &mut Draft) -> Result<(), SessionError> {
        let created = self.issuer.create(draft.take_record()).await?;
        if self.slot.head_is_closed() {
            self.issuer.remove_orphan(&created.live.key).await;
            return Err(SessionError::TooLate);
        }
        self.slot.created(created.live, created.cookie);
        Ok(())
    }

    /// Gives a live session a new id.
    ///
    /// The new record is created first, under an id that nobody knows. Then the old one is replaced,
    /// on the version that was loaded, by a mark that leads to it. A crash before the mark leaves the
    /// old session whole; after it, the old id is worthless. Deleting the old record instead of
    /// marking it would let a late write of another request find nothing, and leave no trace by which
    /// a lost answer can be found out.
    async fn renew(&self, draft: &mut Draft, now: Timestamp) -> Result<(), SessionError> {
        let terms = self.issuer.terms;
        let lifetime = draft.renewal.and_then(|Renewal { lifetime }| lifetime);
        let record = terms.renew_lifetime(draft.take_record(), lifetime, now);
        let commit = terms.draw_commit_id()?;
        let successor = self.issuer.create_renewed(record).await?;
        if self.slot.head_is_closed() {
            self.issuer.remove_orphan(&successor.live.key).await;
            return Err(SessionError::TooLate);
        }
        self.put_in_flight(InFlight::mark(commit, successor, terms.now()));
        self.settlement().run(Step::Send).await
    }
}
