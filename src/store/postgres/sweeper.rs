//! Removes expired sessions, outside of requests.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::types::{ToSql, Type};

use super::connections::{Connections, Lease};
use super::failure::Problem;
use crate::abort_on_drop::AbortOnDrop;
use crate::backoff;
use crate::clock::{Clock, Timestamp};
use crate::entropy;

/// The most pages of one statement, which hold some 1,500 sessions.
const LONGEST_RANGE: i64 = 32;
/// The pages of the first statement, before it is known how long one takes.
const FIRST_RANGE: i64 = 4;
/// The longest that a statement should take: a command on an expired row waits for all of it. The next range is
/// shorter after a slower one, and longer after a much faster one.
const LONGEST: Duration = Duration::from_millis(20);
/// After each statement the sweep pauses three times as long as the statement took, and at least this long.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
/// The time for which an expired session is kept, because the servers' clocks may differ.
const GRACE: Duration = Duration::from_secs(60);
/// The longest that one statement may take, on a server that does not end it by itself.
const PATIENCE: Duration = Duration::from_secs(30);
/// The SQLSTATE of a statement that the server ended because it took too long.
const TOO_SLOW: &str = "57014";

/// Removes expired rows.
pub(super) struct Sweeper {
    pub(super) connections: Arc<Connections>,
    pub(super) clock: Clock,
}

impl Sweeper {
    /// Goes through the whole table once. Returns how many rows it removed.
    ///
    /// It has a connection of its own, or borrows one of the app's pool for each range of pages.
    ///
    /// Any number of servers may do so at once: a row that another one is removing is skipped.
    pub(super) async fn sweep(&self) -> Result<u64, Problem> {
        let mut lease = self.connections.lease(PATIENCE).await?;
        let pages = match self.pages(&lease).await {
            Ok(pages) => pages,
            Err(problem) => return Err(end(lease, problem)),
        };
        let (mut removed, mut first, mut range) = (0, 0, FIRST_RANGE);
        while first < pages {
            let began = Instant::now();
            match self.sweep_range(&lease, first, first + range).await {
                Ok(count) => {
                    removed += count;
                    first += range;
                    range = next_range(range, began.elapsed());
                }
                Err(problem) if problem.code() == Some(TOO_SLOW) && range > 1 => range /= 2,
                Err(problem) => return Err(end(lease, problem)),
            }
            lease = self.pause(lease, (began.elapsed() * 3).max(SHORTEST_PAUSE)).await?;
        }
        Ok(removed)
    }

    /// Pauses, and gives a connection of the app's pool back meanwhile.
    async fn pause(&self, lease: Lease, pause: Duration) -> Result<Lease, Problem> {
        match lease {
            Lease::Given(connection) => {
                drop(connection);
                sleep(pause).await;
                self.connections.lease(PATIENCE).await
            }
            own => {
                sleep(pause).await;
                Ok(own)
            }
        }
    }

    async fn pages(&self, lease: &Lease) -> Result<i64, Problem> {
        let asking = lease.client().query_typed(&self.connections.statements().pages, &[]);
        let rows = timeout(PATIENCE, asking).await.map_err(|_| silent())?;
        let rows = rows.map_err(Problem::of_statement)?;
        rows.first().map_or(Ok(0), |row| row.try_get(0)).map_err(Problem::of_statement)
    }

    async fn sweep_range(&self, lease: &Lease, first: i64, end: i64) -> Result<u64, Problem> {
        let expired = self.clock.now().saturating_sub(GRACE);
        let (first, end) = (format!("({first},0)"), format!("({end},0)"));
        let expired = millis(expired);
        let parameters: [(&(dyn ToSql + Sync), Type); 3] =
            [(&first, Type::TEXT), (&end, Type::TEXT), (&expired, Type::INT8)];
        let text = &self.connections.statements().sweep;
        let sweeping = lease.client().execute_typed(text, &parameters);
        let removed = timeout(PATIENCE, sweeping).await.map_err(|_| silent())?;
        removed.map_err(Problem::of_statement)
    }
}

/// Returns how many pages the next statement gets, after one on `range` pages took that long.
fn next_range(range: i64, took: Duration) -> i64 {
    if took > LONGEST {
        (range / 2).max(1)
    } else if took < LONGEST / 4 {
        (range * 2).min(LONGEST_RANGE)
    } else {
        range
    }
}

/// Ends a sweep that failed. An answer may still be under way on the connection.
fn end(lease: Lease, problem: Problem) -> Problem {
    if problem.is_lost() {
        lease.discard();
    }
    problem
}

fn silent() -> Problem {
    Problem::lost("no answer to a sweep")
}

fn millis(moment: Timestamp) -> i64 {
    i64::try_from(moment.as_millis()).unwrap_or(i64::MAX)
}

/// Starts the task that sweeps about once per `interval`. It ends when the returned value is dropped.
pub(super) fn start(sweeper: Arc<Sweeper>, interval: Duration) -> AbortOnDrop<()> {
    AbortOnDrop::new(tokio::spawn(async move {
        loop {
            let random = entropy::for_a_pause(entropy::operating_system);
            sleep(backoff::around(interval, random)).await;
            match sweeper.sweep().await {
                Ok(removed) => tracing::debug!(removed, "expired sessions removed"),
                Err(problem) => {
                    let error = problem.failure.for_read();
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(
                        error,
                        "the sweep of the sessions' table failed; it will be repeated"
                    );
                }
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_shorter_after_a_slow_statement_and_longer_after_a_fast_one() {
        let after = |range, millis| next_range(range, Duration::from_millis(millis));
        assert_eq!([after(32, 21), after(4, 1_000), after(1, 1_000)], [16, 2, 1]);
        assert_eq!([after(32, 20), after(8, 5)], [32, 8]);
        assert_eq!([after(4, 4), after(32, 0)], [8, 32]);
    }
}
