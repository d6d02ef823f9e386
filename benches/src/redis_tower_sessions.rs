//! A small store for tower-sessions, on the same fred client as the other layers. It keeps the bytes
//! that tower-sessions' Redis store keeps, MessagePack of the whole record. That store's `save` also
//! demands with `XX` that the key is there, and ignores whether it was; here it is a plain `SET`.

use async_trait::async_trait;
use bytes::Bytes;
use fred::clients::Client;
use fred::interfaces::KeysInterface;
use fred::types::{Expiration, SetOptions};
use tower_sessions::SessionStore;
use tower_sessions::cookie::time::OffsetDateTime;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};

/// Keeps whole records, each in one string: `GET`, `SET … PX`, and `SET … NX PX` for a new one.
#[derive(Clone, Debug)]
pub struct FredStore(Client);

impl FredStore {
    /// Creates a store on this connection.
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// Returns whether the record was stored.
    async fn set(&self, record: &Record, options: Option<SetOptions>) -> Result<bool> {
        let bytes = rmp_serde::to_vec(record).map_err(|error| Error::Encode(error.to_string()))?;
        let left = (record.expiry_date - OffsetDateTime::now_utc()).whole_milliseconds();
        let left = Expiration::PX(i64::try_from(left).map_err(backend)?);
        let name = record.id.to_string();
        let done: Option<Bytes> = self
            .0
            .set(name, Bytes::from(bytes), Some(left), options, false)
            .await
            .map_err(backend)?;
        Ok(done.is_some())
    }
}

#[async_trait]
impl SessionStore for FredStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        while !self.set(record, Some(SetOptions::NX)).await? {
            record.id = Id::default();
        }
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.set(record, None).await.map(drop)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let bytes: Option<Bytes> = self.0.get(id.to_string()).await.map_err(backend)?;
        let record = bytes.map(|bytes| rmp_serde::from_slice(&bytes)).transpose();
        record.map_err(|error| Error::Decode(error.to_string()))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.0.del(id.to_string()).await.map_err(backend)
    }
}

fn backend(error: impl std::error::Error) -> Error {
    Error::Backend(error.to_string())
}
