//! Clients that call until they are told to leave, and the time that they give the nodes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::recorder::{Recorded, Recorder};

/// Longer than any fault, so that only a client that is meant to hang up does so.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// The longest that everything may take to work again, on a busy machine.
const RECOVERY: Duration = Duration::from_secs(120);

/// Clients, each a task that returns the tickets it has received.
#[derive(Debug)]
pub struct Crowd<T> {
    closing: Closing,
    clients: JoinSet<Vec<T>>,
}

/// Tells the clients to leave.
#[derive(Clone, Default, Debug)]
pub(super) struct Closing(Arc<AtomicBool>);

impl Closing {
    pub(super) fn has_come(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl<T: Send + 'static> Crowd<T> {
    /// Starts the clients that these futures are.
    pub(super) fn start<F>(closing: Closing, clients: impl IntoIterator<Item = F>) -> Self
    where
        F: Future<Output = Vec<T>> + Send + 'static,
    {
        Self { closing, clients: clients.into_iter().collect() }
    }

    /// Waits until everybody has left. Returns every ticket that there ever was.
    pub async fn leave(self) -> Vec<T> {
        self.closing.0.store(true, Ordering::SeqCst);
        self.clients.join_all().await.into_iter().flatten().collect()
    }
}

/// Repeats a call until it is answered.
pub(super) async fn until_answered<A: fmt::Debug>(
    mut call: impl AsyncFnMut() -> A,
    is_answered: impl Fn(&A) -> bool,
) {
    let begun = Instant::now();
    loop {
        let answer = call().await;
        if is_answered(&answer) {
            return;
        }
        assert!(begun.elapsed() < RECOVERY, "nodes that do not answer again: {answer:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until each node has served a call that began after now.
pub(super) async fn until_all_serve(recorder: &Recorder<impl Recorded>, nodes: usize) {
    let (since, begun) = (recorder.now(), Instant::now());
    while !(0..nodes).all(|node| recorder.has_served(node, since)) {
        assert!(begun.elapsed() < RECOVERY, "a node does not serve again");
        sleep(Duration::from_millis(20)).await;
    }
}
