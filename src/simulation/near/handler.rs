//! A handler that performs the steps of a plan and enters them in the ledger.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use tokio::time::sleep;

use super::ledger::{ChangeKind, Read};
use super::plan::{Step, VisitPlan};
use super::world::{Process, World};
use crate::{Field, LazySession, Session, SessionError};

const ADDED: Field<Vec<u32>> = Field::new("added");
const INSERTED: Field<Vec<u32>> = Field::new("inserted");

/// Marks responses made by the handler. The layer's error responses lack it.
#[derive(Clone)]
pub(super) struct Handled;

/// The error of a service that fails without a response.
#[derive(Debug)]
pub(super) struct ServiceFailed;

pub(super) struct Handler {
    process: Arc<Process>,
    visit: usize,
    lazy: LazySession,
    session: Option<Session>,
    /// The read that has loaded it.
    loaded: Option<Read>,
}

/// Whether a handler has more to do.
#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    /// The session is over.
    Stop,
}

impl Handler {
    /// Handles a request as the plan says.
    pub(super) async fn serve(
        process: Arc<Process>,
        visit: usize,
        plan: VisitPlan,
        request: Request<()>,
    ) -> Result<Response<()>, ServiceFailed> {
        let lazy = request.extensions().get::<LazySession>().cloned().ok_or(ServiceFailed)?;
        let mut handler = Self { process, visit, lazy, session: None, loaded: None };
        let performed = handler.perform_all(&plan.steps).await;
        handler.world().note(visit, format!("is handled: {performed:?}"));
        let mut response = Response::new(());
        response.extensions_mut().insert(Handled);
        match performed {
            Ok(()) => handler.world().enter(|ledger, now| ledger.commit_begins(visit, now)),
            // The layer drops the changes of such a request.
            Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
        }
        Ok(response)
    }

    fn world(&self) -> &World {
        &self.process.world
    }

    async fn perform_all(&mut self, steps: &[Step]) -> Result<(), SessionError> {
        for step in steps {
            if self.process.is_dead() {
                return Err(SessionError::TooLate);
            }
            if self.perform(*step).await? == Next::Stop {
                break;
            }
        }
        Ok(())
    }

    async fn perform(&mut self, step: Step) -> Result<Next, SessionError> {
        if let Step::Wait(millis) = step {
            sleep(Duration::from_millis(millis)).await;
            return Ok(Next::GoOn);
        }
        if step == Step::ReadFresh {
            return self.read(true).await;
        }
        let Some(session) = self.session.clone() else {
            if self.read(false).await? == Next::Stop {
                return Ok(Next::Stop);
            }
            return Box::pin(self.perform(step)).await;
        };
        match step {
            Step::Add => self.add(&session)?,
            Step::GetAndInsert => self.get_and_insert(&session)?,
            Step::Reload => self.reload(&session).await?,
            Step::Save => self.save(&session).await?,
            Step::Renew => {
                session.renew()?;
                self.world().enter(|ledger, _| ledger.renewal_asked_for(self.visit));
            }
            Step::Destroy => {
                self.destroy(&session).await?;
                return Ok(Next::Stop);
            }
            Step::Wait(_) | Step::Read | Step::ReadFresh => {}
        }
        Ok(Next::GoOn)
    }

    /// Loads the session. The handler stops if there is none.
    async fn read(&mut self, is_fresh: bool) -> Result<Next, SessionError> {
        // A further read of one handler is judged by when the first began: it may show what was there then.
        let read = match self.loaded {
            Some(loaded) => loaded.again(is_fresh),
            None => self.begin_read(is_fresh),
        };
        let loaded = match is_fresh {
            true => self.lazy.load_fresh().await,
            false => self.lazy.load().await,
        };
        let session = self.told(loaded)?;
        if self.world().state().ledger.is_begun() {
            let found = (!session.is_new()).then(|| contents(&session)).transpose()?;
            self.end_read(read, found);
            if session.is_new() {
                return Ok(Next::Stop);
            }
        }
        (self.session, self.loaded) = (Some(session), Some(read));
        Ok(Next::GoOn)
    }

    fn begin_read(&self, is_fresh: bool) -> Read {
        self.world().enter(|ledger, now| ledger.read_begins(self.visit, is_fresh, now))
    }

    fn end_read(&self, read: Read, found: Option<Vec<u32>>) {
        self.world().note(self.visit, format!("finds {found:?}"));
        self.world().enter(|ledger, now| ledger.read_ends(read, found.as_deref(), now));
    }

    /// Enters the failure of a call that changes nothing.
    fn told<T>(&self, result: Result<T, SessionError>) -> Result<T, SessionError> {
        if let Err(error) = &result {
            self.world().note(self.visit, format!("is told: {error:?}"));
            self.world().enter(|ledger, now| ledger.refused(self.visit, error, now));
        }
        result
    }

    async fn reload(&self, session: &Session) -> Result<(), SessionError> {
        let read = self.begin_read(true);
        self.world().note(self.visit, "reloads");
        self.told(session.reload().await)?;
        self.end_read(read, Some(contents(session)?));
        Ok(())
    }

    fn add(&self, session: &Session) -> Result<(), SessionError> {
        let tag = self.make_change(ChangeKind::Add);
        session.update(ADDED, move |tags| tags.push(tag))
    }

    fn get_and_insert(&self, session: &Session) -> Result<(), SessionError> {
        let mut tags = session.get(INSERTED)?.unwrap_or_default();
        tags.push(self.make_change(ChangeKind::GetAndInsert));
        session.insert(INSERTED, &tags)
    }

    fn make_change(&self, kind: ChangeKind) -> u32 {
        let tag = self.world().enter(|ledger, _| ledger.change_made(self.visit, kind));
        self.world().note(self.visit, format!("makes change {tag}, {kind:?}"));
        tag
    }

    async fn save(&self, session: &Session) -> Result<(), SessionError> {
        self.world().enter(|ledger, now| ledger.commit_begins(self.visit, now));
        let saved = session.save().await;
        self.world().note(self.visit, format!("saved: {saved:?}"));
        self.world().enter(|ledger, now| ledger.commit_ends(self.visit, saved.as_ref(), now));
        saved
    }

    async fn destroy(&self, session: &Session) -> Result<(), SessionError> {
        self.world().note(self.visit, "destroys");
        let end = self.world().enter(|ledger, _| ledger.logout_begins());
        self.told(session.destroy().await)?;
        self.world().note(self.visit, "has destroyed");
        self.world().enter(|ledger, now| ledger.logout_acknowledged(self.visit, end, now));
        Ok(())
    }
}

/// Returns the tags of all changes that the session shows.
fn contents(session: &Session) -> Result<Vec<u32>, SessionError> {
    let mut tags = session.get(ADDED)?.unwrap_or_default();
    tags.extend(session.get(INSERTED)?.unwrap_or_default());
    Ok(tags)
}
