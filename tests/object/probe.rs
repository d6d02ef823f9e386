//! The check at open: servers that ignore conditions are refused.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cloakroom::store::{BucketStore, StoreError, StoreErrorKind};
use cloakroom_testing::buckets::Emulator;
use cloakroom_testing::processes::free_port;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::buckets::{Bucket, names};
use super::wire::Fate;

/// How a bucket mistreats conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    IgnoresCreate,
    IgnoresUpdate,
    /// Compares, and writes a moment later.
    TwoSteps,
    /// Gives every content the same tag.
    OneTag,
    /// Answers reads from before the last write.
    Stale,
}

#[derive(Debug)]
struct Faulty {
    inner: InMemory,
    fault: Fault,
    writes: AtomicU32,
}

impl std::fmt::Display for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a faulty bucket")
    }
}

type List = std::pin::Pin<Box<dyn futures_core::Stream<Item = Result<ObjectMeta>> + Send>>;
type Paths = std::pin::Pin<Box<dyn futures_core::Stream<Item = Result<Path>> + Send>>;

#[async_trait::async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        options.mode = match (self.fault, options.mode) {
            (Fault::IgnoresCreate, PutMode::Create) => PutMode::Overwrite,
            (Fault::IgnoresUpdate, PutMode::Update(_)) => PutMode::Overwrite,
            (Fault::TwoSteps, PutMode::Update(expected)) => {
                let there = self.inner.get_opts(path, GetOptions::default()).await?.meta.e_tag;
                let mode = PutMode::Update(expected.clone());
                let is_there = there == expected.e_tag;
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                if is_there { PutMode::Overwrite } else { mode }
            }
            (Fault::OneTag, PutMode::Update(_)) => PutMode::Overwrite,
            (_, mode) => mode,
        };
        let mut put = self.inner.put_opts(path, payload, options).await?;
        if self.fault == Fault::OneTag {
            put.e_tag = Some("\"same\"".to_owned());
        }
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        if self.fault == Fault::Stale && self.writes.load(Ordering::SeqCst) > 0 {
            let old = InMemory::new();
            old.put_opts(path, "old".into(), PutOptions::default()).await?;
            return old.get_opts(path, options).await;
        }
        self.inner.get_opts(path, options).await
    }

    fn delete_stream(&self, paths: Paths) -> Paths {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> List {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn told(error: &StoreError) -> String {
    format!("{error:?}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_mistreats_conditions_is_refused() {
    for (fault, says) in [
        (Fault::IgnoresCreate, "ignores `If-None-Match: *`"),
        (Fault::IgnoresUpdate, "ignores `If-Match`"),
        (Fault::OneTag, "ignores `If-Match`"),
        (Fault::Stale, "does not see the write before it"),
        (Fault::TwoSteps, "in two steps"),
    ] {
        let faulty = Faulty { inner: InMemory::new(), fault, writes: AtomicU32::new(0) };
        let bucket = Arc::new(faulty);
        let error = BucketStore::builder(bucket.clone()).open().await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{fault:?}");
        assert!(told(&error).contains(says), "{fault:?}: {}", told(&error));
        assert!(told(&error).contains("a faulty bucket"), "{}", told(&error));
        assert!(names(&bucket.inner).await.is_empty(), "nothing is left");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs azurite, ministack and moto"]
async fn a_server_that_honours_conditions_is_accepted_and_nothing_is_left() {
    for emulator in Emulator::installed() {
        let bucket = Bucket::on(emulator).await;
        bucket.builder().open().await.unwrap();
        assert!(names(&*bucket.client()).await.is_empty(), "{emulator:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack and moto"]
async fn a_server_that_ignores_conditions_is_refused() {
    for emulator in [Emulator::Ministack, Emulator::Moto] {
        let bucket = Bucket::on(emulator).await;
        bucket.wire.all(Fate::Unconditional);
        let error = bucket.builder().open().await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
        assert!(told(&error).contains("ignores `If-None-Match: *`"), "{}", told(&error));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs azurite, ministack and moto"]
async fn a_bucket_that_does_not_exist_is_refused() {
    for emulator in Emulator::installed() {
        let bucket = Bucket::missing_at(emulator, emulator.port().await);
        let error = bucket.builder().open().await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
        let code = if emulator == Emulator::Azurite { "ContainerNotFound" } else { "NoSuchBucket" };
        assert!(told(&error).contains(code), "{}", told(&error));
        let source = error.source().unwrap().to_string();
        assert_eq!(source, format!("the bucket {}", bucket.client()));
        assert!(source.contains(&bucket.name), "{source}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_reached_is_unavailable() {
    let bucket = Bucket::missing_at(Emulator::Ministack, free_port());
    let error = bucket.builder().open().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(told(&error).contains("refused"), "{}", told(&error));
}

/// S3 answers 403 for an object that does not exist if the app may not list the bucket.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn a_missing_permission_to_list_is_explained() {
    let bucket = Bucket::on(Emulator::Ministack).await;
    bucket.wire.once("GET", Fate::Refused(403, "AccessDenied"));
    let error = bucket.builder().open().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Denied);
    assert!(told(&error).contains("`s3:ListBucket`"), "{}", told(&error));
}

/// A write is refused for a moment where a server allows one a second to each object.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ministack"]
async fn a_throttled_write_of_the_check_is_sent_again() {
    let bucket = Bucket::on(Emulator::Ministack).await;
    bucket.wire.once("PUT", Fate::Refused(429, "rateLimitExceeded"));
    bucket.builder().open().await.unwrap();
}
