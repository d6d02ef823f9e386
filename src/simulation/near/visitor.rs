//! A visitor with several tabs: one cookie jar, and requests that overlap.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tower::{Layer, ServiceExt, service_fn};

use super::fleet::{Fleet, Server};
use super::handler::{Handled, Handler, ServiceFailed};
use super::plan::VisitPlan;
use super::world::World;
use crate::SessionError;
use crate::cookie::TicketMint;
use crate::id::StoreKey;
use crate::poison::IgnorePoison;
use crate::simulation::setup::{COOKIE_NAME, START, key_ring};

#[derive(Clone)]
pub(super) struct Visitor {
    pub(super) world: Arc<World>,
    pub(super) fleet: Arc<Fleet>,
    mint: Arc<TicketMint>,
    /// All tickets that ever reached the browser. The last one is in its cookie jar.
    tickets: Arc<Mutex<Vec<String>>>,
}

impl Visitor {
    pub(super) fn new(world: Arc<World>, fleet: Arc<Fleet>) -> Self {
        let mint = Arc::new(TicketMint::new(&key_ring(), COOKIE_NAME));
        Self { world, fleet, mint, tickets: Arc::default() }
    }

    /// Visits at the planned time, counted from `epoch`.
    pub(super) async fn visit(&self, plan: VisitPlan, epoch: Instant) {
        sleep_until(epoch + Duration::from_millis(plan.at)).await;
        let tickets = self.tickets();
        let old = plan.old_ticket.and_then(|any| any.checked_rem(tickets.len() as u64));
        let ticket = match old {
            Some(old) => tickets.get(old as usize),
            None => tickets.last(),
        };
        self.present(ticket.cloned(), plan).await;
    }

    /// Returns all tickets that ever reached the browser.
    pub(super) fn tickets(&self) -> Vec<String> {
        self.tickets.lock().ignore_poison().clone()
    }

    /// Presents a ticket, and keeps the one of the answer.
    pub(super) async fn present(&self, ticket: Option<String>, plan: VisitPlan) {
        let (world, server) = (&self.world, self.fleet.server(plan.server));
        let key = ticket.as_ref().and_then(|ticket| self.key_of(ticket));
        let process = server.process.id;
        let visit = world.enter(|ledger, _| ledger.visit_begins(process, key));
        world.note(visit, format!("presents {key:?} to process {process}"));
        world.state().ledger.coverage.requests += 1;
        let travel_time = Duration::from_millis(plan.answer_travels);
        let Some(response) = self.call(visit, ticket, plan, server).await else {
            world.note(visit, "gets no answer");
            return;
        };
        let is_handled = response.extensions().get::<Handled>().is_some();
        let refused = response.extensions().get::<SessionError>().filter(|_| !is_handled);
        let cookie = response.headers().get(SET_COOKIE);
        let cookie = cookie.and_then(|cookie| cookie_value(cookie.to_str().ok()?));
        world.note(visit, format!("is answered {}, {refused:?}", response.status()));
        let result = refused.map_or(Ok(&()), Err);
        world.enter(|ledger, now| ledger.commit_ends(visit, result, now));
        sleep(travel_time).await;
        // A logout empties the jar. The visitor goes on with an old tab.
        if let Some(cookie) = cookie.filter(|cookie| !cookie.is_empty()) {
            self.tickets.lock().ignore_poison().push(cookie);
        }
    }

    async fn call(
        &self,
        visit: usize,
        ticket: Option<String>,
        plan: VisitPlan,
        server: Server,
    ) -> Option<Response<()>> {
        let Server { process, layer } = server;
        if process.is_dead() {
            return None;
        }
        let hangs_up_after = plan.hangs_up_after;
        let handled = (Arc::clone(&process), plan);
        let service = layer.layer(service_fn(move |request| {
            let (process, plan) = handled.clone();
            Handler::serve(process, visit, plan, request)
        }));
        let request = Request::builder();
        let request = match ticket {
            None => request,
            Some(ticket) => request.header(COOKIE, format!("{COOKIE_NAME}={ticket}")),
        };
        let call = service.oneshot(request.body(()).expect("a valid request"));
        let response = match hangs_up_after {
            None => call.await,
            Some(after) => match timeout(Duration::from_millis(after), call).await {
                Ok(response) => response,
                Err(_) => {
                    self.world.state().ledger.coverage.hang_ups += 1;
                    return None;
                }
            },
        };
        if process.is_dead() {
            return None;
        }
        response.map_err(|ServiceFailed| ()).ok()
    }

    fn key_of(&self, ticket: &str) -> Option<StoreKey> {
        let text = ticket.as_bytes().try_into().ok()?;
        Some(self.mint.prove(text, START).ok()?.id.store_key())
    }
}

fn cookie_value(set_cookie: &str) -> Option<String> {
    let pair = set_cookie.split(';').next()?;
    pair.strip_prefix(COOKIE_NAME)?.strip_prefix('=').map(str::to_owned)
}
