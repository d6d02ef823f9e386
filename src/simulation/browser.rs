//! A visitor with several tabs: one cookie jar, and requests that overlap.

use std::cmp::Reverse;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tower::{Layer, ServiceExt, service_fn};

use super::handler::{Handled, Handler, Kept, Outer, ServiceFailed, check_duration};
use super::ledger::Answer;
use super::open::keep_open;
use super::plan::{TicketChoice, VisitPlan};
use super::setup::{COOKIE_NAME, LONGEST_COMMIT, START, key_ring};
use super::world::World;
use crate::cookie::{Ticket, TicketMint};
use crate::poison::IgnorePoison;
use crate::{LazySession, SessionError, SessionLayer};

#[derive(Clone)]
pub(super) struct Browser {
    pub(super) world: Arc<World>,
    pub(super) servers: Arc<[SessionLayer]>,
    pub(super) mint: Arc<TicketMint>,
    jar: Arc<Mutex<Jar>>,
}

#[derive(Default)]
struct Jar {
    current: Option<String>,
    /// All tickets that were ever in the jar.
    all: Vec<String>,
}

impl Browser {
    pub(super) fn new(world: Arc<World>, servers: Arc<[SessionLayer]>) -> Self {
        let mint = Arc::new(TicketMint::new(&key_ring(), COOKIE_NAME));
        Self { world, servers, mint, jar: Arc::default() }
    }

    /// Visits at the planned time, counted from `epoch`, and returns the status of the answer.
    pub(super) async fn visit(self, plan: VisitPlan, epoch: Instant) -> Option<u16> {
        sleep_until(epoch + Duration::from_millis(plan.at)).await;
        let tickets = self.choose_tickets(&plan);
        let (kept, open) = (Kept::default(), plan.open.clone());
        let (visit, status) = self.present_and_keep(tickets, plan, &kept).await;
        let session = kept.lock().ignore_poison().take();
        if let (Some(session), Some(status), false) = (session, status, open.is_empty()) {
            keep_open(&self.world, visit, session, status, &open).await;
        }
        status
    }

    /// Presents `ticket` and returns the status of the answer.
    pub(super) async fn present(&self, ticket: Option<String>, plan: VisitPlan) -> Option<u16> {
        self.present_and_keep(ticket.into_iter().collect(), plan, &Kept::default()).await.1
    }

    async fn present_and_keep(
        &self,
        tickets: Vec<String>,
        plan: VisitPlan,
        kept: &Kept,
    ) -> (usize, Option<u16>) {
        let now = self.world.now();
        let mut proven: Vec<_> = tickets.iter().filter_map(|ticket| self.prove(ticket)).collect();
        proven.sort_by_key(|ticket| Reverse(ticket.expires));
        let mut keys: Vec<_> = Vec::new();
        for key in proven.iter().map(|ticket| ticket.id.store_key()) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let visit = {
            let mut state = self.world.state();
            let visit = state.ledger.visit_begins(&keys, now);
            let turns = proven.iter().map(|ticket| (ticket.id.store_key(), ticket.turn));
            state.ledger.tickets_presented(visit, turns.collect(), now);
            visit
        };
        self.world.note(visit, format!("presents {keys:?} to server {}", plan.server));
        {
            let coverage = &mut self.world.state().coverage;
            coverage.requests += 1;
            coverage.two_tickets += u64::from(keys.len() > 1);
            coverage.two_layers += u64::from(plan.layers > 1);
        }
        let travel_time = Duration::from_millis(plan.answer_travels);
        let Some(response) = self.call(visit, &tickets, plan, kept).await else {
            self.world.note(visit, "gets no answer");
            self.world.state().ledger.visit_unanswered(visit);
            return (visit, None);
        };
        let cookies: Vec<_> = response.headers().get_all(SET_COOKIE).iter().collect();
        let cookie = cookies.first().and_then(|cookie| cookie_value(cookie.to_str().ok()?));
        self.record(visit, &response, cookie.as_deref(), cookies.len());
        sleep(travel_time).await;
        if let Some(cookie) = cookie {
            self.keep(cookie);
        }
        (visit, Some(response.status().as_u16()))
    }

    async fn call(
        &self,
        visit: usize,
        tickets: &[String],
        plan: VisitPlan,
        kept: &Kept,
    ) -> Option<Response<()>> {
        let handled_at = Arc::new(Mutex::new(None));
        let (world, sets_handled_at) = (Arc::clone(&self.world), Arc::clone(&handled_at));
        let (server, hangs_up_after) = (&self.servers[plan.server], plan.hangs_up_after);
        let (layers, keeps) = (plan.layers, Arc::clone(kept));
        let service = server.layer(service_fn(move |request| {
            let (plan, kept) = (plan.clone(), Arc::clone(&keeps));
            let handling = Handler::serve(Arc::clone(&world), visit, plan, request, kept);
            let handled_at = Arc::clone(&sets_handled_at);
            async move {
                let response = handling.await;
                *handled_at.lock().ignore_poison() = Some(Instant::now());
                response
            }
        }));
        let pairs: Vec<_> =
            tickets.iter().map(|ticket| format!("{COOKIE_NAME}={ticket}")).collect();
        let request = Request::builder();
        let request = match pairs.is_empty() {
            true => request,
            false => request.header(COOKIE, format!("theme=dark; {}", pairs.join("; "))),
        };
        let request = request.body(()).expect("a valid request");
        let call: Pin<Box<dyn Future<Output = _> + Send>> = match layers {
            1 => Box::pin(service.oneshot(request)),
            _ => {
                // Something between the layers knows the session of the outer one.
                let between = service_fn(move |mut request: Request<()>| {
                    let outer = request.extensions().get::<LazySession>().cloned();
                    request.extensions_mut().insert(Outer(outer));
                    service.clone().oneshot(request)
                });
                Box::pin(server.layer(between).oneshot(request))
            }
        };
        let response = match hangs_up_after {
            None => call.await,
            Some(after) => {
                let until = Instant::now() + Duration::from_millis(after);
                let Ok(response) = timeout_at(until, call).await else {
                    self.world.state().coverage.hang_ups += 1;
                    return None;
                };
                response
            }
        };
        if let Some(handled_at) = *handled_at.lock().ignore_poison() {
            check_duration(&self.world, handled_at, LONGEST_COMMIT);
        }
        response.map_err(|ServiceFailed| ()).ok()
    }

    /// Records the answer in the ledger.
    fn record(&self, visit: usize, response: &Response<()>, cookie: Option<&str>, cookies: usize) {
        let status = response.status().as_u16();
        let is_handled = response.extensions().get::<Handled>().is_some();
        let refused = response.extensions().get::<SessionError>().filter(|_| !is_handled);
        let answer = Answer {
            status,
            refused: refused.cloned(),
            ticket: cookie.and_then(|cookie| self.prove(cookie)).map(|t| t.id.store_key()),
            removes_cookie: cookie.is_some_and(str::is_empty),
        };
        self.world.note(visit, format!("is answered {status}, {answer:?}"));
        let now = self.world.now();
        let mut state = self.world.state();
        state.ledger.demand(cookies < 2, "P8 one cookie", || format!("visit {visit}"));
        let says_why = is_handled || refused.is_some();
        state
            .ledger
            .demand(says_why, "P8 a refusal says why", || format!("visit {visit}: {status}"));
        let may_fail = state.fault_percent > 0
            || state.coverage.dropped_saves > 0
            || state.ledger.logout_may_find_nothing(visit, now);
        state.ledger.demand(status != 503 || may_fail, "P8 no outage without a fault", || {
            format!("visit {visit}")
        });
        let renewed = cookie.and_then(|cookie| self.prove(cookie)).filter(|ticket| ticket.turn > 0);
        state.coverage.renewed_tickets += u64::from(renewed.is_some());
        let acknowledged = state.ledger.answer_sent(visit, &answer, now);
        state.coverage.acknowledged += acknowledged;
        state.coverage.answers_409 += u64::from(status == 409);
        state.coverage.answers_503 += u64::from(status == 503);
    }

    fn choose_tickets(&self, plan: &VisitPlan) -> Vec<String> {
        let jar = self.jar.lock().ignore_poison();
        let old = |any: u64| {
            let at = any.checked_rem(jar.all.len() as u64)?;
            Some(jar.all[at as usize].clone())
        };
        let ticket = match plan.ticket {
            TicketChoice::Old(any) => old(any).or(jar.current.clone()),
            TicketChoice::Current => jar.current.clone(),
        };
        let second = plan.second_ticket.and_then(old);
        // Browsers send the cookie of the longer path first (RFC 6265 section 5.4).
        second.into_iter().chain(ticket).collect()
    }

    fn keep(&self, cookie: String) {
        let mut jar = self.jar.lock().ignore_poison();
        if cookie.is_empty() {
            jar.current = None;
        } else {
            jar.all.push(cookie.clone());
            jar.current = Some(cookie);
        }
    }

    fn prove(&self, ticket: &str) -> Option<Ticket> {
        let text = ticket.as_bytes().try_into().ok()?;
        // No ticket has expired at the start, and the ledger wants the keys of expired ones too.
        self.mint.prove(text, START).ok()
    }
}

fn cookie_value(set_cookie: &str) -> Option<String> {
    let pair = set_cookie.split(';').next()?;
    Some(pair.strip_prefix(COOKIE_NAME)?.strip_prefix('=')?.to_owned())
}
