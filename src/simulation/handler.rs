//! A handler that does the steps of a plan, and tells the ledger.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::changes::{look, make};
use super::ledger::Said;
use super::plan::{Asked, Ending, Step, VisitPlan};
use super::world::World;
use crate::{LazySession, Session, SessionError};

/// Longer than a load, and longer than a commit, by the slack that is promised.
const LOAD: Duration = Duration::from_millis(2_100);
const COMMIT: Duration = Duration::from_millis(5_100);
const IN_TIME: &str = "P8 no answer waits longer than its deadlines";

/// On answers of the handler's own; the layer's have it not.
pub(super) const HANDLED: &str = "x-handled";

/// The handler's own failure.
#[derive(Debug)]
pub(super) struct Broken;

#[derive(Clone)]
pub(super) struct Handler {
    world: Arc<World>,
    visit: usize,
    lazy: LazySession,
    session: Option<Session>,
    /// A clone may still be busy when the handler is done.
    left_behind: bool,
}

impl Handler {
    pub(super) async fn serve(
        world: Arc<World>,
        visit: usize,
        plan: VisitPlan,
        request: Request<()>,
    ) -> Result<Response<()>, Broken> {
        let lazy = request.extensions().get::<LazySession>().cloned().ok_or(Broken)?;
        let mut handler = Self { world, visit, lazy, session: None, left_behind: false };
        let done = handler.follow(&plan.steps).await;
        let mut response = Response::new(());
        response.headers_mut().insert(HANDLED, http::HeaderValue::from_static("1"));
        *response.status_mut() = match (done, plan.ending) {
            (Err(error), _) => error.status(),
            (Ok(()), Ending::Ok) => StatusCode::OK,
            (Ok(()), Ending::Fails) => StatusCode::INTERNAL_SERVER_ERROR,
            (Ok(()), Ending::Breaks) => return Err(Broken),
        };
        handler.world.note(visit, format!("is handled with {}", response.status()));
        if !response.status().is_server_error() {
            let now = handler.world.now();
            handler.world.state().ledger.handled(visit, now);
        }
        Ok(response)
    }

    async fn follow(&mut self, steps: &[Step]) -> Result<(), SessionError> {
        let mut clones = Vec::new();
        for step in steps {
            if let Step::Share { after, joined } = *step {
                let clone = self.share(after).await?;
                self.left_behind |= !joined;
                clones.extend(joined.then_some(clone));
            } else {
                self.take(*step).await?;
            }
        }
        for clone in clones {
            clone.await.expect("a clone does not panic");
        }
        if !self.left_behind {
            self.world.state().ledger.shares(self.visit, false);
        }
        Ok(())
    }

    async fn take(&mut self, step: Step) -> Result<(), SessionError> {
        match step {
            Step::Wait(millis) => {
                sleep(Duration::from_millis(millis)).await;
                Ok(())
            }
            Step::Look => self.session().await.map(|_| ()),
            Step::Destroy { goes_on, amid_save } => {
                let session = self.session().await?;
                if amid_save {
                    self.left_behind = true;
                    self.share(0).await?;
                    sleep(Duration::from_millis(1)).await;
                }
                let ended = self.destroy(async { session.destroy().await }).await;
                if goes_on { Ok(()) } else { ended }
            }
            Step::DestroyLazily { goes_on } => {
                let lazy = self.lazy.clone();
                let ended = self.destroy(async { lazy.destroy().await }).await;
                if goes_on { Ok(()) } else { ended }
            }
            Step::Save { goes_on } => {
                let session = self.session().await?;
                let saved = save(&self.world, self.visit, &session).await;
                if goes_on { Ok(()) } else { saved }
            }
            Step::DropSave(after) => self.drop_save(after).await,
            Step::Share { after, .. } => self.share(after).await.map(|_| ()),
            Step::Change(asked) => {
                let session = self.session().await?;
                make(&self.world, self.visit, &session, asked)
            }
        }
    }

    async fn session(&mut self) -> Result<Session, SessionError> {
        if let Some(session) = &self.session {
            return Ok(session.clone());
        }
        let start = Instant::now();
        let loaded = self.lazy.load().await;
        self.in_time(start, LOAD);
        let session = loaded?;
        let found = match session.is_new() {
            true => None,
            false => Some(look(&session)?),
        };
        self.world.note(self.visit, format!("loads {found:?}"));
        let now = self.world.now();
        self.world.state().ledger.loaded(self.visit, found.as_ref(), now);
        self.session = Some(session.clone());
        Ok(session)
    }

    async fn destroy(
        &self,
        destroy: impl Future<Output = Result<(), SessionError>>,
    ) -> Result<(), SessionError> {
        self.world.state().ledger.destroy_begins(self.visit);
        self.world.note(self.visit, "destroys");
        let start = Instant::now();
        let ended = destroy.await;
        self.in_time(start, COMMIT);
        self.world.note(self.visit, format!("destroyed: {ended:?}"));
        let now = self.world.now();
        let mut state = self.world.state();
        state.ledger.destroy_ends(self.visit, ended.is_ok(), now);
        state.tally.logouts += u64::from(ended.is_ok());
        ended
    }

    async fn drop_save(&mut self, after: u64) -> Result<(), SessionError> {
        let session = self.session().await?;
        let save = save(&self.world, self.visit, &session);
        if timeout(Duration::from_millis(after), save).await.is_err() {
            self.world.note(self.visit, "drops its save");
            let mut state = self.world.state();
            state.ledger.save_dropped(self.visit);
            state.tally.dropped_saves += 1;
        }
        Ok(())
    }

    async fn share(&mut self, after: u64) -> Result<JoinHandle<()>, SessionError> {
        let session = self.session().await?;
        let (world, visit) = (Arc::clone(&self.world), self.visit);
        world.state().ledger.shares(visit, true);
        Ok(tokio::spawn(async move {
            sleep(Duration::from_millis(after)).await;
            if make(&world, visit, &session, Asked::Count).is_ok() {
                // What it answers is in the ledger.
                let _ = save(&world, visit, &session).await;
            }
        }))
    }

    fn in_time(&self, start: Instant, most: Duration) {
        in_time(&self.world, start, most);
    }
}

async fn save(world: &Arc<World>, visit: usize, session: &Session) -> Result<(), SessionError> {
    let start = Instant::now();
    world.note(visit, "saves");
    let pending = world.state().ledger.save_begins(visit, world.now());
    let saved = session.save().await;
    in_time(world, start, COMMIT);
    world.note(visit, format!("saved: {saved:?}"));
    let said = saved.as_ref().map_or_else(Said::of, |()| Said::Stored);
    let now = world.now();
    let mut state = world.state();
    let acknowledged = state.ledger.save_ends(&pending, said, now);
    state.tally.acknowledged += acknowledged;
    saved
}

/// Nobody waits for longer than that.
pub(super) fn in_time(world: &World, start: Instant, most: Duration) {
    let took = start.elapsed();
    world.state().ledger.demand(took <= most, IN_TIME, || format!("{took:?}"));
}

/// That the commit after a handler has taken too long.
pub(super) fn commit_in_time(world: &World, start: Instant) {
    in_time(world, start, COMMIT);
}
