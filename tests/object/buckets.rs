//! Buckets in memory and on the emulators, and stores in them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cloakroom::store::{
    BucketStore, BucketStoreBuilder, CommitId, Created, NewEntry, SessionStore, StoreError,
    StoreErrorKind, StoreKey, Version,
};
use cloakroom::{Clock, ManualClock};
use cloakroom_testing::MINUTE;
use cloakroom_testing::azurite;
use cloakroom_testing::buckets::Emulator;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::memory::InMemory;
use object_store::{ObjectStore, RetryConfig};

use super::wire::Wire;

/// A bucket on an emulator, and the wire to it.
#[derive(Clone)]
pub(crate) struct Bucket {
    emulator: Emulator,
    pub(crate) port: u16,
    pub(crate) name: String,
    pub(crate) wire: Wire,
}

impl Bucket {
    /// Creates a bucket on the emulator that all tests share.
    pub(crate) async fn on(emulator: Emulator) -> Self {
        Self::at(emulator, emulator.port().await).await
    }

    pub(crate) async fn at(emulator: Emulator, port: u16) -> Self {
        let bucket = Self::missing_at(emulator, port);
        let name = bucket.name.clone();
        let create = move || emulator.create_bucket(port, &name);
        tokio::task::spawn_blocking(create).await.unwrap();
        bucket
    }

    /// Returns a bucket that does not exist.
    pub(crate) fn missing_at(emulator: Emulator, port: u16) -> Self {
        static BUCKETS: AtomicU32 = AtomicU32::new(0);
        let number = BUCKETS.fetch_add(1, Ordering::Relaxed);
        let name = format!("sessions-{}-{number}", std::process::id());
        Self { emulator, port, name, wire: Wire::new() }
    }

    pub(crate) fn client(&self) -> Arc<dyn ObjectStore> {
        match self.emulator {
            Emulator::Azurite => self.azure(),
            Emulator::Ministack | Emulator::Moto => self.s3(),
        }
    }

    fn azure(&self) -> Arc<dyn ObjectStore> {
        let client = MicrosoftAzureBuilder::new()
            .with_container_name(&self.name)
            .with_account(azurite::ACCOUNT)
            .with_access_key(azurite::KEY)
            .with_endpoint(azurite::endpoint(self.port))
            .with_allow_http(true)
            .with_retry(once())
            .with_http_connector(self.wire.clone());
        Arc::new(client.build().unwrap())
    }

    fn s3(&self) -> Arc<dyn ObjectStore> {
        let client = AmazonS3Builder::new()
            .with_bucket_name(&self.name)
            .with_region("us-east-1")
            .with_access_key_id("visible")
            .with_secret_access_key("open-sesame")
            .with_endpoint(format!("http://127.0.0.1:{}", self.port))
            .with_allow_http(true)
            .with_disable_bulk_delete(true)
            .with_retry(once())
            .with_http_connector(self.wire.clone());
        Arc::new(client.build().unwrap())
    }

    pub(crate) fn builder(&self) -> BucketStoreBuilder {
        builder(self.client())
    }

    /// Opens a store, and forgets the requests of that.
    pub(crate) async fn store(&self) -> BucketStore {
        let store = self.builder().open().await.unwrap();
        self.wire.take();
        store
    }
}

/// Turns the client's retries off.
fn once() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

/// Returns a builder of a store that does not sweep, and has time on a busy machine.
pub(crate) fn builder(bucket: Arc<dyn ObjectStore>) -> BucketStoreBuilder {
    BucketStore::builder(bucket).sweep_every(None).command_timeout(MINUTE / 2)
}

/// Opens a store in memory whose clock stands still.
pub(crate) async fn in_memory() -> (BucketStore, Arc<InMemory>, ManualClock) {
    let (bucket, clock) = (Arc::new(InMemory::new()), ManualClock::at(Clock::system().now()));
    let store = builder(bucket.clone()).clock(clock.clone()).open().await.unwrap();
    (store, bucket, clock)
}

/// Returns the names of all objects.
pub(crate) async fn names(bucket: &dyn ObjectStore) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![None];
    while let Some(folder) = folders.pop() {
        let list = bucket.list_with_delimiter(folder.as_ref()).await.unwrap();
        names.extend(list.objects.into_iter().map(|object| object.location.to_string()));
        folders.extend(list.common_prefixes.into_iter().map(Some));
    }
    names
}

pub(crate) fn key(number: u8) -> StoreKey {
    StoreKey::from_bytes([number; 32])
}

/// Returns the name of the object under this key.
pub(crate) fn path(key: &StoreKey) -> object_store::path::Path {
    let digits: String = key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}/{}", &digits[..2], &digits[2..]).into()
}

pub(crate) fn entry(commit: u8) -> NewEntry {
    let deadline = Clock::system().now().saturating_add(10 * MINUTE);
    NewEntry::new(CommitId::from_bytes([commit; 8]), deadline, format!("bytes of {commit}"))
}

pub(crate) async fn created(store: &BucketStore, key: &StoreKey, new: &NewEntry) -> Version {
    match store.create(key, new).await.unwrap() {
        Created::Done(version) => version,
        Created::Exists => panic!("there is one already"),
    }
}

/// Returns the errors of all five commands on one key. The replace expects `version`.
pub(crate) async fn errors(
    store: &BucketStore,
    key: &StoreKey,
    version: &Version,
) -> Vec<Option<StoreErrorKind>> {
    let later = entry(1).deadline.saturating_add(MINUTE);
    let kind = |error: StoreError| error.kind();
    vec![
        store.load(key).await.err().map(kind),
        store.create(key, &entry(2)).await.err().map(kind),
        store.replace(key, version, &entry(2)).await.err().map(kind),
        store.touch(key, version, later).await.err().map(kind),
        store.delete(key).await.err().map(kind),
    ]
}
