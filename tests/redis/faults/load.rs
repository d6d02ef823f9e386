//! Visitors who count up in their sessions. Each request is timed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cloakroom::store::{RedisServer, RedisStore};
use cloakroom::{Key, SessionError, SessionLayer};
use tokio::task::JoinHandle;
use tokio::time::{sleep, sleep_until};

use cloakroom_testing::{Answer, Visitor};

/// The time from one request of a task to the next. This is a load, not a benchmark. All tasks begin at the
/// same time, so that their commands are gathered.
const PAUSE: Duration = Duration::from_millis(3);
/// Longer than a recovery may take.
const PATIENCE: Duration = Duration::from_secs(20);
const COOL_DOWN: Duration = Duration::from_millis(500);

pub(super) async fn layer(server: &RedisServer) -> SessionLayer {
    let store = RedisStore::builder().connect(server).await.unwrap();
    SessionLayer::new(store, Key::from_bytes(&[7; 32]).unwrap())
}

/// A visitor whose session holds the visitor's number and a counter.
#[derive(Clone, Debug)]
pub(super) struct Guest {
    pub(super) number: usize,
    pub(super) visitor: Visitor,
}

/// The outcome of a request.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// It was acknowledged.
    Counted { in_a_new_session: bool },
    /// It was answered 503.
    #[allow(dead_code, reason = "a test that fails prints it")]
    Outage(SessionError),
    /// It was answered 409, because the session has ended.
    Gone,
    /// It had any other outcome, which is a fault.
    Wrong(String),
}

#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) guest: usize,
    pub(super) began: Instant,
    pub(super) ended: Instant,
    pub(super) outcome: Outcome,
}

impl Guest {
    pub(super) async fn new(layer: &SessionLayer, number: usize) -> Self {
        let guest = Self { number, visitor: Visitor::new(layer.clone()) };
        let visitor = &guest.visitor;
        visitor.visit(async |session| session.insert("owner", &number)).await.is_ok();
        guest
    }

    /// Returns the same guest, who talks to another server of the app.
    pub(super) fn at(&self, layer: &SessionLayer) -> Self {
        Self { number: self.number, visitor: self.visitor.at(layer) }
    }

    /// Counts up by one, and checks that the session belongs to this guest.
    pub(super) async fn count(&self) -> Visit {
        let (number, mut seen) = (self.number, None);
        let began = Instant::now();
        let answer = self
            .visitor
            .visit(async |session| {
                let owner = session.get::<usize>("owner")?;
                if owner.is_none() {
                    session.insert("owner", &number)?;
                }
                seen = Some((owner, session.is_new()));
                session.update("count", |count: &mut u64| *count += 1)
            })
            .await;
        let outcome = match seen {
            Some((Some(owner), _)) if owner != number => {
                Outcome::Wrong(format!("the session of {owner} was given to {number}"))
            }
            Some((None, false)) => Outcome::Wrong(format!("{number} was given nobody's session")),
            seen => outcome(&answer, seen.is_some_and(|(_, is_new)| is_new)),
        };
        Visit { guest: number, began, ended: Instant::now(), outcome }
    }

    /// Returns the counter that is in the store now.
    pub(super) async fn counted(&self) -> u64 {
        let mut counted = None;
        let answer = self
            .visitor
            .visit(async |session| {
                counted = session.get::<u64>("count")?;
                Ok(())
            })
            .await;
        answer.is_ok();
        counted.unwrap_or_default()
    }
}

fn outcome(answer: &Answer, in_a_new_session: bool) -> Outcome {
    match (answer.status.as_u16(), &answer.error) {
        (200, None) => Outcome::Counted { in_a_new_session },
        (503, Some(error)) => Outcome::Outage(error.clone()),
        (409, Some(SessionError::Gone)) => Outcome::Gone,
        _ => Outcome::Wrong(format!("{answer:?}")),
    }
}

/// Sends requests until it is stopped.
#[derive(Debug)]
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<Task>,
}

#[derive(Debug)]
struct Task {
    acknowledged: Arc<AtomicU64>,
    running: JoinHandle<Vec<Visit>>,
}

/// The times at which all tasks begin a request.
#[derive(Clone, Copy)]
struct Beat(tokio::time::Instant);

impl Beat {
    async fn next(self) {
        let past = self.0.elapsed().as_millis() / PAUSE.as_millis();
        sleep_until(self.0 + PAUSE * (u32::try_from(past).expect("a short test") + 1)).await;
    }
}

impl Task {
    fn start(guest: Guest, beat: Beat, stop: Arc<AtomicBool>) -> Self {
        let acknowledged = Arc::new(AtomicU64::new(0));
        let counter = acknowledged.clone();
        let running = tokio::spawn(async move {
            let mut visits = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let visit = guest.count().await;
                counter.fetch_add(visit.is_counted().into(), Ordering::Relaxed);
                visits.push(visit);
                beat.next().await;
            }
            visits
        });
        Self { acknowledged, running }
    }
}

impl Load {
    /// Starts a task for each entry. A guest may have several tasks.
    pub(super) fn start(tasks: impl IntoIterator<Item = Guest>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let beat = Beat(tokio::time::Instant::now());
        let tasks = tasks.into_iter().map(|guest| Task::start(guest, beat, stop.clone())).collect();
        Self { stop, tasks }
    }

    /// Goes on until a little after every task had an acknowledgement. The tally checks whether that was
    /// soon enough.
    pub(super) async fn recover(&self) {
        self.go_on(1, PATIENCE).await;
        sleep(COOL_DOWN).await;
    }

    /// Goes on until every task had `more` acknowledgements. Returns whether they all had.
    pub(super) async fn go_on(&self, more: u64, patience: Duration) -> bool {
        let acknowledged = || -> Vec<_> {
            self.tasks.iter().map(|task| task.acknowledged.load(Ordering::Relaxed)).collect()
        };
        let (began, before) = (Instant::now(), acknowledged());
        let all = |now: Vec<u64>| now.iter().zip(&before).all(|(now, then)| now - then >= more);
        while !all(acknowledged()) && began.elapsed() < patience {
            sleep(PAUSE).await;
        }
        all(acknowledged())
    }

    /// Stops all tasks, and returns the visits of each.
    pub(super) async fn stop(self) -> Vec<Vec<Visit>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut visits = Vec::new();
        for task in self.tasks {
            visits.push(task.running.await.expect("no task panics"));
        }
        visits
    }
}
