//! What the store does with an entry, and the nearest that fred does with the same bytes.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cloakroom::store::{Created, RedisStore, Replaced, SessionStore, StoreKey, Version};
use cloakroom::{Clock, Timestamp};
use fred::clients::Client;
use fred::interfaces::{ClientLike, KeysInterface};
use fred::types::{ClusterHash, CustomCommand, Expiration, Value};

use crate::redis_crew::Job;
use crate::sessions::{entry_of, key_of};

/// The store's default.
const PREFIX: &str = "cloakroom:";
/// Of the same length.
const OTHER_PREFIX: &str = "comparing:";
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// No two are alike in one run.
fn next_number() -> usize {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

fn deadline() -> Timestamp {
    Clock::system().now().saturating_add(LIFETIME)
}

/// What the server has under the key of a new entry: the bytes that both sides move.
///
/// # Panics
///
/// When the store keeps it elsewhere.
pub async fn value_of(store: &RedisStore, client: &Client, record: &Bytes) -> Bytes {
    let (key, _) = create(store, record).await;
    let digits: String = key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let value: Option<Bytes> = client.get(format!("{PREFIX}{digits}")).await.expect("it answers");
    value.expect("it is under the prefix")
}

async fn create(store: &RedisStore, record: &Bytes) -> (StoreKey, Version) {
    let number = next_number();
    let (key, entry) = (key_of(number), entry_of(number, record, deadline()));
    match store.create(&key, &entry).await {
        Ok(Created::Done(version)) => (key, version),
        other => panic!("a new entry is not created: {other:?}"),
    }
}

/// The store's `load`.
#[derive(Debug)]
pub struct Load {
    store: RedisStore,
    key: StoreKey,
}

impl Load {
    /// Of an entry of its own.
    pub async fn new(store: &RedisStore, record: &Bytes) -> Self {
        let (key, _) = create(store, record).await;
        Self { store: store.clone(), key }
    }
}

impl Job for Load {
    async fn once(&mut self) {
        let entry = self.store.load(&self.key).await.expect("it answers");
        black_box(entry.expect("it is there"));
    }
}

/// The store's `replace`.
#[derive(Debug)]
pub struct Replace {
    store: RedisStore,
    key: StoreKey,
    version: Version,
    record: Bytes,
}

impl Replace {
    /// Of an entry of its own.
    pub async fn new(store: &RedisStore, record: &Bytes) -> Self {
        let (key, version) = create(store, record).await;
        Self { store: store.clone(), key, version, record: record.clone() }
    }
}

impl Job for Replace {
    async fn once(&mut self) {
        let entry = entry_of(next_number(), &self.record, deadline());
        match self.store.replace(&self.key, &self.version, &entry).await {
            Ok(Replaced::Done(version)) => self.version = version,
            other => panic!("an entry that nobody else writes is not replaced: {other:?}"),
        }
    }
}

/// The store's `create`.
#[derive(Debug)]
pub struct Create {
    store: RedisStore,
    client: Client,
    record: Bytes,
}

impl Create {
    /// The client is for tidying up.
    pub fn new(store: &RedisStore, client: &Client, record: &Bytes) -> Self {
        Self { store: store.clone(), client: client.clone(), record: record.clone() }
    }
}

impl Job for Create {
    async fn once(&mut self) {
        black_box(create(&self.store, &self.record).await);
    }

    async fn tidy(&mut self) {
        flush(&self.client).await;
    }
}

/// fred's `GET`.
#[derive(Debug)]
pub struct Get {
    client: Client,
    name: Bytes,
}

impl Get {
    /// Of a string of its own.
    pub async fn new(client: &Client, value: &Bytes) -> Self {
        let name = next_name();
        set(client, name.clone(), value.clone()).await;
        Self { client: client.clone(), name }
    }
}

impl Job for Get {
    async fn once(&mut self) {
        let value: Option<Bytes> = self.client.get(self.name.clone()).await.expect("it answers");
        black_box(value.expect("it is there"));
    }
}

/// fred's `SET … PX`.
#[derive(Debug)]
pub struct Set {
    client: Client,
    name: Option<Bytes>,
    value: Bytes,
}

impl Set {
    /// Of the same string each time.
    pub fn over(client: &Client, value: &Bytes) -> Self {
        Self { client: client.clone(), name: Some(next_name()), value: value.clone() }
    }

    /// Of a new string each time.
    pub fn anew(client: &Client, value: &Bytes) -> Self {
        Self { client: client.clone(), name: None, value: value.clone() }
    }
}

impl Job for Set {
    async fn once(&mut self) {
        let name = self.name.clone().unwrap_or_else(next_name);
        // The store's entries come in an allocation of their own each time, as records do.
        set(&self.client, name, self.value.to_vec().into()).await;
    }

    async fn tidy(&mut self) {
        if self.name.is_none() {
            flush(&self.client).await;
        }
    }
}

fn next_name() -> Bytes {
    format!("{OTHER_PREFIX}{:064x}", next_number()).into()
}

async fn set(client: &Client, name: Bytes, value: Bytes) {
    let left = Expiration::PX(i64::try_from(LIFETIME.as_millis()).expect("half an hour"));
    let done: Result<(), _> = client.set(name, value, Some(left), None, false).await;
    done.expect("it answers");
}

/// Many new entries would otherwise fill the machine's memory.
async fn flush(client: &Client) {
    let command = CustomCommand::new_static("FLUSHALL", ClusterHash::FirstKey, false);
    let done: Result<(), _> = client.custom(command, Vec::<Value>::new()).await;
    done.expect("it answers");
}
