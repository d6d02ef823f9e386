//! Removes expired sessions, outside of requests.

use std::time::{Duration, Instant};

use super::changes::{Shrink, Sweep, Vacuum};
use super::commands::Commands;
use crate::abort_on_drop::AbortOnDrop;
use crate::backoff;
use crate::entropy;
use crate::error::StoreError;

/// After each transaction of its own the sweep pauses three times as long as that took, and at least so
/// long.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);

/// Removes everything that has expired, and makes the file smaller. Returns the number of sessions removed.
pub(super) async fn sweep(commands: &Commands) -> Result<u64, StoreError> {
    let mut removed = 0;
    loop {
        let began = Instant::now();
        let swept = commands.change(Sweep).await?;
        removed += swept.removed;
        if !swept.more {
            break;
        }
        pause_after(began).await;
    }
    let mut shrinks = false;
    loop {
        let began = Instant::now();
        if !commands.change(Vacuum).await? {
            break;
        }
        shrinks = true;
        pause_after(began).await;
    }
    if shrinks {
        commands.change(Shrink).await?;
    }
    Ok(removed)
}

async fn pause_after(began: Instant) {
    tokio::time::sleep((began.elapsed() * 3).max(SHORTEST_PAUSE)).await;
}

/// Starts the task that sweeps. It ends when the returned value is dropped.
pub(super) fn start(commands: Commands, interval: Duration) -> AbortOnDrop<()> {
    let sweeping = async move {
        loop {
            let random = entropy::for_a_pause(entropy::operating_system);
            tokio::time::sleep(backoff::around(interval, random)).await;
            match sweep(&commands).await {
                Ok(removed) => tracing::debug!(removed, "expired sessions removed"),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the sweep of sessions failed; it will be repeated");
                }
            }
        }
    };
    AbortOnDrop::new(tokio::spawn(sweeping))
}
