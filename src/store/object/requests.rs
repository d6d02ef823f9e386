//! The four requests that the store sends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{
    Error as ObjectError, GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
    UpdateVersion,
};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Instrument;

use super::failure::{classify, is_missing_bucket};
use super::format::LONGEST_HEAD;
use crate::backoff::Backoff;
use crate::clock::Timestamp;
use crate::entropy;
use crate::error::StoreErrorKind;
use crate::store::failure::Failure;

/// The largest limit that [`max_entry_bytes`](super::BucketStoreBuilder::max_entry_bytes) can set. A larger object
/// is none of ours, and is not read.
pub(super) const LARGEST_ENTRY: usize = 16 << 20;
/// The most times that a read is sent. Each attempt has the same part of the time.
const READ_ATTEMPTS: u32 = 3;
/// The pauses between the attempts of a read.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(200));

/// The part of a tag that a conditional write sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// The ETag, as S3 and Azure do.
    ETag,
    /// The generation, as Google does.
    Generation,
}

/// A bucket, and how its conditional writes compare.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    pub(super) bucket: Arc<dyn ObjectStore>,
    pub(super) comparison: Comparison,
    /// The bucket and the prefix, for errors.
    pub(super) place: Arc<str>,
}

/// An object as it was read.
#[derive(Debug)]
pub(super) struct Object {
    /// Empty for an object that is larger than any of ours.
    pub(super) bytes: Bytes,
    pub(super) tag: Box<str>,
}

/// An object in a list.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) path: Path,
    pub(super) written: Timestamp,
}

/// The outcome of a conditional write.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// Written; this is the object's tag.
    Done(Box<str>),
    /// The condition does not hold, or another write was under way. Nothing was written.
    Refused,
}

impl Requests {
    /// Reads an object. Asks again after a failure that may pass.
    pub(super) async fn get(&self, path: &Path, until: Instant) -> Result<Option<Object>, Failure> {
        let mut failures = 0;
        loop {
            let rest = until.saturating_duration_since(Instant::now());
            let attempt = Instant::now() + rest / (READ_ATTEMPTS - failures);
            match self.get_once(path, attempt).await {
                Err(failure) if may_pass(&failure) && failures + 1 < READ_ATTEMPTS => {
                    failures += 1;
                    let random = entropy::for_a_pause(entropy::operating_system);
                    sleep(PAUSES.pause(failures, random)).await;
                }
                answer => return answer,
            }
        }
    }

    async fn get_once(&self, path: &Path, until: Instant) -> Result<Option<Object>, Failure> {
        let (requests, path) = (self.clone(), path.clone());
        let reading = async move {
            let got = requests.bucket.get_opts(&path, GetOptions::default()).await?;
            let (e_tag, version, size) = (&got.meta.e_tag, &got.meta.version, got.meta.size);
            let tag = requests.tag(e_tag.as_deref(), version.as_deref())?;
            let largest = u64::try_from(LARGEST_ENTRY + LONGEST_HEAD).unwrap_or(u64::MAX);
            let bytes = if size > largest { Bytes::new() } else { got.bytes().await? };
            Ok(Object { bytes, tag })
        };
        match in_own_task(until, reading).await {
            Ok(Ok(object)) => Ok(Some(object)),
            Ok(Err(error @ ObjectError::NotFound { .. })) if !is_missing_bucket(&error) => Ok(None),
            Ok(Err(error)) => Err(self.failure("GET", error)),
            Err(unanswered) => Err(unanswered.at(&*self.place)),
        }
    }

    /// Replaces the object that has the tag `over`; without a tag, creates one where there is none. The request is
    /// sent once.
    pub(super) async fn put(
        &self,
        path: &Path,
        bytes: Bytes,
        over: Option<&str>,
        until: Instant,
    ) -> Result<Put, Failure> {
        let mode = over.map_or(PutMode::Create, |tag| PutMode::Update(self.condition(tag)));
        let (requests, path) = (self.clone(), path.clone());
        let writing = async move {
            let (payload, options) = (PutPayload::from(bytes), PutOptions::from(mode));
            let put = requests.bucket.put_opts(&path, payload, options).await?;
            requests.tag(put.e_tag.as_deref(), put.version.as_deref())
        };
        match in_own_task(until, writing).await {
            Ok(Ok(tag)) => Ok(Put::Done(tag)),
            // A conflict with a write under way (409) is reported as `AlreadyExists`, whatever the condition.
            Ok(Err(ObjectError::AlreadyExists { .. } | ObjectError::Precondition { .. })) => {
                Ok(Put::Refused)
            }
            Ok(Err(error)) => Err(self.failure("PUT", error)),
            Err(unanswered) => Err(unanswered.at(&*self.place)),
        }
    }

    /// Deletes an object, whatever it holds. Its absence is success.
    pub(super) async fn delete(&self, path: &Path, until: Instant) -> Result<(), Failure> {
        let (bucket, path) = (self.bucket.clone(), path.clone());
        match in_own_task(until, async move { bucket.delete(&path).await }).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error @ ObjectError::NotFound { .. })) if !is_missing_bucket(&error) => Ok(()),
            Ok(Err(error)) => Err(self.failure("DELETE", error)),
            Err(unanswered) => Err(unanswered.at(&*self.place)),
        }
    }

    /// Lists the objects of one folder.
    pub(super) async fn list(&self, folder: &Path, until: Instant) -> Result<Vec<Listed>, Failure> {
        let (bucket, folder) = (self.bucket.clone(), folder.clone());
        let listing = async move { bucket.list_with_delimiter(Some(&folder)).await };
        match in_own_task(until, listing).await {
            Ok(Ok(list)) => {
                let listed = list.objects.into_iter().map(|object| {
                    let written = object.last_modified.timestamp_millis();
                    let written = Timestamp::from_millis(u64::try_from(written).unwrap_or(0));
                    Listed { path: object.location, written }
                });
                Ok(listed.collect())
            }
            Ok(Err(error)) => Err(self.failure("LIST", error)),
            Err(unanswered) => Err(unanswered.at(&*self.place)),
        }
    }

    /// Returns the part of an object's state that a conditional write compares.
    fn tag(&self, e_tag: Option<&str>, version: Option<&str>) -> Result<Box<str>, ObjectError> {
        let tag = match self.comparison {
            Comparison::ETag => e_tag,
            Comparison::Generation => version,
        };
        tag.map(Into::into).ok_or_else(|| ObjectError::Generic {
            store: "bucket",
            source: "the answer has no ETag or generation".into(),
        })
    }

    fn condition(&self, tag: &str) -> UpdateVersion {
        let tag = Some(tag.to_owned());
        match self.comparison {
            Comparison::ETag => UpdateVersion { e_tag: tag, version: None },
            Comparison::Generation => UpdateVersion { e_tag: None, version: tag },
        }
    }

    fn failure(&self, operation: &'static str, error: ObjectError) -> Failure {
        classify(operation, error).at(&*self.place)
    }
}

/// Whether a read that failed so may succeed when it is sent again.
fn may_pass(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Indeterminate(_) | Failure::NotApplied(StoreErrorKind::Unavailable, _)
    )
}

/// Sends a request in a task of its own, and gives it up at `until`. If the future is dropped, the task goes on:
/// the request may be under way.
///
/// The client lets one request fetch the credentials for all that come meanwhile. A request that was sent here, by
/// a future which nobody polls any more, would keep them from everybody else.
async fn in_own_task<T: Send + 'static>(
    until: Instant,
    sending: impl Future<Output = Result<T, ObjectError>> + Send + 'static,
) -> Result<Result<T, ObjectError>, Failure> {
    match tokio::spawn(timeout_at(until, sending.in_current_span())).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(Failure::indeterminate("no answer came in time")),
        // The runtime ended the task.
        Err(ended) => Err(Failure::indeterminate(ended)),
    }
}
