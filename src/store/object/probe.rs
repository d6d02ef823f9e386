//! Checks, when the store is opened, that the server honours conditions.
//!
//! Some servers of the S3 protocol ignore the headers `If-None-Match` and `If-Match` and write anyway. Sessions
//! there would lose updates, and logouts, without any error. Others compare and then write in two steps, which
//! shows only when several writes arrive at once; one such race here may or may not find that out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error as ObjectError, ObjectStore, PutMode, PutResult, UpdateVersion};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::failure::{classify, is_throttled};
use super::layout::Layout;
use super::requests::{Comparison, Put, Requests};
use crate::entropy;
use crate::error::StoreErrorKind;
use crate::store::failure::Failure;

/// The time for the whole check. The first request also finds the credentials.
const PATIENCE: Duration = Duration::from_secs(20);
/// The writers that race for one object.
const RACERS: u8 = 8;
/// The pause before a write that a server refused because it was the second to one object within a second.
const A_SECOND: Duration = Duration::from_millis(1_100);

/// Finds out how the bucket compares, and that it does.
pub(super) async fn probe(
    bucket: Arc<dyn ObjectStore>,
    layout: &Layout,
    place: Arc<str>,
) -> Result<Requests, Failure> {
    let requests = Requests { bucket, comparison: Comparison::ETag, place };
    let mut random = [0; 16];
    entropy::operating_system(&mut random)
        .map_err(|error| Failure::not_applied(StoreErrorKind::Unavailable, error))?;
    let path = layout.probe(&random);
    let mut probe = Probe { requests, path, until: Instant::now() + PATIENCE };
    let checked = probe.check().await;
    // A sweep removes the object if this fails. A missing permission to delete is no reason not to start.
    if let Err(failure) = probe.requests.delete(&probe.path, probe.until).await {
        let error = failure.for_read();
        let error = &error as &dyn std::error::Error;
        tracing::debug!(error, "the object of the check at open could not be removed");
    }
    checked.map(|()| probe.requests)
}

struct Probe {
    requests: Requests,
    path: Path,
    until: Instant,
}

impl Probe {
    async fn check(&mut self) -> Result<(), Failure> {
        self.find_nothing().await?;
        let first = self.create().await?;
        self.choose_comparison(&first).await?;
        let tag = self.refuse_stale(&first).await?;
        match self.requests.comparison {
            Comparison::ETag => self.race(&tag).await,
            // Only Google compares generations, and allows one write a second to each object.
            Comparison::Generation => Ok(()),
        }
    }

    /// Reads an object that does not exist. Without the permission to list, S3 answers that with 403, which a
    /// session's end could not be told from.
    async fn find_nothing(&self) -> Result<(), Failure> {
        match self.requests.get(&self.path, self.until).await {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(self.misconfigured("it has an object that nobody has written")),
            Err(Failure::NotApplied(StoreErrorKind::Denied, source)) => {
                let hint = Hint { source };
                Err(Failure::not_applied(StoreErrorKind::Denied, hint))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Creates the object, and lets a second create be refused.
    async fn create(&self) -> Result<PutResult, Failure> {
        let first = self.put(0, PutMode::Create).await?;
        let first = first.map_err(|error| self.failure(error))?;
        match self.put(1, PutMode::Create).await? {
            Err(ObjectError::AlreadyExists { .. }) => Ok(first),
            Err(error) => Err(self.failure(error)),
            Ok(_) => Err(self.misconfigured(
                "the server ignores `If-None-Match: *`: it has written over an object",
            )),
        }
    }

    /// Writes over the object by its ETag, or else by its generation.
    async fn choose_comparison(&mut self, first: &PutResult) -> Result<(), Failure> {
        let by_tag = UpdateVersion { e_tag: first.e_tag.clone(), version: None };
        let Err(refused) = self.put(2, PutMode::Update(by_tag)).await? else { return Ok(()) };
        let Some(version) = first.version.clone() else { return Err(self.failure(refused)) };
        let by_generation = UpdateVersion { e_tag: None, version: Some(version) };
        match self.put(2, PutMode::Update(by_generation)).await? {
            Ok(_) => self.requests.comparison = Comparison::Generation,
            Err(_) => return Err(self.failure(refused)),
        }
        Ok(())
    }

    /// Writes on the tag of the state before, which must be refused. Returns the present tag.
    async fn refuse_stale(&self, first: &PutResult) -> Result<Box<str>, Failure> {
        let stale = match self.requests.comparison {
            Comparison::ETag => first.e_tag.as_deref(),
            Comparison::Generation => first.version.as_deref(),
        };
        let stale = stale.ok_or_else(|| self.misconfigured("its answers have no ETag"))?;
        let wrote = self.requests.put(&self.path, content(3), Some(stale), self.until).await?;
        if wrote != Put::Refused {
            return Err(self.misconfigured(
                "the server ignores `If-Match`: it has written over an object that was another one",
            ));
        }
        match self.requests.get(&self.path, self.until).await? {
            Some(object) if object.bytes == content(2) && *object.tag != *stale => Ok(object.tag),
            _ => Err(self.misconfigured("a read does not see the write before it")),
        }
    }

    /// Lets several writers write at once on one tag. At most one may succeed, and its bytes must be there.
    async fn race(&self, tag: &str) -> Result<(), Failure> {
        let mut racing = JoinSet::new();
        for racer in 10..10 + RACERS {
            let (requests, path, until) = (self.requests.clone(), self.path.clone(), self.until);
            let tag: Box<str> = tag.into();
            racing.spawn(async move {
                (racer, requests.put(&path, content(racer), Some(&tag), until).await)
            });
        }
        let mut winners = Vec::new();
        while let Some(ended) = racing.join_next().await {
            match ended {
                Ok((racer, Ok(Put::Done(_)))) => winners.push(racer),
                Ok((_, Ok(Put::Refused))) => {}
                Ok((_, Err(failure))) => return Err(failure),
                Err(ended) => return Err(Failure::indeterminate(ended)),
            }
        }
        let there = self.requests.get(&self.path, self.until).await?.map(|object| object.bytes);
        let expected = winners.first().map_or(content(2), |&winner| content(winner));
        if winners.len() > 1 || there != Some(expected) {
            return Err(self.misconfigured(
                "the server compares and then writes in two steps: of several writes at once, not exactly one \
                 was carried out",
            ));
        }
        Ok(())
    }

    /// Writes, and waits where the server says that this object was written too often.
    async fn put(
        &self,
        number: u8,
        mode: PutMode,
    ) -> Result<Result<PutResult, ObjectError>, Failure> {
        let putting = async {
            loop {
                let (payload, options) = (content(number).into(), mode.clone().into());
                let put = self.requests.bucket.put_opts(&self.path, payload, options).await;
                match put {
                    Err(error) if is_throttled(&error) => sleep(A_SECOND).await,
                    answer => return answer,
                }
            }
        };
        let unanswered =
            |_| Failure::indeterminate("no answer came in time").at(&*self.requests.place);
        timeout_at(self.until, putting).await.map_err(unanswered)
    }

    fn failure(&self, error: ObjectError) -> Failure {
        classify("PUT", error).at(&*self.requests.place)
    }

    fn misconfigured(&self, problem: &'static str) -> Failure {
        Failure::not_applied(StoreErrorKind::Misconfigured, problem).at(&*self.requests.place)
    }
}

/// Says what S3 does not.
#[derive(Debug, thiserror::Error)]
#[error(
    "reading is denied; on S3 the app also needs `s3:ListBucket`, without which an absent object is denied too"
)]
struct Hint {
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Returns the bytes of one write. They differ, because equal ones may have equal tags.
fn content(number: u8) -> Bytes {
    Bytes::from(format!("cloakroom checks this bucket: {number}"))
}
