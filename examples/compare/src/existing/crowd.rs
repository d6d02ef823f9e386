//! The visitors of one store: they begin sessions, are timed, and end their sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use cloakroom::{Backend, Key, SessionLayer};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::visitor::{NoAnswer, Visitor, app};
use super::{End, Kind, PAUSE, Step};
use crate::shopper::latency;
use crate::{Fallible, Problem};

/// How many visitors send requests at once.
const AT_ONCE: [usize; 2] = [1, 64];
const KINDS: [Kind; 3] = [Kind::Read, Kind::Write, Kind::Login];
const VISITORS: usize = 64;
/// How long what a login leaves behind stays, and a session that could not be ended.
const IDLE: Duration = Duration::from_secs(600);
const LIFETIME: Duration = Duration::from_secs(3600);
/// How often a logout is tried.
const LOGOUTS: usize = 3;
/// The most requests for the counter of a session, while none of them is answered.
const LOOKS: usize = 3;

/// The length of a step: so long, or so many requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    time: Duration,
    requests: u64,
}

impl Pace {
    pub(super) fn quick() -> Self {
        Self { time: Duration::from_millis(300), requests: 500 }
    }

    pub(super) fn full() -> Self {
        Self { time: Duration::from_secs(2), requests: 5_000 }
    }
}

pub(super) struct Crowd {
    app: Router,
    visitors: Vec<Visitor>,
    is_over: Arc<AtomicBool>,
}

/// The steps that were done, and what kept the rest from being done.
#[derive(Default)]
pub(super) struct Timed {
    pub(super) steps: Vec<Step>,
    pub(super) problem: Option<Problem>,
}

impl Crowd {
    pub(super) fn before(backend: Backend, bytes: usize) -> Fallible<Self> {
        let sessions = SessionLayer::new(backend, Key::generate()?);
        let sessions = sessions.idle_timeout(IDLE).absolute_lifetime(LIFETIME);
        Ok(Self { app: app(sessions, bytes), visitors: Vec::new(), is_over: Arc::default() })
    }

    /// Returns the flag that ends the measuring early.
    pub(super) fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_over)
    }

    pub(super) async fn measure(&mut self, pace: Pace) -> Timed {
        let mut timed = Timed::default();
        let done = self.all_steps(pace, &mut timed.steps).await;
        timed.problem = done.err();
        timed
    }

    async fn all_steps(&mut self, pace: Pace, steps: &mut Vec<Step>) -> Fallible<()> {
        for _ in 0..VISITORS {
            let mut visitor = Visitor::new(self.app.clone());
            let status = visitor.begin().await;
            if !status.is_success() {
                return Err(format!("no session can be begun: {status}").into());
            }
            self.visitors.push(visitor);
            if self.is_over.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
        for at_once in AT_ONCE {
            for kind in KINDS {
                if self.is_over.load(Ordering::Relaxed) {
                    return Ok(());
                }
                steps.push(self.step(kind, at_once, pace).await?);
            }
        }
        Ok(())
    }

    async fn step(&mut self, kind: Kind, at_once: usize, pace: Pace) -> Fallible<Step> {
        let begun = Instant::now();
        let sent = Arc::<AtomicU64>::default();
        let mut tasks = JoinSet::new();
        for visitor in self.visitors.drain(..at_once) {
            let (sent, is_over) = (Arc::clone(&sent), Arc::clone(&self.is_over));
            let is_done = move || {
                sent.fetch_add(1, Ordering::Relaxed) >= pace.requests
                    || begun.elapsed() >= pace.time
                    || is_over.load(Ordering::Relaxed)
            };
            tasks.spawn(requests(visitor, kind, is_done));
        }
        let (mut micros, mut not_acknowledged) = (Vec::new(), 0);
        while let Some(done) = tasks.join_next().await {
            let (visitor, own, refused) = done?;
            self.visitors.push(visitor);
            micros.extend(own);
            not_acknowledged += refused;
        }
        let seconds = begun.elapsed().as_secs_f64();
        micros.sort_unstable();
        let acknowledged = micros.len() as u64;
        Ok(Step {
            request: kind,
            at_once,
            seconds,
            acknowledged,
            not_acknowledged,
            requests_per_second: acknowledged as f64 / seconds,
            latency: latency(&micros),
            times_slower: None,
        })
    }

    /// Looks at all sessions, ends them, and looks again with copies of their cookies.
    pub(super) async fn leave(self) -> Option<End> {
        let mut leaving = JoinSet::new();
        for visitor in self.visitors {
            leaving.spawn(leave(visitor));
        }
        let mut all = End::default();
        while let Some(done) = leaving.join_next().await {
            let own = done.ok()?;
            all.sessions += own.sessions;
            all.ended += own.ended;
            all.came_back_by_copy += own.came_back_by_copy;
            all.changes_acknowledged += own.changes_acknowledged;
            all.changes_missing += own.changes_missing;
        }
        Some(all)
    }
}

/// Sends requests until it is done; returns the microseconds of those that were acknowledged, and the
/// number of the others.
async fn requests(
    mut visitor: Visitor,
    kind: Kind,
    is_done: impl Fn() -> bool,
) -> (Visitor, Vec<u64>, u64) {
    let (mut micros, mut refused) = (Vec::new(), 0);
    while !is_done() {
        let begun = Instant::now();
        if visitor.ask(kind).await {
            micros.push(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
        } else {
            refused += 1;
            sleep(PAUSE).await;
        }
    }
    (visitor, micros, refused)
}

/// Returns the counter of the visitor's session. Asks again if there is no answer, because that is not a loss.
async fn count_patiently(visitor: &mut Visitor) -> Result<Option<u64>, NoAnswer> {
    for _ in 1..LOOKS {
        if let Ok(count) = visitor.count().await {
            return Ok(count);
        }
        sleep(PAUSE).await;
    }
    visitor.count().await
}

async fn leave(mut visitor: Visitor) -> End {
    let (acknowledged, missing) = match count_patiently(&mut visitor).await {
        Ok(stored) => {
            let stored = stored.unwrap_or_default();
            (visitor.acknowledged, visitor.acknowledged.saturating_sub(stored))
        }
        // Nobody knows whether these changes are stored.
        Err(NoAnswer) => (0, 0),
    };
    let before = visitor.jar.clone();
    let mut is_ended = false;
    for _ in 0..LOGOUTS {
        is_ended = visitor.leave().await;
        if is_ended {
            break;
        }
        sleep(PAUSE).await;
    }
    visitor.jar = before;
    let is_back = is_ended && matches!(visitor.count().await, Ok(Some(_)));
    End {
        sessions: 1,
        ended: u64::from(is_ended),
        came_back_by_copy: u64::from(is_back),
        changes_acknowledged: acknowledged,
        changes_missing: missing,
    }
}
