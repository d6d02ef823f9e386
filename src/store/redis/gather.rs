//! Makes one command out of the commands of many requests that come at the same time.
//!
//! The client library spends a system call on each command, and the server more on starting a script than
//! on running it. A command goes alone while no other of its kind is under way, so one that comes alone pays
//! nothing. Otherwise it queues. The first in the queue spawns a task that lets all other tasks run once, and
//! then sends what has queued: loads as one `MGET`, writes as one script.
//!
//! The sending is in a task and not in the first caller's future, because the others would wait for a
//! future that nobody may poll any more.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fred::error::{Error, ErrorKind};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::failure::RedisFailure;
use super::large_keys::LargeKeys;
use super::wire::{Answer, Reply, Wire, unknown_answer};
use super::write::Write;
use crate::poison::IgnorePoison;
use crate::store::failure::Failure;

/// The most keys of one command. The server does nothing else meanwhile, for about 0.3 ms.
const MOST_KEYS: usize = 32;
/// The most bytes of values that one command carries.
const MOST_BYTES: usize = 64 << 10;
/// Values that are larger go alone: beside them a system call costs nothing, and gathered they would hold up
/// their neighbours.
const LARGE_BYTES: usize = 16 << 10;

/// A kind of command that can be gathered.
pub(super) trait Command: Send + Sync + Sized + 'static {
    fn key(&self) -> &Bytes;

    /// The bytes that it sends besides names.
    fn size(&self) -> usize;

    fn send_alone(&self, wire: &Wire) -> impl Future<Output = Answer> + Send;

    /// Sends all of these as one command. The answer is a list.
    fn send_all<'a>(
        wire: &'a Wire,
        commands: impl ExactSizeIterator<Item = &'a Self> + Clone + Send,
    ) -> impl Future<Output = Answer> + Send;

    /// Whether a part of the answer says less than the answer to the command alone.
    fn is_unclear(part: &Answer) -> bool;
}

/// The load of the value under this key.
pub(super) struct Load(pub(super) Bytes);

impl Command for Load {
    fn key(&self) -> &Bytes {
        &self.0
    }

    fn size(&self) -> usize {
        0
    }

    async fn send_alone(&self, wire: &Wire) -> Answer {
        wire.load(&self.0).await
    }

    async fn send_all<'a>(
        wire: &'a Wire,
        commands: impl ExactSizeIterator<Item = &'a Self> + Clone + Send,
    ) -> Answer {
        wire.load_all(commands.map(|Self(key)| key)).await
    }

    /// `MGET` has the same answer for nothing and for what is not a string.
    fn is_unclear(part: &Answer) -> bool {
        matches!(part, Ok(Reply::Nil))
    }
}

impl Command for Write {
    fn key(&self) -> &Bytes {
        &self.key
    }

    fn size(&self) -> usize {
        self.value.len()
    }

    async fn send_alone(&self, wire: &Wire) -> Answer {
        wire.write(self).await
    }

    async fn send_all<'a>(
        wire: &'a Wire,
        commands: impl ExactSizeIterator<Item = &'a Self> + Clone + Send,
    ) -> Answer {
        wire.write_all(commands).await
    }

    fn is_unclear(_: &Answer) -> bool {
        false
    }
}

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
    /// The server has refused a command about several keys.
    is_refused: AtomicBool,
    large: LargeKeys,
}

struct Queue<C> {
    waiting: Vec<Queued<C>>,
    /// A task is about to send all of these.
    has_sender: bool,
}

impl<C> Default for Queue<C> {
    fn default() -> Self {
        Self { waiting: Vec::new(), has_sender: false }
    }
}

/// A command that waits for its neighbours, and then for its answer.
struct Queued<C> {
    command: C,
    caller: oneshot::Sender<Answer>,
}

impl<C: Command> Gather<C> {
    pub(super) fn new(wire: Wire, timeout: Duration) -> Self {
        Self(Arc::new(Shared {
            wire,
            timeout,
            queue: Mutex::default(),
            under_way: AtomicUsize::new(0),
            is_refused: AtomicBool::new(false),
            large: LargeKeys::default(),
        }))
    }

    /// Sends a command, alone or with its neighbours. If this is dropped while it queues, the command is not
    /// sent.
    pub(super) async fn send(&self, command: C) -> Answer {
        let shared = &self.0;
        let must_go_alone = command.size() > LARGE_BYTES
            || shared.is_refused.load(Ordering::Relaxed)
            || shared.large.contains(command.key());
        let under_way = match must_go_alone {
            true => Some(UnderWay::new(Arc::clone(shared))),
            false => UnderWay::first(shared),
        };
        if let Some(_under_way) = under_way {
            return shared.send_alone(&command).await;
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
        let is_first = {
            let mut queue = self.0.queue.lock().ignore_poison();
            queue.waiting.push(Queued { command, caller });
            !std::mem::replace(&mut queue.has_sender, true)
        };
        if is_first {
            tokio::spawn(Round { shared: Arc::clone(&self.0), is_due: true }.send());
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

impl<C: Command> Round<C> {
    async fn send(mut self) {
        // Without this the queue would hold one command only.
        yield_now().await;
        let mut batches = batches(self.take()).into_iter();
        let Some(last) = batches.next_back() else { return };
        for batch in batches {
            tokio::spawn(send_batch(Arc::clone(&self.shared), batch));
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
        if self.is_due {
            drop(self.take());
        }
    }
}

/// Divides a queue into batches that are small enough, without the commands whose callers have gone.
fn batches<C: Command>(queue: Vec<Queued<C>>) -> Vec<Vec<Queued<C>>> {
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

async fn send_batch<C: Command>(shared: Arc<Shared<C>>, batch: Vec<Queued<C>>) {
    let _under_way = UnderWay::new(Arc::clone(&shared));
    if batch.len() == 1 {
        return shared.send_each(batch).await;
    }
    let commands = batch.iter().map(|queued| &queued.command);
    let answer = C::send_all(&shared.wire, commands).await;
    if let Err(failure) = &answer
        && failure.is_about_several_keys()
    {
        shared.give_up(failure);
        return shared.send_each(batch).await;
    }
    let mut unclear = Vec::new();
    for (queued, part) in batch.into_iter().zip(parts(answer)) {
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

/// Returns the answer to each command of a batch.
fn parts(answer: Answer) -> impl Iterator<Item = Answer> {
    let (parts, rest) = match answer {
        Ok(Reply::List(parts)) => (parts, unknown_answer()),
        Ok(_) => (Vec::new(), unknown_answer()),
        Err(failure) => (Vec::new(), failure),
    };
    parts.into_iter().chain(std::iter::repeat_with(move || Err(rest.clone())))
}

impl<C: Command> Shared<C> {
    /// Sends these commands by themselves, at the same time.
    async fn send_each(self: &Arc<Self>, mut batch: Vec<Queued<C>>) {
        let Some(last) = batch.pop() else { return };
        for queued in batch {
            let shared = Arc::clone(self);
            tokio::spawn(async move { shared.answer_alone(queued).await });
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

    /// Remembers a key whose value is large, for the next load.
    fn note_size(&self, key: &Bytes, answer: &Answer) {
        if let Ok(Reply::Bytes(value)) = answer
            && value.len() > LARGE_BYTES
        {
            self.large.add(key);
        }
    }

    fn give_up(&self, failure: &RedisFailure) {
        if !self.is_refused.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                endpoint = %self.wire.endpoint(),
                error = %Failure::from(failure.clone()).for_read(),
                "the session store takes no commands about several keys, so each goes alone from now on"
            );
        }
    }
}
