//! A handler that performs the steps of a plan and reports them to the ledger.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::ledger::CommitResult;
use super::operations::{perform, read};
use super::plan::{Ending, Operation, Step, VisitPlan};
use super::setup::{ANONYMOUS_SERVER, LONGEST_COMMIT, LONGEST_LOAD};
use super::world::World;
use crate::poison::IgnorePoison;
use crate::{LazySession, Session, SessionError};

/// Marks responses made by the handler. The layer's error responses lack it: they keep headers of the
/// response whose place they take, but none of its extensions.
#[derive(Clone)]
pub(super) struct Handled;

/// The session of a layer around the one that is next to the handler.
#[derive(Clone)]
pub(super) struct Outer(pub(super) Option<LazySession>);

/// The error of a service that fails without a response.
#[derive(Debug)]
pub(super) struct ServiceFailed;

/// The session of a handler that is done, for a task that keeps it open.
pub(super) type Kept = Arc<Mutex<Option<Session>>>;

pub(super) struct Handler {
    world: Arc<World>,
    visit: usize,
    lazy: LazySession,
    session: Option<Session>,
    /// The same session, if the layer is applied twice.
    outer: Option<LazySession>,
    uses_outer: bool,
    /// Whether a clone may still be in use when the handler is done.
    leaves_clone: bool,
    goes_on_anonymously: bool,
}

impl Handler {
    /// Handles a request as the plan says.
    pub(super) async fn serve(
        world: Arc<World>,
        visit: usize,
        plan: VisitPlan,
        request: Request<()>,
        kept: Kept,
    ) -> Result<Response<()>, ServiceFailed> {
        let lazy = request.extensions().get::<LazySession>().cloned().ok_or(ServiceFailed)?;
        let goes_on_anonymously = plan.server == ANONYMOUS_SERVER;
        let outer = request.extensions().get().and_then(|Outer(outer)| outer.clone());
        let mut handler = Self {
            world,
            visit,
            lazy,
            session: None,
            outer,
            uses_outer: false,
            leaves_clone: false,
            goes_on_anonymously,
        };
        let performing = handler.perform_all(&plan.steps);
        let done = match plan.ending {
            Ending::TimesOut(after) => timeout(Duration::from_millis(after), performing).await.ok(),
            _ => Some(performing.await),
        };
        if done.is_none() {
            let mut state = handler.world.state();
            state.ledger.handler_dropped(visit);
            state.coverage.dropped_saves += 1;
            state.coverage.dropped_handlers += 1;
        }
        *kept.lock().ignore_poison() = handler.session.clone();
        let mut response = Response::new(());
        response.extensions_mut().insert(Handled);
        *response.status_mut() = match (done, plan.ending) {
            (None, _) => StatusCode::REQUEST_TIMEOUT,
            (Some(Err(error)), _) => error.status(),
            (Some(Ok(())), Ending::Answers200 | Ending::TimesOut(_)) => StatusCode::OK,
            (Some(Ok(())), Ending::Answers404) => StatusCode::NOT_FOUND,
            (Some(Ok(())), Ending::Answers500) => StatusCode::INTERNAL_SERVER_ERROR,
            (Some(Ok(())), Ending::Fails) => return Err(ServiceFailed),
        };
        handler.world.note(visit, format!("is handled with {}", response.status()));
        let status = response.status();
        if !status.is_server_error() && status != StatusCode::REQUEST_TIMEOUT {
            let now = handler.world.now();
            handler.world.state().ledger.handler_done(visit, now);
        }
        Ok(response)
    }

    async fn perform_all(&mut self, steps: &[Step]) -> Result<(), SessionError> {
        let mut clones = Vec::new();
        for step in steps {
            if let Step::Clone { after, joined } = *step {
                let clone = self.spawn_clone(after).await?;
                self.leaves_clone |= !joined;
                clones.extend(joined.then_some(clone));
            } else {
                self.perform(*step).await?;
            }
        }
        for clone in clones {
            clone.await.expect("a clone does not panic");
        }
        if !self.leaves_clone {
            self.world.state().ledger.set_has_clones(self.visit, false);
        }
        Ok(())
    }

    async fn perform(&mut self, step: Step) -> Result<(), SessionError> {
        match step {
            Step::Wait(millis) => {
                sleep(Duration::from_millis(millis)).await;
                Ok(())
            }
            Step::Load => self.session().await.map(|_| ()),
            Step::Destroy { ignores_failure, during_save } => {
                let session = self.session().await?;
                if during_save {
                    self.leaves_clone = true;
                    self.spawn_clone(0).await?;
                    sleep(Duration::from_millis(1)).await;
                }
                let ended =
                    destroy(&self.world, self.visit, async { session.destroy().await }).await;
                if ignores_failure { Ok(()) } else { ended }
            }
            Step::DestroyLazily { ignores_failure } => {
                let lazy = self.lazy.clone();
                let ended = destroy(&self.world, self.visit, async { lazy.destroy().await }).await;
                if ignores_failure { Ok(()) } else { ended }
            }
            Step::Save { ignores_failure } => {
                let session = self.session().await?;
                let saved = save(&self.world, self.visit, &session).await;
                if ignores_failure { Ok(()) } else { saved }
            }
            Step::DropSave(after) => self.drop_save(after).await,
            Step::Clone { after, .. } => self.spawn_clone(after).await.map(|_| ()),
            Step::Change(operation) => {
                let session = self.session().await?;
                perform(&self.world, self.visit, &session, operation).await
            }
        }
    }

    /// Returns the session, which the first call loads.
    async fn session(&mut self) -> Result<Session, SessionError> {
        if let Some(session) = &self.session {
            self.uses_outer = !self.uses_outer;
            return match self.outer.as_ref().filter(|_| self.uses_outer) {
                Some(outer) => outer.load().await,
                None => Ok(session.clone()),
            };
        }
        let start = Instant::now();
        let loaded = self.lazy.load().await;
        check_duration(&self.world, start, LONGEST_LOAD);
        let session = loaded?;
        let found = match session.is_new() {
            true => None,
            false => Some(read(&session)?),
        };
        self.world.note(self.visit, format!("loads {found:?}"));
        let now = self.world.now();
        {
            let mut state = self.world.state();
            let at = state.ledger.key_shown_by(&session);
            match at.zip(found.as_ref()) {
                // One server goes on anonymously where the store does not answer.
                None if self.goes_on_anonymously => {
                    state.ledger.session_loaded(self.visit, None, now);
                }
                None => state.ledger.nothing_loaded(self.visit, now),
                found => state.ledger.session_loaded(self.visit, found, now),
            }
        }
        self.session = Some(session.clone());
        Ok(session)
    }

    async fn drop_save(&mut self, after: u64) -> Result<(), SessionError> {
        let session = self.session().await?;
        drop_save(&self.world, self.visit, &session, after).await;
        Ok(())
    }

    /// Spawns a task that counts and saves through a clone of the session.
    async fn spawn_clone(&mut self, after: u64) -> Result<JoinHandle<()>, SessionError> {
        let session = self.session().await?;
        let (world, visit) = (Arc::clone(&self.world), self.visit);
        world.state().ledger.set_has_clones(visit, true);
        Ok(tokio::spawn(async move {
            let _noticed = NoticesPanic(Arc::clone(&world));
            sleep(Duration::from_millis(after)).await;
            if perform(&world, visit, &session, Operation::Count).await.is_ok() {
                // The ledger has recorded the result.
                let _ = save(&world, visit, &session).await;
            }
        }))
    }
}

/// Nobody may be waiting for a clone any more, and a panic of its task would be lost.
struct NoticesPanic(Arc<World>);

impl Drop for NoticesPanic {
    fn drop(&mut self) {
        let panics = std::thread::panicking();
        self.0.state().ledger.demand(!panics, "P12 no panic", || "in a clone's task".into());
    }
}

/// Saves, and drops the save after so long.
pub(super) async fn drop_save(world: &Arc<World>, visit: usize, session: &Session, after: u64) {
    let save = save(world, visit, session);
    if timeout(Duration::from_millis(after), save).await.is_err() {
        world.note(visit, "drops its save");
        world.state().coverage.dropped_saves += 1;
    }
}

/// Logs out.
pub(super) async fn destroy(
    world: &Arc<World>,
    visit: usize,
    destroy: impl Future<Output = Result<(), SessionError>>,
) -> Result<(), SessionError> {
    world.state().ledger.logout_begins(visit, world.now());
    world.note(visit, "destroys");
    let start = Instant::now();
    let ended = destroy.await;
    check_duration(world, start, LONGEST_COMMIT);
    world.note(visit, format!("destroyed: {ended:?}"));
    let now = world.now();
    let mut state = world.state();
    let result = ended.as_ref().map_or_else(CommitResult::from_error, |()| CommitResult::Stored);
    state.ledger.logout_ends(visit, result, now);
    state.coverage.logouts += u64::from(ended.is_ok());
    ended
}

/// A save that is dropped when this is. A hang-up or a timeout drops the handler's own saves, and not those
/// of its clones.
struct UnderWay<'a> {
    world: &'a World,
    visit: usize,
    has_ended: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.world.state().ledger.save_dropped(self.visit);
        }
    }
}

pub(super) async fn save(
    world: &Arc<World>,
    visit: usize,
    session: &Session,
) -> Result<(), SessionError> {
    let start = Instant::now();
    world.note(visit, "saves");
    let commit = world.state().ledger.save_begins(visit, world.now());
    let mut under_way = UnderWay { world, visit, has_ended: false };
    let saved = session.save().await;
    under_way.has_ended = true;
    check_duration(world, start, LONGEST_COMMIT);
    world.note(visit, format!("saved: {saved:?}"));
    let result = saved.as_ref().map_or_else(CommitResult::from_error, |()| CommitResult::Stored);
    let now = world.now();
    let mut state = world.state();
    let at = state.ledger.key_shown_by(session);
    let acknowledged = state.ledger.save_ends(&commit, result, at, now);
    state.coverage.acknowledged += acknowledged;
    saved
}

/// Checks that nothing since `start` has taken longer than `longest`.
pub(super) fn check_duration(world: &World, start: Instant, longest: Duration) {
    let took = start.elapsed();
    let promise = "P8 no answer waits longer than its deadlines";
    world.state().ledger.demand(took <= longest, promise, || format!("{took:?}"));
}
