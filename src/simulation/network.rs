//! The store that the servers use: it sends every command on a [trip](super::trip) to the model.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;

use super::model::{Command, Reply};
use super::trip::{CallResult, Trip};
use crate::clock::Timestamp;
use crate::id::StoreKey;
use crate::store::{
    Created, Entry, NewEntry, Replaced, SessionStore, StoreError, StoreErrorKind, Touched, Version,
};

/// The model at the other end, and those who watch what is sent to it.
pub(super) trait Wire: Send + Sync + 'static {
    /// Returns the serial number of a command that is being sent, and its way.
    fn send(&self, key: StoreKey, command: &Command) -> (usize, Trip);

    /// Executes a command that has reached the store.
    fn execute(&self, serial: usize, key: StoreKey, command: &Command) -> Reply;

    /// Returns what the client library reports when the answer was lost.
    fn report_loss(&self, _key: StoreKey, _command: &Command) -> Result<Reply, StoreError> {
        Err(StoreError::new(StoreErrorKind::Indeterminate, "reply lost"))
    }
}

/// A store whose commands travel.
pub(super) struct Network<W>(pub(super) Arc<W>);

impl<W: Wire> Network<W> {
    async fn send(&self, key: &StoreKey, command: Command) -> Result<Reply, StoreError> {
        let wire = &self.0;
        let (serial, trip) = wire.send(*key, &command);
        let executed = trip.executed_after.map(|after| {
            tokio::spawn(execute_after(Arc::clone(wire), serial, *key, command.clone(), after))
        });
        match (trip.result, executed) {
            (CallResult::Reply(after), Some(executed)) => {
                let reply = executed.await.expect("the model does not panic");
                wait(after).await;
                Ok(reply)
            }
            (CallResult::Unavailable(after), _) => {
                wait(after).await;
                Err(StoreError::new(StoreErrorKind::Unavailable, "refused"))
            }
            (CallResult::Indeterminate(after), _) => {
                wait(after).await;
                wire.report_loss(*key, &command)
            }
            (CallResult::Early(after), _) => {
                wait(after).await;
                let commit = command.entry().map(|entry| entry.commit);
                let commit = commit.expect("the wrong store claims success for replaces only");
                Ok(Reply::Replaced(Replaced::Done(commit.into())))
            }
            (CallResult::Never | CallResult::Reply(_), _) => std::future::pending().await,
        }
    }
}

async fn execute_after<W: Wire>(
    wire: Arc<W>,
    serial: usize,
    key: StoreKey,
    command: Command,
    after: u64,
) -> Reply {
    wait(after).await;
    wire.execute(serial, key, &command)
}

/// Waits for so many milliseconds. Sleeping for none would let other tasks run first and change
/// the history of every seed.
async fn wait(millis: u64) {
    if millis > 0 {
        sleep(Duration::from_millis(millis)).await;
    }
}

impl<W> fmt::Debug for Network<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

#[async_trait]
impl<W: Wire> SessionStore for Network<W> {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        match self.send(key, Command::Load).await? {
            Reply::Loaded(entry) => Ok(entry),
            other => panic!("{other:?} to a load"),
        }
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        match self.send(key, Command::Create(entry.clone())).await? {
            Reply::Created(created) => Ok(created),
            other => panic!("{other:?} to a create"),
        }
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        match self.send(key, Command::Replace(*expected, entry.clone())).await? {
            Reply::Replaced(replaced) => Ok(replaced),
            other => panic!("{other:?} to a replace"),
        }
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        match self.send(key, Command::Touch(*expected, deadline)).await? {
            Reply::Touched(touched) => Ok(touched),
            other => panic!("{other:?} to a touch"),
        }
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.send(key, Command::Delete).await.map(|_| ())
    }
}
