//! The commands of this process that are under way, and what their answers may put into the memory.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;

use super::held::{Began, Held, HeldEntries};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::id::StoreKey;
use crate::poison::IgnorePoison;
use crate::store::entry::Entry;

/// The answer to a load.
pub(super) type Loaded = Result<Option<Entry>, StoreError>;

/// The number of locks, among which the keys are spread.
const SHARDS: usize = 64;

type Shard = HashMap<StoreKey, UnderWay>;

/// The held entries and the commands under way. Nothing but its entry is kept for a key without a command.
pub(super) struct Memory {
    held: HeldEntries,
    under_way: [Mutex<Shard>; SHARDS],
    numbers: AtomicU64,
}

/// The commands under way for one key.
#[derive(Default)]
struct UnderWay {
    commands: usize,
    /// Changes when a write begins or ends, and when a load finds nothing. An answer to a command that began under
    /// another number may be from before that.
    era: u64,
    load: Option<SharedLoad>,
}

/// A load that others may wait for.
struct SharedLoad {
    began: Began,
    era: u64,
    sender: Arc<watch::Sender<Option<Loaded>>>,
}

/// The way in which a look gets its answer.
pub(super) enum Turn {
    Held(Held),
    /// Another look's load is under way.
    Wait(Answer),
    Load(Lead),
}

/// The answer to a load that is under way.
pub(super) struct Answer {
    receiver: watch::Receiver<Option<Loaded>>,
    /// When the load began.
    pub(super) as_of: Timestamp,
}

/// The load that others will wait for.
pub(super) struct Lead {
    pub(super) command: Command,
    pub(super) sender: Arc<watch::Sender<Option<Loaded>>>,
    pub(super) answer: Answer,
}

impl Memory {
    pub(super) fn new(max_bytes: usize, staleness: Duration) -> Self {
        Self {
            held: HeldEntries::new(max_bytes, staleness),
            under_way: std::array::from_fn(|_| Mutex::default()),
            numbers: AtomicU64::default(),
        }
    }

    pub(super) fn held(&self, key: &StoreKey) -> Option<Held> {
        self.held.get(key)
    }

    pub(super) fn begin_load(self: &Arc<Self>, key: &StoreKey, now: Timestamp) -> Command {
        let mut shard = self.shard(key);
        self.begin(Kind::Load, key, now, shard.entry(*key).or_default())
    }

    pub(super) fn begin_write(self: &Arc<Self>, key: &StoreKey, now: Timestamp) -> Command {
        let mut shard = self.shard(key);
        let under_way = shard.entry(*key).or_default();
        under_way.era += 1;
        self.begin(Kind::Write, key, now, under_way)
    }

    /// Finds the way for a look that was not answered from memory. Of many looks at once, one loads.
    ///
    /// A load that a write has overtaken is not waited for, nor one that is older than `longest`.
    pub(super) fn take_turn(
        self: &Arc<Self>,
        key: &StoreKey,
        now: Timestamp,
        staleness: Duration,
        longest: Duration,
    ) -> Turn {
        let mut shard = self.shard(key);
        // Once more, because a load may have ended since. Its end is one step under this lock.
        if let Some(held) = self.held.get(key).filter(|held| held.is_good(now, staleness)) {
            return Turn::Held(held);
        }
        let under_way = shard.entry(*key).or_default();
        if let Some(load) = under_way.load.as_ref().filter(|load| {
            load.era == under_way.era && load.began.is_within(now, longest.min(staleness))
        }) {
            return Turn::Wait(load.answer());
        }
        let command = self.begin(Kind::Load, key, now, under_way);
        let sender = Arc::new(watch::Sender::new(None));
        let Command { began, era, .. } = command;
        let load = SharedLoad { began, era, sender: Arc::clone(&sender) };
        let answer = load.answer();
        under_way.load = Some(load);
        Turn::Load(Lead { command, sender, answer })
    }

    fn begin(
        self: &Arc<Self>,
        kind: Kind,
        key: &StoreKey,
        now: Timestamp,
        under_way: &mut UnderWay,
    ) -> Command {
        under_way.commands += 1;
        let began = Began { at: now, number: self.numbers.fetch_add(1, Ordering::Relaxed) };
        let (memory, era) = (Arc::clone(self), under_way.era);
        Command { memory, kind, key: *key, began, era, shown: Shown::Unknown }
    }

    fn shard(&self, key: &StoreKey) -> MutexGuard<'_, Shard> {
        // A key is a hash, so any of its bytes spreads the keys evenly.
        let at = usize::from(key.as_bytes()[0]) % SHARDS;
        self.under_way[at].lock().ignore_poison()
    }

    /// Takes over what the answer to a command has shown. The caller holds the lock of the key.
    fn learn(&self, command: &Command, under_way: &mut UnderWay) {
        let Command { key, began, .. } = command;
        let is_overtaken = under_way.era != command.era;
        let is_newest = || self.held.get(key).is_none_or(|held| held.began.number < began.number);
        match (command.kind, &command.shown) {
            (Kind::Load, Shown::Unknown) => return,
            (Kind::Load, _) if is_overtaken => return,
            (Kind::Load, Shown::Entry(entry)) => {
                if is_newest() {
                    self.held.hold(*key, entry, *began);
                }
                return;
            }
            (Kind::Write, Shown::Entry(entry)) if !is_overtaken && is_newest() => {
                self.held.hold(*key, entry, *began);
            }
            // A load that found nothing, a write without an answer, or two writes at once, of which nobody knows
            // which came last.
            (Kind::Load, Shown::Nothing) | (Kind::Write, _) => self.held.remove(key),
        }
        under_way.era += 1;
    }
}

impl SharedLoad {
    fn answer(&self) -> Answer {
        Answer { receiver: self.sender.subscribe(), as_of: self.began.at }
    }
}

impl Answer {
    /// Waits for the answer; `None` if the load ended without one.
    pub(super) async fn wait(mut self) -> Option<Loaded> {
        let answer = self.receiver.wait_for(Option::is_some).await.ok()?;
        answer.clone()
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Load,
    Write,
}

/// The state of a key that the answer to a command shows.
enum Shown {
    /// There was no answer, or it does not tell.
    Unknown,
    Nothing,
    Entry(Entry),
}

/// A command under way. It ends when it is dropped, and without an answer if nobody has noted one: a write that is
/// dropped half-way may still be carried out.
pub(super) struct Command {
    memory: Arc<Memory>,
    kind: Kind,
    key: StoreKey,
    began: Began,
    era: u64,
    shown: Shown,
}

impl Command {
    /// Ends a load.
    pub(super) fn loaded(mut self, loaded: &Loaded) {
        self.shown = match loaded {
            Ok(Some(entry)) => Shown::Entry(entry.clone()),
            Ok(None) => Shown::Nothing,
            Err(_) => Shown::Unknown,
        };
    }

    /// Ends a write whose answer shows that this entry is there.
    pub(super) fn shows(mut self, entry: Entry) {
        self.shown = Shown::Entry(entry);
    }
}

impl Drop for Command {
    fn drop(&mut self) {
        let mut shard = self.memory.shard(&self.key);
        // Always there: it stays for as long as a command is under way.
        let Some(under_way) = shard.get_mut(&self.key) else { return };
        self.memory.learn(self, under_way);
        let is_mine = |load: &mut SharedLoad| load.began.number == self.began.number;
        under_way.load.take_if(is_mine);
        under_way.commands -= 1;
        if under_way.commands == 0 {
            shard.remove(&self.key);
        }
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("held", &self.held).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: StoreKey = StoreKey::from_bytes([7; 32]);
    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const MINUTE: Duration = Duration::from_secs(60);

    /// It may show what was there before the write, which may have been acknowledged before the look began.
    #[test]
    fn a_look_does_not_wait_for_a_load_that_a_write_has_overtaken() {
        let memory = Arc::new(Memory::new(1 << 20, MINUTE));
        let look = || memory.take_turn(&KEY, NOW, MINUTE, MINUTE);
        let leading = look();
        assert!(matches!(leading, Turn::Load(_)));
        assert!(matches!(look(), Turn::Wait(_)));
        drop(memory.begin_write(&KEY, NOW));
        assert!(matches!(look(), Turn::Load(_)));
    }
}
