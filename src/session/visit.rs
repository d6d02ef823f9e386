//! One request, or one open handle, under one layer: load, commit, end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, timeout_at};

use super::command::TimeLimit;
use super::decision::decide;
use super::found::Found;
use super::own_task::in_own_task;
use super::reading::{Question, Reading, Tolerated};
use super::report::{Named, report};
use super::settings::Settings;
use super::slot::{CloseHead, Slot};
use super::state::{Stage, Unfinished};
use super::work::Work;
use crate::cookie::{Carrier, Presented};
use crate::error::SessionError;
use crate::events::{ConflictOutcome, SessionChange};

/// Everything of one request and one layer, in one allocation. All handles point to it.
pub(super) struct Visit {
    pub(super) settings: Arc<Settings>,
    pub(super) slot: Slot,
    pub(super) presented: Presented,
    /// The visit to the layer around this one.
    outer: Option<Arc<Visit>>,
    tolerated: Tolerated,
    /// The loads of all clones, one at a time. They do not take the other turn: a load that nobody polls
    /// would keep a commit or a logout waiting.
    loading: Mutex<()>,
    /// Commits and logouts of all clones, one at a time.
    pub(super) turn: Mutex<()>,
}

/// The longest that a clone waits for the load of another one, which somebody may have stopped polling.
const LONGEST_WAIT_FOR_A_CLONE: Duration = Duration::from_millis(250);

impl Visit {
    pub(super) fn new(
        settings: Arc<Settings>,
        presented: Presented,
        outer: Option<Arc<Self>>,
        tolerated: Tolerated,
    ) -> Self {
        let (loading, turn) = Default::default();
        Self { settings, slot: Slot::default(), presented, outer, tolerated, loading, turn }
    }

    /// Loads the session once; a second caller waits for the first, for a moment.
    pub(super) async fn load(&self, reading: Reading) -> Result<(), SessionError> {
        if let Some(loaded) = self.loaded() {
            return self.use_loaded(loaded, reading).await;
        }
        let (_turn, deadline) = match self.loading.try_lock() {
            Ok(turn) => (Some(turn), None),
            // Boxed, because hardly any load has to wait.
            Err(_) => Box::pin(self.turn_to_load()).await,
        };
        if let Some(loaded) = self.loaded() {
            return self.use_loaded(loaded, reading).await;
        }
        let Settings { terms, backend, .. } = &*self.settings;
        let mut limit = TimeLimit { command: terms.command_timeout, deadline };
        let found = backend.load(&self.presented, reading, terms, &mut limit).await;
        let late = self.note_found(found, reading, &limit)?;
        self.touch_early(late).await;
        self.report_load();
        Ok(())
    }

    /// Loads the session from the store; see [`LazySession::load_fresh`](super::LazySession::load_fresh).
    pub(super) async fn load_fresh(self: Arc<Self>) -> Result<(), SessionError> {
        self.load(Reading::FreshUse).await?;
        let is_held = self.slot.read().found.live().is_some_and(|live| live.held);
        if is_held { self.reload().await } else { Ok(()) }
    }

    /// Reports that a live session was loaded, once for all clones.
    fn report_load(&self) {
        let report = &self.settings.terms.report;
        if report.has_observers()
            && let Some(named) = self.slot.first_report_of_load()
        {
            report.session(named, SessionChange::Loaded);
        }
    }

    /// Counts a use of the session, if it was only peeked at before.
    async fn use_loaded(
        &self,
        loaded: Result<(), SessionError>,
        reading: Reading,
    ) -> Result<(), SessionError> {
        loaded?;
        self.touch_early(self.slot.count_use(reading)).await;
        Ok(())
    }

    /// Moves the deadline at once for a use that comes late, because a handler could outlast it. `late` is
    /// the time that is left for it.
    async fn touch_early(&self, late: Option<Duration>) {
        let Some(left) = late else { return };
        if !left.is_zero() {
            let Settings { terms, backend, .. } = &*self.settings;
            let limit = TimeLimit { command: left, deadline: None }.as_a_whole();
            // Boxed, because few requests come late.
            Box::pin(backend.touch_early(&self.slot, terms, &limit)).await;
        }
        self.slot.loaded();
    }

    /// Notes the result of the load, and returns the time that is left for an early touch, if this is a use
    /// that comes late. By itself and not async, so that the load's future holds no session.
    fn note_found(
        &self,
        found: Result<Found, SessionError>,
        reading: Reading,
        limit: &TimeLimit,
    ) -> Result<Option<Duration>, SessionError> {
        let Settings { terms, backend, .. } = &*self.settings;
        let mut state = self.slot.state();
        // A clone was quicker, or has ended the session meanwhile.
        if !matches!(state.stage, Stage::Untouched) {
            drop(state);
            self.loaded().unwrap_or(Ok(()))?;
            return Ok(self.slot.count_use(reading));
        }
        match found {
            Ok(found) => {
                let live = found.live().filter(|_| backend.slides_on_reads());
                state.touch_due = live.is_some_and(|live| backend.is_touch_due(live, terms));
                state.counted |= reading.is_use();
                state.peeked = (!state.counted).then(|| limit.left());
                let is_late = reading.is_use() && state.touch_due && terms.is_late(&found);
                state.stale |= found.live().is_some_and(|live| live.held);
                if found.live().is_some_and(|live| live.turn_due) {
                    self.slot.note_turn();
                }
                state.found = found;
                // No clone sees a session that may turn out to be none.
                if !is_late {
                    state.stage = Stage::Loaded;
                }
                Ok(is_late.then(|| limit.left()))
            }
            // A clone's load was answered, and its early touch is under way.
            Err(_) if state.found.live().is_some() => {
                state.stage = Stage::Loaded;
                Ok(None)
            }
            Err(error) if self.tolerated.covers(&error) => {
                state.stage = Stage::Outage(error.clone().into());
                drop(state);
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "session unreadable, going on anonymously");
                Ok(None)
            }
            Err(error) => {
                state.stage = Stage::Failed(error.clone().into());
                drop(state);
                report(&error, "session not read");
                Err(error)
            }
        }
    }

    fn loaded(&self) -> Option<Result<(), SessionError>> {
        self.slot.mark_used();
        match &self.slot.read().stage {
            Stage::Untouched => None,
            Stage::Loaded | Stage::Outage(_) | Stage::Anew(_) => Some(Ok(())),
            Stage::Failed(error) => Some(Err((**error).clone())),
        }
    }

    /// Waits for a clone that is loading, but not for one that nobody polls: after a while this one loads
    /// the session too. Waiting and loading together take no longer than a load may.
    async fn turn_to_load(&self) -> (Option<MutexGuard<'_, ()>>, Option<Instant>) {
        let deadline = Instant::now() + self.settings.terms.command_timeout;
        let wait_until = deadline.min(Instant::now() + LONGEST_WAIT_FOR_A_CLONE);
        let turn = timeout_at(wait_until, self.loading.lock()).await;
        (turn.ok(), Some(deadline))
    }

    /// Stores the changes made so far; the response's head stays open.
    pub(super) async fn save(self: Arc<Self>) -> Result<(), SessionError> {
        in_own_task(async move { self.commit(true, false).await }).await
    }

    /// Reads the session again; see [`Session::reload`](super::Session::reload).
    pub(super) async fn reload(self: Arc<Self>) -> Result<(), SessionError> {
        in_own_task(async move { self.ask(Question::Look).await }).await
    }

    /// Moves the session's deadline now.
    pub(super) async fn touch(self: Arc<Self>) -> Result<(), SessionError> {
        in_own_task(async move { self.ask(Question::Touch).await }).await
    }

    /// Asks the store about the session of an open handle.
    async fn ask(&self, question: Question) -> Result<(), SessionError> {
        let work = self.begin_work();
        let Ok(_turn) = timeout_at(work.deadline, self.turn.lock()).await else {
            return Err(SessionError::Contended);
        };
        let result = self.ask_in_turn(question, &work).await;
        if let Err(error) = &result {
            self.note_failure(error, "session not asked for");
        }
        result
    }

    async fn ask_in_turn(&self, question: Question, work: &Work<'_>) -> Result<(), SessionError> {
        while let Some(unfinished) = self.slot.unfinished() {
            self.finish_left(unfinished, work).await?;
        }
        let live = {
            let state = self.slot.read();
            if let Some(outage) = state.outage() {
                return Err(outage.clone());
            }
            if state.is_over() {
                return Err(SessionError::Gone);
            }
            state.found.live().is_some()
        };
        let backend = &self.settings.backend;
        match question {
            // Nothing is stored yet.
            _ if !live => Ok(()),
            Question::Look => backend.look(work).await,
            Question::Touch => backend.touch(work).await,
        }
    }

    /// Stores the changes made so far, unless the handler `failed`, and closes the response's head.
    pub(super) async fn finish(&self, failed: bool) -> Result<(), SessionError> {
        // A clone may hold its turn beyond all deadlines, and a closure of the app may panic; what is
        // stored after that is too late.
        let _closes = CloseHead(&self.slot);
        self.commit(!failed, true).await
    }

    /// The head is closed within the same turn, so that no clone can issue a ticket that would miss
    /// it.
    async fn commit(&self, store: bool, close_head: bool) -> Result<(), SessionError> {
        let work = self.begin_work();
        let turn = match self.turn.try_lock() {
            Ok(turn) => Ok(turn),
            Err(_) => timeout_at(work.deadline, self.turn.lock()).await,
        };
        let Ok(_turn) = turn else { return Err(SessionError::Contended) };
        let result = match store {
            true => self.commit_in_turn(&work, !close_head).await,
            false => Ok(()),
        };
        if let Err(error) = &result {
            self.note_failure(error, "session not stored");
        } else if close_head && store && self.slot.is_turn_due() {
            // Boxed, because few requests bring a ticket whose turn is over.
            Box::pin(self.settings.backend.turn(&work)).await;
        }
        if close_head {
            self.slot.close_head_after_commit(store && result.is_ok());
        }
        result
    }

    /// Reports the error, and empties the handle if its session is over.
    fn note_failure(&self, error: &SessionError, what: &str) {
        report(error, what);
        if matches!(error, SessionError::Conflict { .. }) {
            let named = self.slot.read().found.live().map_or(Named::UNKNOWN, Named::from);
            self.settings.terms.report.conflict(named, ConflictOutcome::Refused);
        }
        let now = self.settings.terms.now();
        if matches!(error, SessionError::Gone) && !self.slot.only_login_refused(now) {
            let mut state = self.slot.state();
            state.lose(Found::Nothing);
            state.empty(error);
        }
    }

    /// The skeleton of every commit: first finish what a dropped future has left, then decide what
    /// is to be written and write it. A login whose session is over does that once more; one that is refused
    /// itself does not, because its session lives on, and nobody would mark the old id.
    async fn commit_in_turn(&self, work: &Work<'_>, saving: bool) -> Result<(), SessionError> {
        let Self { slot, settings, .. } = self;
        if settings.terms.revocations.is_some() && slot.is_stale() {
            // The load of an open handle may be hours ago.
            Box::pin(settings.terms.learn_revocations(work.limit())).await?;
        }
        let mut begins_anew = false;
        loop {
            let done = match slot.begin_commit() {
                Err(error) => Err(error),
                // Boxed, as other work that hardly any commit has. A logout that is refused stays so: no login
                // makes up for it.
                Ok(Some(Unfinished::Logout)) => {
                    Box::pin(self.end_in_turn(work)).await?;
                    Ok(false)
                }
                Ok(Some(Unfinished::Write)) => {
                    Box::pin(self.finish_left(Unfinished::Write, work)).await.map(|()| false)
                }
                Ok(None) => {
                    let now = settings.terms.now();
                    let is_overdue = slot.read().writes_overdue(now);
                    let looked = match is_overdue {
                        true => Box::pin(settings.backend.look(work)).await,
                        false => Ok(()),
                    };
                    // Matched in its place: a draft that is moved would be stored in the future twice.
                    let carried_out =
                        match &mut looked.and_then(|()| slot.draft(&settings.terms, now, saving)) {
                            Ok(draft) => {
                                let decision = decide(draft.facts);
                                settings.backend.carry_out(decision, draft, now, work).await
                            }
                            Err(error) => Err(error.clone()),
                        };
                    carried_out.map(|()| true).map_err(|error| slot.fail(error))
                }
            };
            match done {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(SessionError::Gone)
                    if !begins_anew && slot.may_begin_anew(settings.terms.now()) =>
                {
                    slot.state().lose(Found::Nothing);
                    begins_anew = true;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Finishes what a dropped future has left.
    async fn finish_left(
        &self,
        unfinished: Unfinished,
        work: &Work<'_>,
    ) -> Result<(), SessionError> {
        match unfinished {
            Unfinished::Logout => self.end_in_turn(work).await,
            Unfinished::Write => {
                let settled = self.settings.backend.settle(work).await;
                settled.map_err(|error| self.slot.fail(error))
            }
        }
    }

    /// Begins one commit, logout or question, whose time runs from now.
    fn begin_work(&self) -> Work<'_> {
        let Self { presented, slot, settings, .. } = self;
        let deadline = Instant::now() + settings.terms.commit_timeout;
        Work { presented, slot, terms: &settings.terms, deadline }
    }

    /// Ends the session: logout.
    pub(super) async fn destroy(self: Arc<Self>) -> Result<(), SessionError> {
        in_own_task(async move { self.end().await }).await
    }

    async fn end(&self) -> Result<(), SessionError> {
        let work = self.begin_work();
        self.slot.mark_used();
        {
            let mut state = self.slot.state();
            // From here on it is being ended, even if this future is dropped.
            state.ending = true;
            state.logout_refused = None;
            state.forget_changes();
        }
        let Ok(_turn) = timeout_at(work.deadline, self.turn.lock()).await else {
            return Err(SessionError::Unconfirmed(None));
        };
        // While this waited, a clone may have ended the session, begun the one after, or been refused.
        let others = {
            let state = self.slot.read();
            (!state.ending).then(|| state.logout_refused.clone())
        };
        if let Some(refused) = others {
            return refused.map_or(Ok(()), |error| Err(*error));
        }
        self.end_in_turn(&work).await
    }

    /// Ends the session where it is kept and then in this handle. The caller holds the turn.
    async fn end_in_turn(&self, work: &Work<'_>) -> Result<(), SessionError> {
        let ended = self.settings.backend.end(work).await;
        let mut state = self.slot.state();
        match ended {
            Ok(cookies) => state.ended(cookies),
            Err(error) => {
                // Trying again would not change these answers, and a login may come after them.
                if matches!(error, SessionError::Gone | SessionError::TooLate) {
                    state.ending = false;
                    state.logout_refused = Some(error.clone().into());
                }
                if matches!(error, SessionError::Gone) {
                    // The session goes on under an id that this handle does not know, as after any other
                    // `Gone`. The end of the request must not answer as if the visitor were logged out.
                    state.lose(Found::Nothing);
                    state.empty(&error);
                    state.unsaved = Some(error.clone().into());
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Returns the visit to the layer whose carrier this is, among this layer and those around it.
    pub(super) fn carried_by(
        self: &Arc<Self>,
        is_meant: impl Fn(&Carrier) -> bool,
    ) -> Option<&Arc<Self>> {
        self.with_outer().find(|visit| is_meant(&visit.settings.carrier))
    }

    /// Returns the visits to this layer and to those around it.
    pub(super) fn with_outer(self: &Arc<Self>) -> impl Iterator<Item = &Arc<Self>> {
        std::iter::successors(Some(self), |visit| visit.outer.as_ref())
    }

    pub(super) fn fmt_as(&self, name: &str, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (stage, fingerprint) = {
            let state = self.slot.read();
            (state.stage.name(), state.found.live().map(|live| live.key.to_string()))
        };
        f.debug_struct(name)
            .field("cookie", &self.settings.carrier.name())
            .field("stage", &stage)
            .field("session", &fingerprint)
            .finish_non_exhaustive()
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if self.slot.has_unsaved_late_changes() {
            tracing::warn!("session changed after the response's head, and never saved");
        }
    }
}
