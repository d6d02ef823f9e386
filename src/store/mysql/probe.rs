//! Tries, once and before the store is used, that the server answers a create as it should.
//!
//! A proxy in between may count the rows that were found instead of those that were changed, or leave the
//! *last insert id* out of the answers. With both, a create over a live session would look as if it had
//! been written.

use super::exchange::{Request, Statement};
use super::failure::Failed;
use super::row::key_value;
use super::statements::FOUND_LIVE;
use super::table::Table;
use crate::entropy;
use crate::error::StoreError;
use crate::id::{CommitId, StoreKey};
use crate::store::entry::NewEntry;
use crate::store::failure::Failure;
use std::time::Duration;

/// The lifetime of the row. It matters only if this process ends before it has removed it.
const LIFETIME: Duration = Duration::from_secs(60);

impl Table {
    /// Writes a row under a random key, writes it again, and removes it. This also shows at the start,
    /// and not at the first login, that the user may write.
    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        let mut key = [0; 32];
        entropy::operating_system(&mut key)
            .map_err(|error| Failed::unavailable_because(error).failure.for_read())?;
        let key = StoreKey::from_bytes(key);
        let outcome = self.try_twice(&key).await;
        let delete =
            || Request::single(Statement::new(&self.statements.delete, vec![key_value(&key)]));
        let deleted = self.send(delete, self.connections.deadline()).await;
        let is_right = outcome.map_err(Failure::for_read)?;
        deleted.map_err(Failure::for_read)?;
        if is_right {
            return Ok(());
        }
        let text = "a proxy hides the LAST_INSERT_ID of the statements, without which a create cannot \
                    tell what it has found";
        Err(Failed::misconfigured(text).failure.for_read())
    }

    async fn try_twice(&self, key: &StoreKey) -> Result<bool, Failure> {
        let now = self.clock.now();
        let expires = now.saturating_add(LIFETIME);
        let entry = |commit| NewEntry::new(CommitId::from_bytes([commit; 8]), expires, "probe");
        let until = || self.connections.deadline();
        let first = self.create(key, &entry(1), now, until()).await?.first;
        let second = self.create(key, &entry(2), now, until()).await?.first;
        Ok((first.found, first.affected) == (0, 1) && second.found == FOUND_LIVE)
    }
}
