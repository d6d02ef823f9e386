//! Many servers change one session at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cloakroom::store::SessionStore;
use cloakroom::{Key, Session, SessionLayer};

use crate::{Answer, MINUTE, Visitor};

const SERVERS: usize = 8;
/// The numbers that a storm adds to the session, each in a request of its own.
pub const UPDATES: usize = 64;

/// The end of one update.
#[derive(Debug)]
struct Update {
    number: usize,
    /// How often the session has it in the end.
    times: usize,
    answer: Answer,
}

impl Update {
    fn is_acknowledged(&self) -> bool {
        self.answer.status == 200
    }
}

/// Adds all numbers at once, and panics unless each is acknowledged and in the session once. `open` opens the store
/// of another server.
pub async fn loses_nothing(open: impl AsyncFn() -> Arc<dyn SessionStore>) {
    for update in storm(open, || (), || ()).await {
        assert!(update.is_acknowledged() && update.times == 1, "{update:?}");
    }
}

/// Adds all numbers at once under faults, and panics if one that was acknowledged is not in the session, or if one is
/// there twice. Returns how many were acknowledged.
///
/// `begin` is called when the session is there, and `end` before it is read.
pub async fn loses_nothing_under_faults(
    open: impl AsyncFn() -> Arc<dyn SessionStore>,
    begin: impl FnOnce(),
    end: impl FnOnce(),
) -> usize {
    let updates = storm(open, begin, end).await;
    for update in &updates {
        assert!(update.times <= 1, "{} was applied {} times", update.number, update.times);
        let is_lost = update.times == 0 && update.is_acknowledged();
        assert!(!is_lost, "{} was acknowledged and is lost", update.number);
    }
    let acknowledged = updates.iter().filter(|update| update.is_acknowledged()).count();
    println!("{acknowledged} of {UPDATES} acknowledged");
    acknowledged
}

async fn storm(
    open: impl AsyncFn() -> Arc<dyn SessionStore>,
    begin: impl FnOnce(),
    end: impl FnOnce(),
) -> Vec<Update> {
    let guest = Visitor::new(server(open().await));
    guest.visit(async |session| session.insert("added", &Vec::<usize>::new())).await.is_ok();
    let mut servers = Vec::new();
    for _ in 0..SERVERS {
        servers.push(server(open().await));
    }
    begin();
    let tasks: Vec<_> = (0..UPDATES)
        .map(|number| {
            let visitor = guest.at(&servers[number % SERVERS]);
            tokio::spawn(async move {
                let add = async |session: Session| {
                    session.update("added", move |added: &mut Vec<usize>| added.push(number))
                };
                visitor.visit(add).await
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    end();
    let mut added = Vec::<usize>::new();
    let look = async |session: Session| {
        added = session.get("added")?.unwrap_or_default();
        Ok(())
    };
    guest.visit(look).await.is_ok();
    let update = |(number, answer): (usize, Answer)| {
        assert!(answer.status == 200 || answer.status == 503, "{answer:?}");
        let times = added.iter().filter(|there| **there == number).count();
        Update { number, times, answer }
    };
    answers.into_iter().enumerate().map(update).collect()
}

/// Returns the layer of a server that waits as long as a busy machine takes: the storm is not about time.
fn server(store: Arc<dyn SessionStore>) -> SessionLayer {
    let layer = SessionLayer::new(store, Key::from_bytes(&[7; 32]).unwrap());
    layer.command_timeout(MINUTE).commit_timeout(2 * MINUTE)
}

/// Deals the numbers from 0 to 99, well mixed, and then again, to choose the requests that faults hit: the same share
/// of every hundred, whoever sends them.
#[derive(Debug, Default)]
pub struct Turns(AtomicU64);

impl Turns {
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) * 37 % 100
    }

    /// Returns how many numbers were dealt.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
