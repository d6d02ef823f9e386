//! A handler that performs the steps of a plan and reports them to the ledger.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use tokio::time::sleep;

use super::actions::{Caller, principal_of};
use super::fleet::Server;
use super::ledger::Loaded;
use super::plan::{Action, Step, VisitPlan};
use super::setup::{Principal, name_of};
use super::stored::{TAG, tag_in};
use super::world::World;
use crate::{LazySession, Session, SessionError};

/// Marks responses made by the handler. The layer's error responses lack it.
#[derive(Clone)]
pub(super) struct Handled;

/// The error of a service that fails without a response.
#[derive(Debug)]
pub(super) struct ServiceFailed;

pub(super) struct Handler {
    caller: Caller,
    lazy: LazySession,
    session: Option<Session>,
}

impl Handler {
    /// Handles a request as the plan says.
    pub(super) async fn serve(
        server: Server,
        visit: usize,
        plan: VisitPlan,
        request: Request<()>,
    ) -> Result<Response<()>, ServiceFailed> {
        let lazy = request.extensions().get::<LazySession>().cloned().ok_or(ServiceFailed)?;
        let mut handler = Self { caller: Caller { server, visit }, lazy, session: None };
        let performed = handler.perform_all(&plan.steps).await;
        let mut response = Response::new(());
        response.extensions_mut().insert(Handled);
        *response.status_mut() = match performed {
            Err(error) => error.status(),
            Ok(()) if plan.fails => StatusCode::INTERNAL_SERVER_ERROR,
            Ok(()) => StatusCode::OK,
        };
        handler.world().note(visit, format!("is handled with {}", response.status()));
        Ok(response)
    }

    fn world(&self) -> &Arc<World> {
        self.caller.world()
    }

    async fn perform_all(&mut self, steps: &[Step]) -> Result<(), SessionError> {
        for step in steps {
            if self.caller.server.process.is_dead() {
                return Err(SessionError::TooLate);
            }
            self.perform(*step).await?;
        }
        Ok(())
    }

    async fn perform(&mut self, step: Step) -> Result<(), SessionError> {
        match step {
            Step::Wait(millis) => wait(millis).await,
            Step::Load => drop(self.session().await?),
            Step::Change => {
                let session = self.session().await?;
                let tag = self.world().state().ledger.change_made(self.caller.visit);
                self.world().note(self.caller.visit, format!("makes change {tag}"));
                session.insert(&format!("{TAG}{tag}"), &tag)?;
            }
            Step::Renew => self.session().await?.renew()?,
            Step::LogIn { principal, checks_for } => self.log_in(principal, checks_for).await?,
            Step::LogOutKeepingData => {
                let session = self.session().await?;
                self.world().note(self.caller.visit, "logs out and keeps the data");
                self.world().state().ledger.leaves(self.caller.visit, None);
                session.log_out_keeping_data()?;
            }
            Step::Destroy => {
                let session = self.session().await?;
                self.world().note(self.caller.visit, "logs out");
                self.world().state().ledger.logs_out(self.caller.visit);
                session.destroy().await?;
                self.world().state().ledger.coverage.logouts += 1;
            }
            Step::Save => self.save().await?,
            Step::Act(action) => self.act(action).await?,
        }
        Ok(())
    }

    /// Returns the session, which the first call loads.
    async fn session(&mut self) -> Result<Session, SessionError> {
        if let Some(session) = &self.session {
            return Ok(session.clone());
        }
        let session = self.lazy.load().await?;
        if session.is_new() {
            self.world().note(self.caller.visit, "finds no session");
        } else {
            let tags = session.keys().iter().filter_map(|key| tag_in(key)).collect();
            let loaded = Loaded { principal: principal_of(&session), tags };
            self.world()
                .note(self.caller.visit, format!("finds {:?} {loaded:?}", session.handle()));
            let now = self.world().now();
            self.world().state().ledger.loaded(self.caller.visit, &loaded, now);
        }
        self.session = Some(session.clone());
        Ok(session)
    }

    async fn log_in(&mut self, principal: Principal, checks_for: u64) -> Result<(), SessionError> {
        let session = self.session().await?;
        let world = Arc::clone(self.world());
        world.state().ledger.login_begins(self.caller.visit, principal, world.now());
        world.note(self.caller.visit, format!("begins a login of {principal}"));
        let login = session.begin_login(name_of(principal)).await?;
        world.state().ledger.login_has_begun(self.caller.visit);
        world.note(self.caller.visit, "has begun the login");
        wait(checks_for).await;
        login.finish()
    }

    async fn save(&mut self) -> Result<(), SessionError> {
        let session = self.session().await?;
        let world = Arc::clone(self.world());
        let saved = session.save().await;
        world.note(self.caller.visit, format!("saved: {saved:?}"));
        saved?;
        if !self.caller.server.process.is_dead() {
            world.state().ledger.saved(self.caller.visit, &format!("{session:?}"), world.now());
        }
        Ok(())
    }

    /// Calls `Users`. The handler goes on whatever the answer is; the ledger knows it.
    async fn act(&mut self, action: Action) -> Result<(), SessionError> {
        let caller = &self.caller;
        match action {
            Action::EndAll(principal) => caller.end_all(principal).await,
            Action::EndOthers => {
                let session = self.session().await?;
                self.caller.end_others(&session).await;
            }
            Action::End(principal, choice) => caller.end(principal, choice).await,
            Action::List(principal) => caller.list(principal).await,
            Action::Edit(principal) => caller.edit(principal).await,
        }
        Ok(())
    }
}

/// Waits for so many milliseconds. Sleeping for none would let other tasks run first.
async fn wait(millis: u64) {
    if millis > 0 {
        sleep(Duration::from_millis(millis)).await;
    }
}
