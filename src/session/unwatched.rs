//! Work that goes on although nobody waits for it, and the wait for its end.

use std::sync::Arc;

use tokio::sync::watch;

/// The commits and the ends of sessions that have been handed to the runtime, for the layers that share it.
#[derive(Clone, Debug)]
pub(crate) struct Unwatched(Arc<watch::Sender<()>>);

/// Is kept by one of them until it is over, however it ends.
pub(crate) struct UnderWay {
    _held: watch::Receiver<()>,
}

impl Default for Unwatched {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(())))
    }
}

impl Unwatched {
    pub(crate) fn begin(&self) -> UnderWay {
        UnderWay { _held: self.0.subscribe() }
    }

    /// Waits until none is under way.
    pub(crate) async fn ended(&self) {
        self.0.closed().await;
    }
}
