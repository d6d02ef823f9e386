//! Patience: a server that shares the machine with compilers may be slow without being broken.

use std::time::{Duration, Instant};

use cloakroom::store::{StoreError, StoreErrorKind};
use cloakroom::{Backend, ConnectError, SessionLayer, connect};

use crate::MINUTE;

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// Gives the layer all the time that its store may need.
pub fn patient(layer: SessionLayer) -> SessionLayer {
    layer.command_timeout(MINUTE).commit_timeout(MINUTE)
}

/// Opens a store, and tries again for up to a minute while the server is unavailable. Stores give a new connection
/// about a second, whatever the time that a command may take.
pub async fn patiently<S, F>(open: impl Fn() -> F) -> S
where
    F: Future<Output = Result<S, StoreError>>,
{
    let begun = Instant::now();
    loop {
        match open().await {
            Ok(store) => return store,
            Err(error)
                if error.kind() == StoreErrorKind::Unavailable && begun.elapsed() < MINUTE => {}
            Err(error) => panic!("the store does not open: {error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Opens the store at a URL as [`patiently`] does.
pub async fn patiently_by_url(url: &str) -> Backend {
    patiently(async || match connect(url).await {
        Ok(store) => Ok(store),
        Err(ConnectError::Store(error)) => Err(error),
        Err(error) => panic!("{error}"),
    })
    .await
}

/// A server that is too slow for a new connection keeps the client waiting for a second. An attempt that fails sooner
/// was not too slow.
pub(crate) const SLOW: Duration = Duration::from_millis(500);

/// Returns the error of an attempt that must be refused as `kind`. Tries again for up to a minute while the server is
/// too slow to refuse anything.
pub async fn refusal<S, F>(kind: StoreErrorKind, attempt: impl Fn() -> F) -> StoreError
where
    F: Future<Output = Result<S, StoreError>>,
{
    let begun = Instant::now();
    loop {
        let tried = Instant::now();
        match attempt().await {
            Ok(_) => panic!("nothing was refused as {kind:?}"),
            Err(error) if error.kind() == kind => return error,
            Err(error)
                if error.kind() == StoreErrorKind::Unavailable
                    && tried.elapsed() > SLOW
                    && begun.elapsed() < MINUTE => {}
            Err(error) => panic!("{error} instead of {kind:?}"),
        }
    }
}

/// Waits until `condition` holds. Returns false if it does not within a minute of real time, which also ends the wait
/// where tokio's clock stands still.
pub async fn comes_true(mut condition: impl AsyncFnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !condition().await {
        if begun.elapsed() > MINUTE {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    true
}
