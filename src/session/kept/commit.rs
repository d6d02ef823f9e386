//! Carries out what a commit has decided, for a session in a store.

use super::fresh_id::Issuer;
use super::listing::Listings;
use super::logout::{Logout, Target};
use super::roster::{Joining, Listing, end_unlisted};
use super::settle::{Settlement, Step, read_again, replacement};
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::events::{EndedBy, SessionChange};
use crate::id::CommitId;
use crate::record::{Mark, Record};
use crate::session::changes::Renewal;
use crate::session::decision::Decision;
use crate::session::found::{Found, Live};
use crate::session::in_flight::{InFlight, Successor};
use crate::session::report::Named;
use crate::session::retry::Retry;
use crate::session::slot::{Draft, Slot};
use crate::session::together::{Boxed, both};
use crate::store::Touched;

/// One commit to a store, under way.
pub(crate) struct Commit<'a> {
    pub(super) issuer: Issuer<'a>,
    pub(super) slot: &'a Slot,
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
        if let (Decision::Create | Decision::LogInAnew, true) = (decision, draft.facts.login) {
            self.end_outdated().await?;
        }
        match decision {
            Decision::Nothing => {
                self.slot.nothing_to_write();
                Ok(())
            }
            Decision::Replace => {
                let terms = self.issuer.terms;
                let commit = terms.draw_commit_id()?;
                let record = draft.take_record();
                self.put_in_flight(replacement(self.slot, terms, commit, record, now)?);
                self.settlement().run(Step::Send).await?;
                if self.issuer.terms.roster.is_some() {
                    Box::pin(self.listings().look_if_due()).await;
                }
                Ok(())
            }
            // Boxed, as every path that few requests take: a commit's future stays small.
            Decision::Touch => {
                self.slot.nothing_to_write();
                Box::pin(self.touch_and_look(now)).await;
                Ok(())
            }
            Decision::Create => Box::pin(self.create(draft)).await,
            Decision::LogInAnew => Box::pin(self.log_in_anew(draft, now)).await,
            Decision::Look => Box::pin(self.look()).await,
            Decision::Renew => Box::pin(self.renew(draft, now)).await,
            Decision::RefuseGone => Err(SessionError::Gone),
            Decision::RefuseTooLate => Err(SessionError::TooLate),
        }
    }

    /// Ends the session whose ticket was replaced by a later one, when its visitor logs in again. Otherwise whoever has
    /// the later one, perhaps a thief who has had it renewed, would go on in it.
    async fn end_outdated(&self) -> Result<(), SessionError> {
        let Found::Outdated { key, .. } = self.slot.read().found else { return Ok(()) };
        let Issuer { commands, terms, .. } = self.issuer;
        let logout = Logout { commands, terms, by: EndedBy::Visitor };
        match Box::pin(logout.run(Target::by_id(key))).await {
            // It was renewed long ago, and so went on elsewhere.
            Ok(_) | Err(SessionError::Gone) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Finds out what became of the write that an earlier commit has left in flight.
    ///
    /// If it was applied then, perhaps minutes ago, its deadline is as old. Whoever is told now that it is
    /// stored may rely on the session from now on, so the deadline is moved if that is due.
    pub(crate) async fn settle(&self) -> Result<(), SessionError> {
        if self.slot.read().in_flight.is_some() {
            self.settlement().run(Step::Look).await?;
        }
        self.listings().list_unlisted().await?;
        self.touch_if_due(self.issuer.terms.now()).await;
        Ok(())
    }

    /// Puts the write in flight. By itself and not async, so that no future holds a copy of it.
    fn put_in_flight(&self, write: InFlight) {
        self.slot.state().in_flight = Some(Box::new(write));
    }

    fn settlement(&self) -> Settlement<'_> {
        Settlement::new(&self.issuer, self.slot)
    }

    fn listings(&self) -> Listings<'_> {
        Listings { issuer: &self.issuer, slot: self.slot }
    }

    async fn touch_and_look(&self, now: Timestamp) {
        let listings = self.listings();
        let ((), ()) = both(Box::pin(self.touch_if_due(now)), Box::pin(listings.look())).await;
    }

    /// Moves the deadline. A failure costs the visitor some idle time, so the request goes on.
    async fn touch_if_due(&self, now: Timestamp) {
        let due = {
            let mut state = self.slot.state();
            state.touch_due = false;
            // It may be over for this layer, and others have answered so: a late touch would bring it back.
            let live = state.found.live().filter(|live| !live.is_overdue(now));
            live.and_then(|live| {
                let deadline = self.issuer.terms.touch_due(live, now)?;
                Some((live.key, live.version, deadline, live.stored(deadline)))
            })
        };
        let Some((key, version, deadline, stored)) = due else { return };
        match self.issuer.commands.touch(&key, &version, stored).await {
            Ok(Touched::Done) => self.slot.touched(deadline, now),
            Ok(Touched::Skipped | Touched::Gone) => {}
            Err(error) => {
                tracing::debug!(session = %key, error = &error as &dyn std::error::Error, "idle timeout not moved");
            }
        }
    }

    async fn create(&self, draft: &mut Draft) -> Result<(), SessionError> {
        let mut record = draft.take_record();
        let joining =
            Joining::new(&self.listings().rosters(), &mut record, None, draft.login.take())?;
        let create = Box::pin(self.issuer.create(record));
        self.begin(self.issue(joining, create).await?).await
    }

    /// Creates a record, and lists it if somebody is logged in to it.
    async fn issue(
        &self,
        joining: Option<Joining>,
        create: Boxed<'_, Result<Successor, SessionError>>,
    ) -> Result<Successor, SessionError> {
        match joining {
            None => create.await,
            // Boxed, because few layers have a roster.
            Some(joining) => {
                let listings = self.listings();
                Box::pin(joining.issue(listings.rosters(), create, &self.issuer)).await
            }
        }
    }

    /// Takes over the session that was created, if its cookie can still be sent.
    async fn begin(&self, created: Successor) -> Result<(), SessionError> {
        if self.slot.head_is_closed() {
            self.issuer.remove_orphan(&created.live.key).await;
            return Err(SessionError::TooLate);
        }
        let (cookie, change) = (Some(created.cookie), Some(SessionChange::Created));
        self.slot.stored(created.live, cookie, change, &self.issuer.terms.report);
        Ok(())
    }

    /// Creates the session of a login whose session has moved or ended under it.
    ///
    /// If it has moved to a live session of the same principal, this is the same login again: its
    /// answer was lost, or the visitor has clicked twice. The new session then has that one's data,
    /// so that the visitor finds the cart again. That one stays as it is, because either answer may be
    /// the last to reach the browser.
    async fn log_in_anew(&self, draft: &mut Draft, now: Timestamp) -> Result<(), SessionError> {
        let terms = self.issuer.terms;
        let login = draft.take_record();
        let record = self.successor_of_same_login(&login).await?;
        let record = self.slot.draft_on(record.unwrap_or_else(|| terms.new_record(now)))?;
        terms.check_size(&record)?;
        let lifetime = draft.renewal.and_then(|Renewal { lifetime }| lifetime);
        let mut record = terms.renew_lifetime(record, lifetime, now);
        let joining =
            Joining::new(&self.listings().rosters(), &mut record, None, draft.login.take())?;
        // This visitor is among those who are there, whom a full store still serves.
        let create = Box::pin(self.issuer.create_renewed(record));
        self.begin(self.issue(joining, create).await?).await
    }

    /// Follows one mark only, and takes over only a session that nobody has changed since its login. Whoever
    /// has an old id and the password must not get what a later step of the visitor has earned, such as a
    /// second factor.
    async fn successor_of_same_login(
        &self,
        login: &Record,
    ) -> Result<Option<Box<Record>>, SessionError> {
        let (to, left) = match &self.slot.read().found {
            Found::Mark { mark: Mark::Moved { to, .. }, left, .. } => (*to, left.clone()),
            _ => return Ok(None),
        };
        let entry = match self.issuer.commands.load(&to).await {
            Ok(entry) => entry,
            Err(error) => {
                let error = SessionError::from(error);
                return if error.is_unreadable() { Ok(None) } else { Err(error) };
            }
        };
        // An unreadable record is no reason to refuse a login.
        let found = self.issuer.terms.read(to, entry).unwrap_or_default();
        let record = found.live().map(|live| &live.record);
        let is_same = |record: &Record| {
            record.principal == login.principal
                && record.commits.as_slice().len() == 1
                && !self.issuer.terms.know_revoked(record)
        };
        let record = record.filter(|record| is_same(record));
        Ok(record.and_then(|record| if record.is_closed() { left } else { Some(record.clone()) }))
    }

    /// Looks whether the session is still there, and takes over what others have stored since.
    pub(crate) async fn look(&self) -> Result<(), SessionError> {
        let Some(at) = self.slot.read().found.live().map(Live::address) else {
            return Ok(());
        };
        let Issuer { commands, terms, .. } = self.issuer;
        let entry = commands.load(&at.key).await?;
        let found = read_again(self.slot, terms, at, entry)?;
        match found.live() {
            Some(live) if terms.is_revoked(live, commands.limit).await? => {
                self.slot.looked_again(Found::Nothing)
            }
            _ => self.slot.looked_again(found),
        }
    }

    /// Moves the deadline of the session to where its use now puts it.
    pub(crate) async fn touch(&self) -> Result<(), SessionError> {
        let terms = self.issuer.terms;
        let mut retry = Retry::new(terms.entropy, self.issuer.commands.deadline());
        let mut looked = false;
        if terms.revocations.is_some() {
            terms.learn_revocations(self.issuer.commands.limit).await?;
            let revoked = {
                let state = self.slot.read();
                let live = state.found.live().filter(|live| terms.know_revoked(&live.record));
                live.map(Named::from)
            };
            if let Some(named) = revoked {
                terms.report.session(named, SessionChange::Ended(EndedBy::Revocation));
                return self.slot.looked_again(Found::Nothing);
            }
        }
        loop {
            let now = terms.now();
            let live = self.slot.read().found.live().map(|live| {
                let deadline = live.record.deadline(now);
                let has = (live.deadline, live.is_overdue(now));
                (live.key, live.version, has, deadline, live.stored(deadline))
            });
            let Some((key, version, (had, is_overdue), deadline, stored)) = live else {
                return Ok(());
            };
            // The store keeps the session for longer than this layer does, and would not refuse.
            if is_overdue && !looked {
                self.look().await?;
                looked = true;
                continue;
            }
            if looked && had >= deadline {
                return self.go_on_if_listed().await;
            }
            if looked && !retry.pause().await {
                return Err(SessionError::Contended);
            }
            match self.issuer.commands.touch(&key, &version, stored).await? {
                Touched::Done => {
                    self.slot.touched(deadline, now);
                    return self.go_on_if_listed().await;
                }
                Touched::Gone => return self.slot.looked_again(Found::Nothing),
                // Others have changed it, or moved the deadline further.
                Touched::Skipped => self.look().await?,
            }
            looked = true;
        }
    }

    async fn go_on_if_listed(&self) -> Result<(), SessionError> {
        self.listings().look().await;
        if self.slot.read().is_over() { Err(SessionError::Gone) } else { Ok(()) }
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
        let mut record = terms.renew_lifetime(draft.take_record(), lifetime, now);
        let commit = terms.draw_commit_id()?;
        let joining = {
            let (state, login) = (self.slot.read(), draft.login.take());
            Joining::new(&self.listings().rosters(), &mut record, state.found.live(), login)?
        };
        let (successor, listing) = self.issue_renewed(record, joining).await?;
        if let Some(listing) = listing {
            return self.mark_and_list(commit, successor, listing).await;
        }
        self.slot.mark_in_flight(commit, successor, terms);
        self.settlement().run(Step::Send).await
    }

    /// Creates the record of a renewal. That of a session whose principal stays is listed later, beside the
    /// mark.
    async fn issue_renewed(
        &self,
        record: Box<Record>,
        joining: Option<Joining>,
    ) -> Result<(Successor, Option<Listing>), SessionError> {
        let create = Box::pin(self.issuer.create_renewed(record));
        let (successor, listing) = match joining {
            Some(joining) if joining.is_renewal() => {
                let (successor, listing) = joining.begin(self.listings().rosters(), create).await;
                (successor?, Some(listing))
            }
            joining => (self.issue(joining, create).await?, None),
        };
        let refused = match &listing {
            _ if self.slot.head_is_closed() => Err(SessionError::TooLate),
            Some(listing) => listing.check(),
            None => Ok(()),
        };
        if let Err(error) = refused {
            self.issuer.remove_orphan(&successor.live.key).await;
            self.end_if_gone(&error).await?;
            return Err(error);
        }
        Ok((successor, listing))
    }

    /// Ends a session that could not be renewed because all of its principal's were ended before. It was not
    /// listed then. To leave it would keep its id good, also if the same request logs in anew.
    async fn end_if_gone(&self, error: &SessionError) -> Result<(), SessionError> {
        let live = self.slot.read().found.live().cloned();
        match (error, live) {
            (SessionError::Gone, Some(live)) => {
                let ended = end_unlisted(self.listings().rosters(), live).await;
                ended.map_err(SessionError::into_unconfirmed)?;
                self.slot.state().lose(Found::Nothing);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Marks the old id of a session and lists its new one, at the same time. Whoever ends all sessions
    /// between the two follows the mark, because the old id is listed.
    async fn mark_and_list(
        &self,
        commit: CommitId,
        successor: Successor,
        listing: Listing,
    ) -> Result<(), SessionError> {
        let live = successor.live.clone();
        let successor = Successor { is_unlisted: true, ..successor };
        self.slot.mark_in_flight(commit, successor, self.issuer.terms);
        let mut settlement = self.settlement();
        let mark = Box::pin(settlement.run(Step::Send));
        let listings = self.listings();
        let list = Box::pin(listings.list(&live, listing));
        let (marked, listed) = both(mark, list).await;
        marked?;
        let mut state = self.slot.state();
        match listed {
            // Once more: a merge may have had the successor in its hands when it was listed.
            Ok(()) => state.listed(&live.key),
            // All sessions were ended. The old id is worthless, and nobody gets the new one.
            Err(SessionError::Gone) if state.unlisted.is_some() => {
                state.lose(Found::Nothing);
                return Err(SessionError::Gone);
            }
            // The next commit of this handle lists it.
            Err(error) if state.unlisted.is_some() => return Err(error),
            // A merge has taken another id, and listed that.
            Err(_) => {}
        }
        Ok(())
    }
}
