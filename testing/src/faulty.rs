//! A server that dies between two commands of its store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloakroom::testing::{Commands, Fault, FaultyStore};
use tokio::sync::Notify;

/// Lets the next `steps` commands of `store` pass, and answers none after them. What is returned is notified
/// by the first of these.
pub fn die_after(store: &FaultyStore, steps: usize) -> Arc<Notify> {
    let death = Arc::new(Notify::new());
    let (left, died) = (AtomicUsize::new(steps), death.clone());
    store.always(Commands::All, move || {
        let passes =
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if passes.is_ok() {
            return Fault::Pass;
        }
        died.notify_one();
        Fault::Hang
    });
    death
}
