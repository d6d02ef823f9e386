//! Lines for commits that met a conflict to wait in, so that those of one process do not race again.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::id::StoreKey;

/// Sixty-four lines, shared by all sessions of a layer.
///
/// A session's key chooses its line, so nothing is kept for a single session. A map of locks, one for
/// each session, would have to be cleaned up, and others have leaked memory with it.
#[derive(Clone, Debug)]
pub(super) struct Queues(Arc<[Mutex<()>; Self::LINES]>);

impl Queues {
    const LINES: usize = 64;

    pub(super) fn line_for(&self, key: &StoreKey) -> &Mutex<()> {
        &self.0[usize::from(key.as_bytes()[31]) % Self::LINES]
    }
}

impl Default for Queues {
    fn default() -> Self {
        Self(Arc::new(std::array::from_fn(|_| Mutex::default())))
    }
}
