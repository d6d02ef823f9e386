//! Patience: a server that shares the machine with compilers may be slow without being broken.

use std::time::Instant;

use cloakroom::SessionLayer;
use cloakroom::store::{StoreError, StoreErrorKind};

use crate::MINUTE;

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
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
