//! Makes one command out of the commands of many requests that come at the same time.
//!
//! The client library spends a system call on each command, and the server more on starting a script than
//! on running it. A command goes alone while no other of its kind is under way, so one that comes alone pays
//! nothing. Otherwise it queues. The first in the queue spawns a task that lets all other tasks run once, and
//! then sends what has queued: loads as one `MGET`, writes as one script.
//!
//! The sending is in a task and not in the first caller's future, because the others would wait for a
//! future that nobody may poll any more.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fred::error::{Error, ErrorKind};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::failure::RedisFailure;
use super::gate::{Gate, Pass};
use super::gatherable::Gatherable;
use super::large_keys::LargeKeys;
use super::wire::{Answer, Answers, Reply, Wire};
use crate::error::StoreErrorKind;
use crate::poison::IgnorePoison;
use crate::store::failure::Failure;

/// The most keys of one command. The server does nothing else meanwhile, for about 0.3 ms.
const MOST_KEYS: usize = 32;
/// The most bytes of values that one command carries.
const MOST_BYTES: usize = 64 << 10;
/// Values that are larger go alone: beside them a system call costs nothing, and gathered they would hold up
/// their neighbours.
const LARGE_BYTES: usize = 16 << 10;
/// The time after which a task that is to send the queue counts as held up, by a handler that computes on its
/// thread: the next command sends another one.
const HELD_UP: Duration = Duration::from_millis(2);

/// Gathers the commands of one kind on one connection. Clones share the queue.
pub(super) struct Gather<C>(Arc<Shared<C>>);

impl<C> Clone for Gather<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Shared<C> {
    wire: Wire,
    timeout: Duration,
    queue: Mutex<Queue<C>>,
    /// The number of commands that were sent and not answered yet.
    under_way: AtomicUsize,
    gate: Gate,
    large: Arc<LargeKeys>,
    /// The runtime of the client itself. Another one may stop while callers of this one wait.
    runtime: Option<Handle>,
}

struct Queue<C> {
    waiting: Vec<Queued<C>>,
    /// When a task was sent to send all of these.
    sender_since: Option<Instant>,
}

impl<C> Default for Queue<C> {
    fn default() -> Self {
        Self { waiting: Vec::new(), sender_since: None }
    }
}

/// A command that waits for its neighbours, and then for its answer.
struct Queued<C> {
    command: C,
    caller: oneshot::Sender<Answer>,
}

impl<C: Gatherable> Gather<C> {
    pub(super) fn new(wire: Wire, timeout: Duration, large: Arc<LargeKeys>) -> Self {
        Self(Arc::new(Shared {
            wire,
            timeout,
            queue: Mutex::default(),
            under_way: AtomicUsize::new(0),
            gate: Gate::new(C::NEEDS_ONE_SERVER),
            large,
            runtime: Handle::try_current().ok(),
        }))
    }

    /// Sends a command, alone or with its neighbours. If this is dropped while it queues, the command is not
    /// sent.
    pub(super) async fn send(&self, command: C) -> Answer {
        let shared = &self.0;
        if let Some(_under_way) = shared.goes_alone(&command) {
            // Boxed, because most commands do not go alone, and all would carry the space for it.
            return Box::pin(shared.send_alone(&command)).await;
        }
        let answered = self.queue(command);
        // The client's own limit ends what was sent. This one is for a runtime that has stopped.
        match timeout(shared.timeout, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(lost(ErrorKind::Canceled, "the runtime that sends has ended")),
            Err(_) => Err(lost(ErrorKind::Timeout, "no answer in time")),
        }
    }

    fn queue(&self, command: C) -> oneshot::Receiver<Answer> {
        let (caller, answered) = oneshot::channel();
        let needs_sender = {
            let (now, mut queue) = (Instant::now(), self.0.queue.lock().ignore_poison());
            queue.waiting.push(Queued { command, caller });
            let has_sender = queue.sender_since.is_some_and(|since| now - since < HELD_UP);
            if !has_sender {
                queue.sender_since = Some(now);
            }
            !has_sender
        };
        if needs_sender {
            self.0.spawn(Round { shared: Arc::clone(&self.0), is_due: true }.send());
        }
        answered
    }
}

fn lost(kind: ErrorKind, text: &'static str) -> RedisFailure {
    RedisFailure::Lost(Error::new(kind, text))
}

/// A command that is under way, for as long as this lives.
struct UnderWay<C>(Arc<Shared<C>>);

impl<C> UnderWay<C> {
    fn new(shared: Arc<Shared<C>>) -> Self {
        shared.under_way.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }

    /// Counts a command if no other is under way.
    fn first(shared: &Arc<Shared<C>>) -> Option<Self> {
        let number = &shared.under_way;
        let counted = number.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed);
        counted.is_ok().then(|| Self(Arc::clone(shared)))
    }
}

impl<C> Drop for UnderWay<C> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The task that sends what has queued, once.
struct Round<C> {
    shared: Arc<Shared<C>>,
    is_due: bool,
}

impl<C: Gatherable> Round<C> {
    async fn send(mut self) {
        // Without this the queue would hold one command only.
        BehindTheOthers::default().await;
        let mut batches = batches(self.take()).into_iter();
        let Some(last) = batches.next_back() else { return };
        for batch in batches {
            self.shared.spawn(send_batch(Arc::clone(&self.shared), batch));
        }
        send_batch(Arc::clone(&self.shared), last).await;
    }
}

impl<C> Round<C> {
    fn take(&mut self) -> Vec<Queued<C>> {
        self.is_due = false;
        std::mem::take(&mut *self.shared.queue.lock().ignore_poison()).waiting
    }
}

impl<C> Drop for Round<C> {
    /// A runtime that ends may drop this before it has run. The next command must not wait for it.
    fn drop(&mut self) {
        if !self.is_due {
            return;
        }
        for queued in self.take() {
            let error = Error::new(ErrorKind::Canceled, "the runtime that sends has ended");
            let answer = Err(RedisFailure::Refused(StoreErrorKind::Unavailable, error));
            let _ = queued.caller.send(answer);
        }
    }
}

/// Lets the tasks that wait for this thread go first.
///
/// `tokio::task::yield_now` would do that until the thread has nothing else to do. Meanwhile no other thread
/// could take this task over, and a handler that computes would hold up the commands of all of them.
#[derive(Default)]
struct BehindTheOthers {
    has_yielded: bool,
}

impl Future for BehindTheOthers {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.has_yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Divides a queue into batches that are small enough, without the commands whose callers have gone.
fn batches<C: Gatherable>(queue: Vec<Queued<C>>) -> Vec<Vec<Queued<C>>> {
    let mut batches: Vec<Vec<Queued<C>>> = Vec::new();
    let mut bytes = 0;
    for queued in queue.into_iter().filter(|queued| !queued.caller.is_closed()) {
        let size = queued.command.size();
        match batches.last_mut() {
            Some(batch) if batch.len() < MOST_KEYS && bytes + size <= MOST_BYTES => {
                bytes += size;
                batch.push(queued);
            }
            _ => {
                bytes = size;
                batches.push(vec![queued]);
            }
        }
    }
    batches
}

async fn send_batch<C: Gatherable>(shared: Arc<Shared<C>>, batch: Vec<Queued<C>>) {
    let _under_way = UnderWay::new(Arc::clone(&shared));
    if batch.len() == 1 {
        return shared.send_each(batch).await;
    }
    let sent = C::send_all(&shared.wire, batch.iter().map(|queued| &queued.command));
    // Boxed for Rust 1.88, which does not see that a task may hold a future with such an iterator in it.
    let sent: Pin<Box<dyn Future<Output = Answers> + Send + '_>> = Box::pin(sent);
    match sent.await {
        Ok(parts) => {
            let mut unclear = Vec::new();
            for (queued, part) in batch.into_iter().zip(parts) {
                match C::is_unclear(&part) {
                    true => unclear.push(queued),
                    false => {
                        shared.note_size(queued.command.key(), &part);
                        // A caller that has gone needs no answer.
                        let _ = queued.caller.send(part);
                    }
                }
            }
            shared.send_each(unclear).await;
        }
        Err(failure) => {
            if failure.may_be_about_several_keys() {
                shared.give_up(&failure);
                // None of it was applied.
                if failure.is_refusal() {
                    return shared.send_each(batch).await;
                }
            }
            for queued in batch {
                if failure.is_timeout() {
                    // It may have been too much for one answer.
                    shared.large.add(queued.command.key());
                }
                let _ = queued.caller.send(Err(failure.clone()));
            }
        }
    }
}

impl<C> Shared<C> {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match &self.runtime {
            Some(runtime) => runtime.spawn(task),
            None => tokio::spawn(task),
        };
    }
}

impl<C: Gatherable> Shared<C> {
    /// Counts a command as under way, if it is to be sent alone.
    fn goes_alone(self: &Arc<Self>, command: &C) -> Option<UnderWay<C>> {
        if command.size() > LARGE_BYTES {
            self.large.add(command.key());
        }
        if self.large.contains(command.key()) {
            return Some(UnderWay::new(Arc::clone(self)));
        }
        let first = UnderWay::first(self);
        if first.is_some() {
            return first;
        }
        match self.gate.pass() {
            Pass::Gathered => None,
            Pass::Alone => Some(UnderWay::new(Arc::clone(self))),
            Pass::AloneAndProve => {
                self.spawn(Arc::clone(self).prove(command.key().clone()));
                Some(UnderWay::new(Arc::clone(self)))
            }
        }
    }

    async fn prove(self: Arc<Self>, key: Bytes) {
        let mut proof = self.wire.has_one_server(&key).await;
        if let Ok(Some(false)) = proof {
            // A failover in between, or an eviction, loses keys too.
            proof = self.wire.has_one_server(&key).await;
        }
        match proof {
            Ok(Some(true)) => self.gate.open(),
            Ok(Some(false)) => {
                self.gate.close();
                tracing::warn!(
                    endpoint = %self.wire.endpoint(),
                    "a proxy divides the session store's keys among servers, so each write goes alone"
                );
            }
            Err(failure) if failure.may_be_about_several_keys() => self.give_up(&failure),
            // The server is full, slow, or cannot be reached at present.
            Ok(None) | Err(_) => self.gate.pause(),
        }
    }

    /// Sends these commands by themselves, at the same time.
    async fn send_each(self: &Arc<Self>, mut batch: Vec<Queued<C>>) {
        batch.retain(|queued| !queued.caller.is_closed());
        let Some(last) = batch.pop() else { return };
        for queued in batch {
            let shared = Arc::clone(self);
            self.spawn(async move { shared.answer_alone(queued).await });
        }
        self.answer_alone(last).await;
    }

    async fn answer_alone(&self, queued: Queued<C>) {
        let answer = self.send_alone(&queued.command).await;
        let _ = queued.caller.send(answer);
    }

    async fn send_alone(&self, command: &C) -> Answer {
        let answer = command.send_alone(&self.wire).await;
        self.note_size(command.key(), &answer);
        answer
    }

    /// Remembers for the next load whether the value of this key is large.
    fn note_size(&self, key: &Bytes, answer: &Answer) {
        match answer {
            Ok(Reply::Bytes(value)) if value.len() > LARGE_BYTES => self.large.add(key),
            Ok(Reply::Bytes(_)) => self.large.remove(key),
            _ => {}
        }
    }

    fn give_up(&self, failure: &RedisFailure) {
        // Rights may be given and taken while the app runs, and words that nobody knows may be about anything.
        if failure.has_code("NOPERM") || !failure.is_refusal() {
            self.gate.pause();
        } else if self.gate.close() {
            tracing::warn!(
                endpoint = %self.wire.endpoint(),
                error = %Failure::from(failure.clone()).for_read(),
                "the session store takes no commands about several keys, so each goes alone"
            );
        }
    }
}
