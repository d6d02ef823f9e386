//! A visitor with several tabs: one cookie jar, and requests that overlap.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response};
use tokio::time::{Instant, sleep_until, timeout_at};
use tower::{Layer, ServiceExt, service_fn};

use super::handler::{Broken, HANDLED, Handler, commit_in_time};
use super::ledger::Answer;
use super::plan::{VisitPlan, Which};
use super::world::World;
use crate::cookie::TicketMint;
use crate::id::StoreKey;
use crate::keys::{Key, KeyRing};
use crate::poison::IgnorePoison;
use crate::{SessionError, SessionLayer};

const NAME: &str = "__Host-id";

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
    /// Every ticket there ever was in it.
    old: Vec<String>,
}

/// The key of every run.
pub(super) fn ring() -> KeyRing {
    KeyRing::new(Key::from_bytes(&[7; 32]).expect("long enough"))
}

impl Browser {
    pub(super) fn new(world: Arc<World>, servers: Arc<[SessionLayer]>) -> Self {
        let mint = Arc::new(TicketMint::new(&ring(), NAME));
        Self { world, servers, mint, jar: Arc::default() }
    }

    /// Visits at `plan.at`, counted from `epoch`.
    pub(super) async fn visit(self, plan: VisitPlan, epoch: Instant) -> Option<u16> {
        sleep_until(epoch + Duration::from_millis(plan.at)).await;
        let ticket = self.ticket(plan.cookie);
        self.present(ticket, plan).await
    }

    pub(super) async fn present(&self, ticket: Option<String>, plan: VisitPlan) -> Option<u16> {
        let now = self.world.now();
        let key = ticket.as_deref().and_then(|ticket| self.key(ticket));
        let visit = self.world.state().ledger.starts(key, now);
        self.world.note(visit, format!("presents {key:?} to server {}", plan.server));
        self.world.state().tally.requests += 1;
        let travel = Duration::from_millis(plan.travel);
        let Some(response) = self.ask(visit, ticket, plan).await else {
            self.world.note(visit, "gets no answer");
            self.world.state().ledger.unanswered(visit);
            return None;
        };
        let cookies: Vec<_> = response.headers().get_all(SET_COOKIE).iter().collect();
        let cookie = cookies.first().and_then(|cookie| value(cookie.to_str().ok()?));
        self.enter(visit, &response, cookie.as_deref(), cookies.len());
        tokio::time::sleep(travel).await;
        if let Some(cookie) = cookie {
            self.keep(cookie);
        }
        Some(response.status().as_u16())
    }

    async fn ask(
        &self,
        visit: usize,
        ticket: Option<String>,
        plan: VisitPlan,
    ) -> Option<Response<()>> {
        let handled = Arc::new(Mutex::new(None));
        let (world, seen) = (Arc::clone(&self.world), Arc::clone(&handled));
        let (server, hangs_up) = (&self.servers[plan.server], plan.hangs_up);
        let service = server.layer(service_fn(move |request| {
            let handling = Handler::serve(Arc::clone(&world), visit, plan.clone(), request);
            let seen = Arc::clone(&seen);
            async move {
                let response = handling.await;
                *seen.lock().ignore_poison() = Some(Instant::now());
                response
            }
        }));
        let request = Request::builder();
        let request = match ticket {
            Some(ticket) => request.header(COOKIE, format!("theme=dark; {NAME}={ticket}")),
            None => request,
        };
        let call = service.oneshot(request.body(()).expect("a valid request"));
        let response = match hangs_up {
            None => call.await,
            Some(after) => {
                let until = Instant::now() + Duration::from_millis(after);
                let Ok(response) = timeout_at(until, call).await else {
                    self.world.state().tally.hang_ups += 1;
                    return None;
                };
                response
            }
        };
        if let Some(at) = *handled.lock().ignore_poison() {
            commit_in_time(&self.world, at);
        }
        response.map_err(|Broken| ()).ok()
    }

    /// Enters the answer in the books.
    fn enter(&self, visit: usize, response: &Response<()>, cookie: Option<&str>, cookies: usize) {
        let status = response.status().as_u16();
        let handled = response.headers().contains_key(HANDLED);
        let refused = response.extensions().get::<SessionError>().filter(|_| !handled);
        let answer = Answer {
            status,
            refused: refused.cloned(),
            ticket: cookie.and_then(|cookie| self.key(cookie)),
            removal: cookie.is_some_and(str::is_empty),
        };
        self.world.note(visit, format!("is answered {status}, {answer:?}"));
        let now = self.world.now();
        let mut state = self.world.state();
        state.ledger.demand(cookies < 2, "P8 one cookie", || format!("visit {visit}"));
        state.ledger.demand(handled || refused.is_some(), "P8 a refusal says why", || {
            format!("visit {visit}: {status}")
        });
        let doubt = state.bad_weather > 0 || state.tally.dropped_saves > 0;
        state.ledger.demand(status != 503 || doubt, "P8 no outage without a fault", || {
            format!("visit {visit}")
        });
        let acknowledged = state.ledger.answered(visit, &answer, now);
        state.tally.acknowledged += acknowledged;
        state.tally.answers_409 += u64::from(status == 409);
        state.tally.answers_503 += u64::from(status == 503);
    }

    fn ticket(&self, which: Which) -> Option<String> {
        let jar = self.jar.lock().ignore_poison();
        match which {
            Which::Old(any) if !jar.old.is_empty() => {
                Some(jar.old[(any % jar.old.len() as u64) as usize].clone())
            }
            _ => jar.current.clone(),
        }
    }

    fn keep(&self, cookie: String) {
        let mut jar = self.jar.lock().ignore_poison();
        if cookie.is_empty() {
            jar.current = None;
        } else {
            jar.old.push(cookie.clone());
            jar.current = Some(cookie);
        }
    }

    fn key(&self, ticket: &str) -> Option<StoreKey> {
        let text = ticket.as_bytes().try_into().ok()?;
        // At the beginning of time every ticket is still valid.
        let ticket = self.mint.prove(text, super::world::START)?;
        Some(ticket.id.store_key())
    }
}

fn value(set_cookie: &str) -> Option<String> {
    let pair = set_cookie.split(';').next()?;
    Some(pair.strip_prefix(NAME)?.strip_prefix('=')?.to_owned())
}
