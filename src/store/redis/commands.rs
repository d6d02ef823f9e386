//! The five commands of the store contract, in the commands of Redis.

use std::time::Duration;

use bytes::Bytes;

use super::answers;
use super::connection::Connection;
use super::entry;
use super::replicas::WaitingConnection;
use super::script;
use super::write::{Kind, Write};
use crate::clock::{Clock, Timestamp};
use crate::error::StoreError;
use crate::hex;
use crate::id::StoreKey;
use crate::store::entry::{Created, Entry, NewEntry, Replaced, Touched, Version};
use crate::store::failure::Failure;

/// The longest time to live that a server is asked for. A later deadline still holds, because it is
/// in the entry, and each write and each touch begins these hundred years anew.
const MAX_TIME_TO_LIVE: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Carries out the commands of one store.
pub(super) struct Commands {
    pub(super) main: Connection,
    /// For last words, if they wait for replicas.
    pub(super) waiting: Option<WaitingConnection>,
    pub(super) prefix: String,
    pub(super) clock: Clock,
}

impl Commands {
    pub(super) async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let reply = self.main.load(&self.key_name(key)).await?;
        answers::loaded(reply, self.clock.now()).map_err(|failure| self.named(failure).for_read())
    }

    pub(super) async fn create(
        &self,
        key: &StoreKey,
        new: &NewEntry,
    ) -> Result<Created, StoreError> {
        let value = entry::encode(new)?;
        let write = self.write_of(Kind::Create, key, entry::magic(), value, new.deadline);
        let reply = self.main.write(write).await?;
        answers::created(reply, new.commit).map_err(|failure| self.named(failure).for_write())
    }

    pub(super) async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        new: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        let (expected, value) = (entry::version_prefix(expected), entry::encode(new)?);
        let write = self.write_of(Kind::Replace, key, expected, value, new.deadline);
        let name = write.key.clone();
        // The deadline would be a bad sign of a last word: a mark may live for an hour, and the idle
        // timeout of a session may be a minute.
        let waiting = self.waiting.as_ref().filter(|_| new.last_word);
        let reply = self.connection_for(waiting).write(write).await?;
        let replaced = answers::replaced(reply, new.commit, self.clock.now());
        if let Ok(Replaced::Done(_)) = replaced {
            wait_for_replicas(waiting, &name).await;
        }
        replaced.map_err(|failure| self.named(failure).for_write())
    }

    pub(super) async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        let stored = Bytes::copy_from_slice(&entry::encode_deadline(deadline));
        let expected = entry::version_prefix(expected);
        let write = self.write_of(Kind::Touch, key, expected, stored, deadline);
        let now = write.now;
        let reply = self.main.write(write).await?;
        answers::touched(reply, now).map_err(|failure| self.named(failure).for_write())
    }

    /// Deletes by a script: a bare `DEL` would take an entry of a newer format along.
    pub(super) async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        let name = self.key_name(key);
        let waiting = self.waiting.as_ref();
        let arguments = [entry::magic().into()];
        let reply = self.connection_for(waiting).run(script::DELETE, &name, arguments).await?;
        let was_there =
            answers::deleted(reply).map_err(|failure| self.named(failure).for_write())?;
        if was_there {
            wait_for_replicas(waiting, &name).await;
        }
        Ok(())
    }

    fn connection_for<'a>(&'a self, waiting: Option<&'a WaitingConnection>) -> &'a Connection {
        waiting.map_or(&self.main, WaitingConnection::connection)
    }

    /// Prepares a write whose deadline is this.
    ///
    /// The time to live is at least one millisecond, because servers refuse zero. The server gets a duration and
    /// not the deadline, so that it does not matter which time its own clock shows.
    fn write_of(
        &self,
        kind: Kind,
        key: &StoreKey,
        expected: Bytes,
        value: Bytes,
        deadline: Timestamp,
    ) -> Write {
        let now = self.clock.now();
        let left = deadline.as_millis().saturating_sub(now.as_millis());
        let most = u64::try_from(MAX_TIME_TO_LIVE.as_millis()).unwrap_or(u64::MAX);
        let time_to_live = i64::try_from(left.clamp(1, most)).unwrap_or(i64::MAX);
        Write { kind, key: self.key_name(key), expected, now, value, time_to_live }
    }

    /// Returns the name of a key: the prefix and 64 hexadecimal digits. Raw bytes would be half as
    /// long, but nobody could type such a name into `redis-cli`.
    fn key_name(&self, key: &StoreKey) -> Bytes {
        [self.prefix.as_bytes(), key.as_bytes().map(hex::pair).as_flattened()].concat().into()
    }

    fn named(&self, failure: Failure) -> Failure {
        self.main.named(failure)
    }
}

async fn wait_for_replicas(waiting: Option<&WaitingConnection>, name: &Bytes) {
    if let Some(waiting) = waiting {
        waiting.wait(name).await;
    }
}
