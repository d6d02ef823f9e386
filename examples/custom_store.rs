//! A store of your own: its five commands, an app that keeps a session in it, and the tests of the
//! store contract.
//!
//! ```text
//! cargo run  --example custom_store --features conformance    # one line per law
//! cargo test --example custom_store --features conformance    # one test per law
//! ```

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cloakroom::store::conformance::{Harness, run_all};
use cloakroom::store::{
    Created, Entry, NewEntry, Replaced, SessionStore, StoreError, StoreKey, Touched, Version,
    async_trait,
};
use cloakroom::{
    Clock, Field, Key, LazySession, ManualClock, SessionError, SessionLayer, Timestamp,
};
use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response};
use tower::{Layer, ServiceExt};

const MAX_ENTRY_BYTES: usize = 1 << 20;

/// Keeps entries in a map that the clones of the store share.
///
/// The lock is what makes the commands atomic: a command looks at an entry and writes it under the same
/// lock, so no other command can come in between. In a database, use a conditional write for that.
#[derive(Clone)]
struct MapStore {
    entries: Arc<Mutex<HashMap<StoreKey, Entry>>>,
    clock: Clock,
}

impl MapStore {
    fn new(clock: impl Into<Clock>) -> Self {
        Self { entries: Arc::default(), clock: clock.into() }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<StoreKey, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the entry to keep. Its version is the commit's id, which is random and so never repeats.
    fn to_keep(new: &NewEntry) -> Result<Entry, StoreError> {
        let (size, bytes) = (new.bytes.len(), new.bytes.clone());
        if size > MAX_ENTRY_BYTES {
            return Err(StoreError::too_large(size, MAX_ENTRY_BYTES));
        }
        Ok(Entry::new(Version::from(new.commit), new.deadline, bytes))
    }

    /// Returns whether the deadline is still ahead. An expired entry counts as absent for every command.
    fn is_live(&self, entry: &Entry) -> bool {
        entry.deadline > self.clock.now()
    }
}

/// Written by hand, because the contents of sessions must not end up in a log.
impl fmt::Debug for MapStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapStore").field("entries", &self.entries().len()).finish()
    }
}

#[async_trait]
impl SessionStore for MapStore {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        Ok(self.entries().get(key).filter(|entry| self.is_live(entry)).cloned())
    }

    async fn create(&self, key: &StoreKey, new: &NewEntry) -> Result<Created, StoreError> {
        let new = Self::to_keep(new)?;
        let mut entries = self.entries();
        // Frees the entries that nobody will ask for again. Many databases do that by themselves.
        entries.retain(|_, entry| self.is_live(entry));
        if entries.contains_key(key) {
            return Ok(Created::Exists);
        }
        let version = new.version;
        entries.insert(*key, new);
        Ok(Created::Done(version))
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        new: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        let new = Self::to_keep(new)?;
        let mut entries = self.entries();
        match entries.get_mut(key).filter(|entry| self.is_live(entry)) {
            None => Ok(Replaced::Gone),
            // Answers with the entry that is there, so that the library can merge without a load.
            Some(there) if there.version != *expected => Ok(Replaced::Conflict(there.clone())),
            Some(there) => {
                *there = new;
                Ok(Replaced::Done(there.version))
            }
        }
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        let mut entries = self.entries();
        match entries.get_mut(key).filter(|entry| self.is_live(entry)) {
            None => Ok(Touched::Gone),
            Some(there) if there.version != *expected || deadline <= there.deadline => {
                Ok(Touched::Skipped)
            }
            Some(there) => {
                there.deadline = deadline;
                Ok(Touched::Done)
            }
        }
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.entries().remove(key);
        Ok(())
    }
}

/// Tells the laws how to reach the store, and how to move its clock.
struct MapHarness {
    clock: ManualClock,
    store: MapStore,
}

impl MapHarness {
    fn new() -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
        Self { store: MapStore::new(clock.clone()), clock }
    }
}

#[async_trait]
impl Harness for MapHarness {
    async fn open(&self) -> Arc<dyn SessionStore> {
        Arc::new(self.store.clone())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn max_entry_bytes(&self) -> Option<usize> {
        Some(MAX_ENTRY_BYTES)
    }
}

const VISITS: Field<u32> = Field::new("visits");

async fn visit(request: Request<String>) -> Result<Response<String>, Infallible> {
    let counted = count(&request).await;
    Ok(Response::new(counted.map_or_else(|error| error.to_string(), |visits| visits.to_string())))
}

async fn count(request: &Request<String>) -> Result<u32, SessionError> {
    let session = request.extensions().get::<LazySession>().ok_or(SessionError::MissingLayer)?;
    session.load().await?.update(VISITS, |visits| {
        *visits += 1;
        *visits
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = SessionLayer::new(MapStore::new(Clock::system()), Key::generate()?);
    let app = sessions.layer(tower::service_fn(visit));
    let first = app.clone().oneshot(Request::new(String::new())).await?;
    let ticket = first.headers().get(SET_COOKIE).ok_or("no ticket")?.to_str()?;
    let ticket = ticket.split(';').next().unwrap_or_default();
    let again = Request::builder().header(COOKIE, ticket).body(String::new())?;
    let second = app.oneshot(again).await?;
    println!("visits: {}, {}\n", first.body(), second.body());

    let reports = run_all(&MapHarness::new()).await;
    for (law, verdict) in &reports {
        match verdict {
            Ok(()) => println!("kept    {law}"),
            Err(violation) => println!("BROKEN  {law}: {violation}"),
        }
    }
    let broken = reports.iter().filter(|(_, verdict)| verdict.is_err()).count();
    println!("\n{} laws, {broken} broken", reports.len());
    if broken == 0 { Ok(()) } else { Err("this store breaks the contract".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    cloakroom::store_conformance!(MapHarness::new());
}
