//! The store's commands on an entry, and fred's most similar commands with the same bytes.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cloakroom::store::{Created, RedisStore, Replaced, SessionStore, StoreKey, Version};
use cloakroom::{Clock, Timestamp};
use fred::clients::Client;
use fred::interfaces::{ClientLike, KeysInterface};
use fred::types::{ClusterHash, CustomCommand, Expiration, Value};

use crate::crew::Job;
use crate::sessions::{entry_of, key_of};

/// The store's default prefix.
const PREFIX: &str = "cloakroom:";
/// A prefix of the same length for fred's keys.
const OTHER_PREFIX: &str = "comparing:";
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// Returns a number that is unique in this run.
fn next_number() -> usize {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

fn deadline() -> Timestamp {
    Clock::system().now().saturating_add(LIFETIME)
}

/// Returns the server's value of a new entry: the bytes that both sides move.
///
/// # Panics
///
/// If the store keeps it elsewhere.
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

/// A job that calls the store's `load`.
#[derive(Debug)]
pub struct Load {
    store: RedisStore,
    key: StoreKey,
}

impl Load {
    /// Creates the job with its own entry.
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

/// A job that calls the store's `replace`.
#[derive(Debug)]
pub struct Replace {
    store: RedisStore,
    key: StoreKey,
    version: Version,
    record: Bytes,
}

impl Replace {
    /// Creates the job with its own entry.
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

/// A job that calls the store's `create`.
#[derive(Debug)]
pub struct Create {
    store: RedisStore,
    client: Client,
    record: Bytes,
}

impl Create {
    /// Creates the job. It uses the client to empty its database.
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

/// A job that sends `GET` with fred.
#[derive(Debug)]
pub struct Get {
    client: Client,
    name: Bytes,
}

impl Get {
    /// Creates the job with its own string.
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

/// A job that sends `SET … PX` with fred.
#[derive(Debug)]
pub struct Set {
    client: Client,
    name: Option<Bytes>,
    value: Bytes,
}

impl Set {
    /// Creates a job that sets the same string each time.
    pub fn over(client: &Client, value: &Bytes) -> Self {
        Self { client: client.clone(), name: Some(next_name()), value: value.clone() }
    }

    /// Creates a job that sets a new string each time, and that empties its database.
    pub fn anew(client: &Client, value: &Bytes) -> Self {
        Self { client: client.clone(), name: None, value: value.clone() }
    }
}

impl Job for Set {
    async fn once(&mut self) {
        let name = self.name.clone().unwrap_or_else(next_name);
        // The value is copied each time, because each of the store's entries is a new allocation.
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

/// Deletes the new entries of the client's database, which would otherwise fill the machine's
/// memory.
pub(crate) async fn flush(client: &Client) {
    let command = CustomCommand::new_static("FLUSHDB", ClusterHash::FirstKey, false);
    let done: Result<(), _> = client.custom(command, Vec::<Value>::new()).await;
    done.expect("it answers");
}
