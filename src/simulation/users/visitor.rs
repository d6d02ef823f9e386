//! Those who send requests: browsers with a cookie jar each, admins and jobs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tower::{Layer, ServiceExt, service_fn};

use super::fleet::Fleet;
use super::handler::{Handled, Handler, ServiceFailed};
use super::ledger::Answer;
use super::plan::VisitPlan;
use super::world::World;
use crate::SessionError;
use crate::cookie::TicketMint;
use crate::id::StoreKey;
use crate::poison::IgnorePoison;
use crate::simulation::setup::{COOKIE_NAME, START, key_ring};

/// All of them.
#[derive(Clone)]
pub(super) struct Visitors {
    pub(super) world: Arc<World>,
    pub(super) fleet: Arc<Fleet>,
    mint: Arc<TicketMint>,
    jars: Arc<Mutex<Jars>>,
}

#[derive(Default)]
struct Jars {
    /// The ticket that each device has now.
    current: BTreeMap<usize, String>,
    /// All tickets that ever went out.
    issued: BTreeMap<StoreKey, String>,
}

impl Visitors {
    pub(super) fn new(world: Arc<World>, fleet: Arc<Fleet>) -> Self {
        let mint = Arc::new(TicketMint::new(&key_ring(), COOKIE_NAME));
        Self { world, fleet, mint, jars: Arc::default() }
    }

    /// Visits at the planned time, counted from `epoch`.
    pub(super) async fn visit(self, plan: VisitPlan, epoch: Instant) {
        sleep_until(epoch + Duration::from_millis(plan.at)).await;
        let ticket = plan
            .device
            .and_then(|device| self.jars.lock().ignore_poison().current.get(&device).cloned());
        self.present(ticket, &plan).await;
    }

    /// Presents a ticket, and keeps the one of the answer.
    pub(super) async fn present(&self, ticket: Option<String>, plan: &VisitPlan) {
        let key = ticket.as_ref().and_then(|ticket| self.key_of(ticket));
        let visit = {
            let mut state = self.world.state();
            state.ledger.coverage.requests += 1;
            state.ledger.visit_begins(key, self.world.now())
        };
        let VisitPlan { device, server, .. } = plan;
        self.world.note(visit, format!("of {device:?} presents {key:?} to server {server}"));
        let Some(response) = self.call(visit, ticket, plan).await else {
            self.world.note(visit, "gets no answer");
            self.world.state().ledger.unanswered(visit);
            return;
        };
        let cookie = response.headers().get(SET_COOKIE);
        let cookie = cookie.and_then(|cookie| cookie_value(cookie.to_str().ok()?));
        self.record(visit, &response, cookie.as_deref());
        sleep(Duration::from_millis(plan.answer_travels)).await;
        if let (Some(device), Some(cookie)) = (plan.device, cookie) {
            let current = &mut self.jars.lock().ignore_poison().current;
            match cookie.is_empty() {
                true => current.remove(&device),
                false => current.insert(device, cookie),
            };
        }
    }

    async fn call(
        &self,
        visit: usize,
        ticket: Option<String>,
        plan: &VisitPlan,
    ) -> Option<Response<()>> {
        let server = self.fleet.server(plan.server);
        let process = Arc::clone(&server.process);
        if process.is_dead() {
            return None;
        }
        let handled = (server.clone(), plan.clone());
        let service = server.layer.layer(service_fn(move |request| {
            let (server, plan) = handled.clone();
            Handler::serve(server, visit, plan, request)
        }));
        let request = Request::builder();
        let request = match ticket {
            None => request,
            Some(ticket) => request.header(COOKIE, format!("{COOKIE_NAME}={ticket}")),
        };
        let call = service.oneshot(request.body(()).expect("a valid request"));
        let response = match plan.hangs_up_after {
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
            self.world.state().ledger.coverage.died_with_answer += 1;
            return None;
        }
        response.map_err(|ServiceFailed| ()).ok()
    }

    fn record(&self, visit: usize, response: &Response<()>, cookie: Option<&str>) {
        let ticket = cookie.and_then(|cookie| self.key_of(cookie));
        if let (Some(key), Some(cookie)) = (ticket, cookie) {
            self.jars.lock().ignore_poison().issued.insert(key, cookie.to_owned());
        }
        let is_handled = response.extensions().get::<Handled>().is_some();
        let refused = response.extensions().get::<SessionError>().filter(|_| !is_handled);
        let answer =
            Answer { status: response.status().as_u16(), refused: refused.cloned(), ticket };
        self.world.note(visit, format!("is answered {answer:?}"));
        let now = self.world.now();
        self.world.state().ledger.answered(visit, &answer, now);
    }

    fn key_of(&self, ticket: &str) -> Option<StoreKey> {
        let text = ticket.as_bytes().try_into().ok()?;
        Some(self.mint.prove(text, START).ok()?.id.store_key())
    }

    /// Returns all tickets that ever went out.
    pub(super) fn issued(&self) -> BTreeMap<StoreKey, String> {
        self.jars.lock().ignore_poison().issued.clone()
    }
}

fn cookie_value(set_cookie: &str) -> Option<String> {
    let pair = set_cookie.split(';').next()?;
    pair.strip_prefix(COOKIE_NAME)?.strip_prefix('=').map(str::to_owned)
}
