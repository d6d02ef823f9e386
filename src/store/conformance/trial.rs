//! One law on one fresh key: runs the five commands and turns every unexpected answer into a
//! [`Violation`].

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::harness::Harness;
use super::violation::{Verdict, Violation};
use crate::clock::Timestamp;
use crate::entropy;
use crate::error::StoreError;
use crate::error_chain::WithCauses;
use crate::id::{CommitId, StoreKey};
use crate::store::contract::SessionStore;
use crate::store::entry::{Created, Entry, NewEntry, Replaced, Touched, Version};

/// The longest time that a law lets pass, and so the longest that it waits in real time.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// The lifetime of an entry that should not expire during the law.
pub(super) const AN_HOUR: Duration = Duration::from_secs(60 * 60);

/// A store handle, a key that nobody else has, and the sentence that is tried.
#[derive(Clone)]
pub(super) struct Trial {
    pub(super) store: Arc<dyn SessionStore>,
    pub(super) key: StoreKey,
    sentence: &'static str,
    opened_at: Timestamp,
    resolution: Duration,
}

impl Trial {
    pub(super) async fn new(sentence: &'static str, harness: &dyn Harness) -> Self {
        Self {
            store: harness.open().await,
            key: StoreKey::from_bytes(random()),
            sentence,
            opened_at: harness.now(),
            resolution: harness.resolution(),
        }
    }

    /// Returns the same entry through another handle, as another server would reach it.
    pub(super) async fn through_another_handle(&self, harness: &dyn Harness) -> Self {
        Self { store: harness.open().await, ..self.clone() }
    }

    /// Returns the same store under another key.
    pub(super) fn at(&self, key: StoreKey) -> Self {
        Self { key, ..self.clone() }
    }

    pub(super) fn at_another_key(&self) -> Self {
        self.at(StoreKey::from_bytes(random()))
    }

    pub(super) fn broken(&self, found: impl Display) -> Violation {
        Violation::new(self.sentence, found)
    }

    pub(super) fn fail<T>(&self, found: impl Display) -> Result<T, Violation> {
        Err(self.broken(found))
    }

    /// Returns `Ok` when `kept` holds. `found` tells what the store did instead.
    pub(super) fn check(&self, kept: bool, found: impl Display) -> Verdict {
        if kept { Ok(()) } else { self.fail(found) }
    }
}

/// Makes entries to write.
impl Trial {
    /// Returns an entry that outlives the law.
    pub(super) fn entry(&self, bytes: impl Into<Bytes>) -> NewEntry {
        self.entry_for(AN_HOUR, bytes)
    }

    /// Returns an entry that lives for `lifetime` from the beginning of the law.
    pub(super) fn entry_for(&self, lifetime: Duration, bytes: impl Into<Bytes>) -> NewEntry {
        self.entry_until(self.opened_at.saturating_add(lifetime), bytes)
    }

    pub(super) fn entry_until(&self, deadline: Timestamp, bytes: impl Into<Bytes>) -> NewEntry {
        NewEntry::new(CommitId::from_bytes(random()), deadline, bytes)
    }

    /// Returns an entry that has expired once [`Trial::wait_for_expiry`] returns, and not much sooner.
    pub(super) fn brief_entry(&self, harness: &dyn Harness, bytes: impl Into<Bytes>) -> NewEntry {
        self.entry_until(harness.now().saturating_add(self.brief_lifetime()), bytes)
    }

    /// Returns a lifetime that is over after the longest wait, even when the store rounds it up by its
    /// whole resolution.
    pub(super) fn brief_lifetime(&self) -> Duration {
        LONGEST_WAIT.saturating_sub(self.resolution)
    }

    pub(super) async fn wait_for_expiry(harness: &dyn Harness) {
        harness.advance(LONGEST_WAIT).await;
    }

    pub(super) fn deadline(&self, lifetime: Duration) -> Timestamp {
        self.opened_at.saturating_add(lifetime)
    }
}

/// Runs the five commands. A command that fails breaks the law.
impl Trial {
    pub(super) async fn load(&self) -> Result<Option<Entry>, Violation> {
        self.store.load(&self.key).await.map_err(|error| self.failed("load", &error))
    }

    pub(super) async fn create(&self, entry: &NewEntry) -> Result<Created, Violation> {
        self.store.create(&self.key, entry).await.map_err(|error| self.failed("create", &error))
    }

    pub(super) async fn replace(
        &self,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, Violation> {
        let replaced = self.store.replace(&self.key, expected, entry).await;
        replaced.map_err(|error| self.failed("replace", &error))
    }

    pub(super) async fn touch(
        &self,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, Violation> {
        let touched = self.store.touch(&self.key, expected, deadline).await;
        touched.map_err(|error| self.failed("touch", &error))
    }

    pub(super) async fn delete(&self) -> Verdict {
        self.store.delete(&self.key).await.map_err(|error| self.failed("delete", &error))
    }

    fn failed(&self, command: &str, error: &StoreError) -> Violation {
        let (kind, error) = (error.kind(), WithCauses(error));
        self.broken(format_args!("{command} failed with {kind:?}: {error}"))
    }
}

/// Runs commands that must have one certain answer.
impl Trial {
    pub(super) async fn created(&self, entry: &NewEntry) -> Result<Version, Violation> {
        match self.create(entry).await? {
            Created::Done(version) => Ok(version),
            Created::Exists => self.fail("create answered Exists where no entry is live"),
        }
    }

    pub(super) async fn replaced(
        &self,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Version, Violation> {
        match self.replace(expected, entry).await? {
            Replaced::Done(version) => Ok(version),
            Replaced::Conflict(_) => self.fail("replace of the current version answered Conflict"),
            Replaced::Gone => self.fail("replace of a live entry answered Gone"),
        }
    }

    pub(super) async fn replace_is_gone(&self, expected: &Version) -> Verdict {
        let answer = self.replace(expected, &self.entry("late")).await?;
        self.check(
            answer == Replaced::Gone,
            format_args!("replace answered {}, not Gone", Answer(&answer)),
        )
    }

    pub(super) async fn touch_is(
        &self,
        wanted: Touched,
        expected: &Version,
        deadline: Timestamp,
    ) -> Verdict {
        let answer = self.touch(expected, deadline).await?;
        self.check(answer == wanted, format_args!("touch answered {answer:?}, not {wanted:?}"))
    }

    /// Loads the entry, which must be live.
    pub(super) async fn live(&self) -> Result<Entry, Violation> {
        self.load().await?.ok_or_else(|| self.broken("load found no entry where one is live"))
    }

    pub(super) async fn is_absent(&self) -> Verdict {
        match self.load().await? {
            None => Ok(()),
            Some(entry) => self
                .fail(format_args!("load found {} where no entry is live", Excerpt(&entry.bytes))),
        }
    }

    /// Checks that the live entry is `written`, under this version.
    pub(super) async fn holds(&self, version: &Version, written: &NewEntry) -> Verdict {
        self.is(&self.live().await?, version, written)
    }

    pub(super) fn is(&self, found: &Entry, version: &Version, written: &NewEntry) -> Verdict {
        self.check(
            found.bytes == written.bytes,
            format_args!("{} was found, not {}", Excerpt(&found.bytes), Excerpt(&written.bytes)),
        )?;
        self.check(
            found.version == *version,
            format_args!("{:?} was found, not {version:?}", found.version),
        )?;
        self.has_deadline(found, written.deadline)
    }

    /// Checks the deadline. A store may round it up, by at most its resolution, and never down.
    pub(super) fn has_deadline(&self, found: &Entry, wanted: Timestamp) -> Verdict {
        let latest = wanted.saturating_add(self.resolution);
        self.check(
            (wanted..=latest).contains(&found.deadline),
            format_args!(
                "the deadline {} was found, not {} (resolution {:?})",
                found.deadline.as_millis(),
                wanted.as_millis(),
                self.resolution
            ),
        )
    }
}

/// Prints a length and the first bytes, because values have up to a few megabytes.
pub(super) struct Excerpt<'a>(pub(super) &'a [u8]);

impl Display for Excerpt<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let start = self.0.get(..16).unwrap_or(self.0);
        write!(f, "{} bytes (\"{}\"…)", self.0.len(), start.escape_ascii())
    }
}

/// Prints an answer without the bytes of an entry.
pub(super) struct Answer<'a>(pub(super) &'a Replaced);

impl Display for Answer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Replaced::Done(_) => f.write_str("Done"),
            Replaced::Conflict(entry) => write!(f, "Conflict with {}", Excerpt(&entry.bytes)),
            Replaced::Gone => f.write_str("Gone"),
        }
    }
}

/// Draws random bytes, so that laws never meet each other's entries, nor those of an earlier run.
#[expect(clippy::expect_used, reason = "a test without random keys could pass by accident")]
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    entropy::operating_system(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
