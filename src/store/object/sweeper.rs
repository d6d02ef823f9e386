//! Removes expired sessions, outside of requests.

use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::command::FENCE;
use super::election;
use super::format::{self, Content};
use super::layout::{Layout, is_session};
use super::requests::{Listed, Put, Requests};
use crate::abort_on_drop::AbortOnDrop;
use crate::backoff;
use crate::clock::{Clock, Timestamp};
use crate::entropy;
use crate::store::failure::Failure;

/// The objects that are looked at beside each other.
const AT_ONCE: usize = 8;
/// The pause between two folders, of which a sweep has 256.
const PAUSE: Duration = Duration::from_millis(50);
/// The time for which an expired session is kept, because the servers' clocks may differ.
const GRACE: Duration = Duration::from_secs(60);
/// The longest that one request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest time between a fence and the delete that it announces.
const FENCE_TO_DELETE: Duration = Duration::from_secs(60);
/// The age at which an object of a check at open counts as abandoned.
const ABANDONED_AFTER: Duration = Duration::from_secs(60 * 60);
/// A server asks so often whether a sweep is due, or four times in an interval that is shorter.
const ASK_EVERY: Duration = Duration::from_secs(10 * 60);

/// The counts of one sweep, from [`BucketStore::sweep`](super::BucketStore::sweep).
///
/// ```
/// use cloakroom::store::BucketSwept;
///
/// assert_eq!(BucketSwept::default().failed, 0);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct BucketSwept {
    /// Sessions that were listed.
    pub listed: u64,
    /// Sessions that were read.
    pub inspected: u64,
    /// Expired sessions that were removed.
    pub removed: u64,
    /// Objects under a session's name that this release cannot read. They stay where they are.
    pub foreign: u64,
    /// Sessions that should have been read or removed and were not. A later sweep tries again.
    pub failed: u64,
}

/// The outcome for one object.
enum Outcome {
    Kept,
    Removed,
    Foreign,
}

/// Which objects a sweep looks at.
#[derive(Clone, Copy, Debug)]
enum Choice {
    All,
    /// Those that have come of age since the time of an earlier sweep, see [`has_come_of_age`].
    Since {
        last: Option<Timestamp>,
        interval: Duration,
    },
}

/// Removes expired objects.
pub(super) struct Sweeper {
    pub(super) requests: Requests,
    pub(super) layout: Layout,
    pub(super) clock: Clock,
}

impl Sweeper {
    /// Looks at every object once.
    pub(super) async fn sweep_all(self: &Arc<Self>) -> Result<BucketSwept, Failure> {
        self.sweep(Choice::All).await
    }

    async fn sweep(self: &Arc<Self>, choice: Choice) -> Result<BucketSwept, Failure> {
        let mut swept = BucketSwept::default();
        for shard in self.layout.shards() {
            let listed = self.requests.list(&shard, Instant::now() + PATIENCE).await?;
            if self.sweep_shard(listed, choice, &mut swept).await
                && matches!(choice, Choice::Since { .. })
            {
                sleep(PAUSE).await;
            }
        }
        self.remove_probes().await?;
        Ok(swept)
    }

    /// Returns whether there was anything in the folder.
    async fn sweep_shard(
        self: &Arc<Self>,
        listed: Vec<Listed>,
        choice: Choice,
        swept: &mut BucketSwept,
    ) -> bool {
        let is_empty = listed.is_empty();
        let mut looks = JoinSet::new();
        for object in listed.into_iter().filter(|object| is_session(&object.path)) {
            swept.listed += 1;
            if !self.is_chosen(&object, choice) {
                continue;
            }
            if looks.len() == AT_ONCE {
                count(swept, looks.join_next().await);
            }
            let sweeper = self.clone();
            looks.spawn(async move { sweeper.look(&object.path).await });
        }
        while let Some(ended) = looks.join_next().await {
            count(swept, Some(ended));
        }
        !is_empty
    }

    fn is_chosen(&self, object: &Listed, choice: Choice) -> bool {
        match choice {
            Choice::All => true,
            Choice::Since { last, interval } => {
                let now = self.clock.now();
                let then = last.map(|last| last.since(object.written));
                has_come_of_age(now.since(object.written), then, interval)
            }
        }
    }

    /// Reads one object, and removes it if it is over.
    async fn look(&self, path: &Path) -> Result<Outcome, Failure> {
        let Some(object) = self.requests.get(path, Instant::now() + PATIENCE).await? else {
            return Ok(Outcome::Kept);
        };
        let now = self.clock.now();
        let is_over = match format::decode(&object.bytes, &object.tag) {
            Ok(Content::Entry(stored)) => stored.entry.deadline.saturating_add(GRACE) <= now,
            Ok(Content::Removed) => true,
            Ok(Content::Fence(since)) => since.saturating_add(FENCE) <= now,
            Err(_) => return Ok(Outcome::Foreign),
        };
        if !is_over {
            return Ok(Outcome::Kept);
        }
        let (fence, until) = (format::encode_fence(now), Instant::now() + PATIENCE);
        if self.requests.put(path, fence, Some(&object.tag), until).await? == Put::Refused {
            return Ok(Outcome::Kept);
        }
        // This process may have stood still meanwhile. The fence stays, and a later sweep renews it.
        if self.clock.now() >= now.saturating_add(FENCE_TO_DELETE) {
            return Ok(Outcome::Kept);
        }
        self.requests.delete(path, Instant::now() + PATIENCE).await?;
        Ok(Outcome::Removed)
    }

    /// Removes what processes have left that were killed while they opened the store. Nobody else writes there.
    async fn remove_probes(&self) -> Result<(), Failure> {
        let probes = self.requests.list(&self.layout.probes(), Instant::now() + PATIENCE).await?;
        let now = self.clock.now();
        for probe in probes {
            if probe.written.saturating_add(ABANDONED_AFTER) <= now {
                self.requests.delete(&probe.path, Instant::now() + PATIENCE).await?;
            }
        }
        Ok(())
    }

    /// Sweeps if a sweep is due and no other server is at it. A sweep that fails is due again.
    async fn sweep_if_due(
        self: &Arc<Self>,
        interval: Duration,
    ) -> Result<Option<BucketSwept>, Failure> {
        let (path, now) = (self.layout.sweep(), self.clock.now());
        let elected = election::elect(&self.requests, &path, interval, now).await?;
        let Some(elected) = elected else { return Ok(None) };
        let swept = self.sweep(Choice::Since { last: elected.last, interval }).await;
        election::record(&self.requests, &path, elected, swept.is_ok()).await?;
        swept.map(Some)
    }
}

fn count(
    swept: &mut BucketSwept,
    ended: Option<Result<Result<Outcome, Failure>, tokio::task::JoinError>>,
) {
    match ended {
        None => {}
        Some(Ok(Ok(outcome))) => {
            swept.inspected += 1;
            match outcome {
                Outcome::Kept => {}
                Outcome::Removed => swept.removed += 1,
                Outcome::Foreign => swept.foreign += 1,
            }
        }
        Some(Ok(Err(failure))) => {
            swept.failed += 1;
            let error = failure.for_read();
            let error = &error as &dyn std::error::Error;
            tracing::debug!(error, "an object could not be swept");
        }
        Some(Err(_)) => swept.failed += 1,
    }
}

/// Returns whether an object's age has doubled since an earlier sweep, counted from `interval`: whether one of the
/// moments `interval`, twice it, four times it and so on lies between its age `then` and its age now.
///
/// A list does not tell the deadlines, and a look costs a request. At every sweep, sessions that live for weeks would
/// be looked at hundreds of times. So an object is looked at ten times in 1,000 intervals, and removed when it has
/// been over for as long as it had been untouched before, or for two intervals.
fn has_come_of_age(now: Duration, then: Option<Duration>, interval: Duration) -> bool {
    let doublings = |age: Duration| {
        let times = age.as_millis() / interval.as_millis().max(1);
        times.checked_ilog2().map_or(0, |doublings| doublings + 1)
    };
    doublings(now) > then.map_or(0, doublings)
}

/// Starts the task that sweeps whenever a sweep is due. It ends when the returned value is dropped.
pub(super) fn start(sweeper: Arc<Sweeper>, interval: Duration) -> AbortOnDrop<()> {
    AbortOnDrop::new(tokio::spawn(async move {
        loop {
            let random = entropy::for_a_pause(entropy::operating_system);
            let ask = (interval / 4).clamp(Duration::from_millis(10), ASK_EVERY);
            sleep(backoff::around(ask, random)).await;
            match sweeper.sweep_if_due(interval).await {
                Ok(Some(swept)) => tracing::debug!(?swept, "expired sessions removed"),
                Ok(None) => {}
                Err(failure) => {
                    let error = failure.for_read();
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the sweep of the bucket failed; it will be repeated");
                }
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn an_object_is_looked_at_when_its_age_has_doubled() {
        let looked_at = |from: u32, to: u32| has_come_of_age(HOUR * to, Some(HOUR * from), HOUR);
        assert!(!has_come_of_age(HOUR / 2, None, HOUR) && has_come_of_age(HOUR, None, HOUR));
        let looks: Vec<_> = (1..=1_000).filter(|&age| looked_at(age - 1, age)).collect();
        assert_eq!(looks, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
        assert!(looked_at(5, 9), "a moment that no sweep met is not forgotten");
        assert!(!looked_at(5, 5));
        assert!(has_come_of_age(HOUR, None, Duration::ZERO), "no division by zero");
    }
}
