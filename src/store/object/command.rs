//! One key and the time that a command on it has.

use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;
use tokio::time::{Instant, sleep};

use super::format::{self, Content, NotOurs, StoredEntry};
use super::requests::{Object, Put, Requests};
use crate::clock::{Clock, Timestamp};
use crate::entropy;
use crate::error::{StoreError, StoreErrorKind};
use crate::store::failure::Failure;

/// The time for which nothing is written over a fence: the sweep that put it there may still delete the object.
///
/// The delete follows within seconds. If the sweep's process dies in between, or the request is held up on its way,
/// S3 and Azure still refuse it after 15 minutes, because the time is part of the signature. The rest is for clocks
/// that differ by up to 15 minutes, beyond which they refuse all requests. (Google's requests have no time in them.)
pub(super) const FENCE: Duration = Duration::from_secs(60 * 60);
/// The pause before the next look at a fence.
const PAUSE: Duration = Duration::from_millis(20);

/// A command under way.
pub(super) struct Command<'a> {
    pub(super) requests: &'a Requests,
    pub(super) clock: &'a Clock,
    pub(super) path: Path,
    pub(super) until: Instant,
}

/// The object that a create may write over.
pub(super) enum Vacancy {
    /// No object is there.
    Nothing,
    /// One that is over, with this tag.
    Over(Box<str>),
}

impl Command<'_> {
    pub(super) fn has_time(&self) -> bool {
        Instant::now() < self.until
    }

    /// Returns the entry of the object, even if its deadline has passed.
    async fn find(&self) -> Result<Option<StoredEntry>, StoreError> {
        let Some(object) = self.read().await? else { return Ok(None) };
        match self.decode(&object)? {
            Content::Entry(stored) => Ok(Some(stored)),
            Content::Removed | Content::Fence(_) => Ok(None),
        }
    }

    pub(super) async fn find_live(&self) -> Result<Option<StoredEntry>, StoreError> {
        let stored = self.find().await?;
        Ok(stored.filter(|stored| self.is_live(stored.entry.deadline)))
    }

    /// Returns what a create may write over, or `None` when an entry is live. Waits until a sweep has deleted what
    /// it is deleting.
    pub(super) async fn find_vacancy(&self) -> Result<Option<Vacancy>, StoreError> {
        loop {
            let Some(object) = self.read().await? else { return Ok(Some(Vacancy::Nothing)) };
            match self.decode(&object)? {
                Content::Entry(stored) if self.is_live(stored.entry.deadline) => return Ok(None),
                Content::Fence(since) if self.is_fresh(since) => {
                    if !self.has_time() {
                        let problem = "an expired entry under this key is being removed";
                        return Err(StoreError::new(StoreErrorKind::Unavailable, problem));
                    }
                    let random = entropy::for_a_pause(entropy::operating_system);
                    sleep(PAUSE + PAUSE * u32::from(random) / 255).await;
                }
                _ => return Ok(Some(Vacancy::Over(object.tag))),
            }
        }
    }

    /// Puts `removed` over what is there, readable or not, unless it is of a newer format. Returns whether nothing
    /// is there now: another object may have come meanwhile.
    pub(super) async fn remove(&self) -> Result<bool, StoreError> {
        let Some(object) = self.read().await? else { return Ok(true) };
        match format::decode(&object.bytes, &object.tag) {
            Err(newer @ NotOurs::Newer(_)) => Err(self.unreadable(newer)),
            Ok(Content::Removed | Content::Fence(_)) => Ok(true),
            Ok(Content::Entry(_)) | Err(NotOurs::Foreign) => {
                let removed = format::encode_removed(self.clock.now());
                Ok(self.write(removed, Some(&object.tag)).await? != Put::Refused)
            }
        }
    }

    /// Replaces the object that has the tag `over`; without a tag, creates one where there is none.
    pub(super) async fn write(&self, bytes: Bytes, over: Option<&str>) -> Result<Put, StoreError> {
        let put = self.requests.put(&self.path, bytes, over, self.until).await;
        put.map_err(Failure::for_write)
    }

    pub(super) fn is_live(&self, deadline: Timestamp) -> bool {
        deadline > self.clock.now()
    }

    fn is_fresh(&self, fence: Timestamp) -> bool {
        fence.saturating_add(FENCE) > self.clock.now()
    }

    async fn read(&self) -> Result<Option<Object>, StoreError> {
        self.requests.get(&self.path, self.until).await.map_err(Failure::for_read)
    }

    fn decode(&self, object: &Object) -> Result<Content, StoreError> {
        let content = format::decode(&object.bytes, &object.tag);
        content.map_err(|reason| self.unreadable(reason))
    }

    /// An object of a newer release is not `Corrupt`: a logout may delete what is corrupt, and during a roll-out
    /// another server of the app can read this one.
    fn unreadable(&self, reason: NotOurs) -> StoreError {
        let (kind, problem) = match reason {
            NotOurs::Foreign => (
                StoreErrorKind::Corrupt,
                "the object under the key of a session is not an entry of this library".to_owned(),
            ),
            NotOurs::Newer(format) => (
                StoreErrorKind::NewerFormat,
                format!("its format {format} is newer than this release reads; update this server"),
            ),
        };
        Failure::not_applied(kind, problem).at(&*self.requests.place).for_read()
    }
}
