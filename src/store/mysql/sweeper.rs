//! Removes expired rows, outside of requests.
//!
//! It goes through the table in the order of the keys, a few hundred rows at a time, and deletes the
//! expired ones among them. An index on the deadline would find them at once. But every touch and every
//! replace would have to move its entry in that index, and where the isolation level is not READ COMMITTED
//! deleting by such an index locks the gaps between its entries, into which all new sessions are
//! inserted.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::Value;
use tokio::time::{Instant, sleep};

use super::exchange::{Request, Statement};
use super::row::{decode_walked, time_value};
use super::statements::{SWEPT_AT_ONCE, WALKED_AT_ONCE};
use super::table::Table;
use crate::abort_on_drop::AbortOnDrop;
use crate::backoff;
use crate::clock::Timestamp;
use crate::entropy;
use crate::error::StoreError;
use crate::store::failure::Failure;

/// The time for which an expired row is kept, because the servers' clocks may differ.
const GRACE: Duration = Duration::from_secs(60);
/// After each step the sweeper pauses three times as long as the step took, and at least this long.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

/// The longest time for one statement. It may have to read each row from a slow disk, and nobody waits.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// The background task. It ends with the store.
pub(super) struct Sweeping {
    _task: AbortOnDrop<()>,
}

/// Begins to sweep every `period`, more or less: each pause is between half of it and one and a half, so
/// that servers which were started together do not sweep together.
pub(super) fn begin(table: Arc<Table>, period: Duration) -> Sweeping {
    let task = tokio::spawn(async move {
        loop {
            let random = entropy::for_a_pause(entropy::operating_system);
            sleep(backoff::around(period, random)).await;
            match table.sweep().await {
                Ok(removed) => tracing::debug!(removed, "swept expired sessions"),
                Err(error) => tracing::warn!(?error, "expired sessions could not be removed"),
            }
        }
    });
    Sweeping { _task: AbortOnDrop::new(task) }
}

/// Where a walk through the table is.
struct Walk {
    after: Vec<u8>,
    /// Past the table's end it goes on at the beginning, up to where it has begun.
    end: Option<Vec<u8>>,
}

impl Table {
    pub(super) async fn sweep(&self) -> Result<u64, StoreError> {
        // At random, so that several servers are not at the same rows.
        let mut start = vec![0; 32];
        let random = entropy::operating_system(&mut start).is_ok();
        let mut walk = Walk { after: start.clone(), end: None };
        let mut removed = 0;
        loop {
            let begun = Instant::now();
            let more = self.step(&mut walk, &mut removed).await.map_err(Failure::for_read)?;
            match (more, &walk.end) {
                (true, _) => {}
                (false, None) if random => walk = Walk { after: vec![], end: Some(start.clone()) },
                (false, _) => return Ok(removed),
            }
            sleep((begun.elapsed() * 3).max(SHORTEST_PAUSE)).await;
        }
    }

    /// Looks at the next rows. Returns whether there are more.
    async fn step(&self, walk: &mut Walk, removed: &mut u64) -> Result<bool, Failure> {
        let request = || {
            let values = vec![Value::Bytes(walk.after.clone())];
            Request::single(Statement::new(&self.statements.walk, values))
        };
        let rows = self.send(request, Instant::now() + STATEMENT_TIMEOUT).await?.first.rows;
        let is_full = rows.len() == WALKED_AT_ONCE;
        let expired_before = self.clock.now().saturating_sub(GRACE);
        let mut expired = Vec::new();
        for row in rows {
            let row = decode_walked(row).map_err(|failed| failed.failure)?;
            if row.deadline.is_some_and(|deadline| deadline <= expired_before) {
                expired.push(row.key.clone());
            }
            walk.after = row.key;
        }
        for keys in expired.chunks(SWEPT_AT_ONCE) {
            *removed += self.delete_expired(keys, expired_before).await?;
        }
        Ok(is_full && walk.end.as_ref().is_none_or(|end| walk.after < *end))
    }

    /// Deletes those of the rows that are still expired. A row may have been replaced by a new session.
    async fn delete_expired(&self, keys: &[Vec<u8>], before: Timestamp) -> Result<u64, Failure> {
        let Some(last) = keys.last() else { return Ok(0) };
        let request = || {
            // The statement has a fixed number of places, so that it is prepared once. A key given twice does
            // no harm.
            let places = keys.iter().chain(std::iter::repeat(last)).take(SWEPT_AT_ONCE);
            let mut values: Vec<_> = places.map(|key| Value::Bytes(key.clone())).collect();
            values.push(time_value(before));
            Request::single(Statement::new(&self.statements.sweep, values))
        };
        Ok(self.send(request, Instant::now() + STATEMENT_TIMEOUT).await?.first.affected)
    }
}
