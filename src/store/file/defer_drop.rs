//! Dropping values off the threads that serve requests.

use tokio::runtime::Handle;

/// Holds an open file or folder, and closes it on a thread of the blocking pool when it is dropped.
///
/// Closing a file on NFS takes as long as the server takes to answer, and a future that holds the
/// file can be dropped (cancelled) on a thread that serves requests.
#[derive(Debug)]
pub(super) struct DeferDrop<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> DeferDrop<T> {
    pub(super) const EMPTY: Self = Self(None);

    pub(super) fn new(value: T) -> Self {
        Self(Some(value))
    }

    pub(super) fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }

    /// Takes the value out, for a caller whose thread may block while it is closed.
    pub(super) fn take(&mut self) -> Option<T> {
        self.0.take()
    }
}

impl<T: Send + 'static> Drop for DeferDrop<T> {
    fn drop(&mut self) {
        // Outside of a runtime the value is dropped right here: no request waits for this thread.
        if let (Some(value), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            drop(runtime.spawn_blocking(move || drop(value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread::{self, ThreadId};
    use std::time::Duration;

    use super::*;

    struct ReportsItsThread(mpsc::Sender<ThreadId>);

    impl Drop for ReportsItsThread {
        fn drop(&mut self) {
            self.0.send(thread::current().id()).unwrap();
        }
    }

    /// Returns the thread on which the value was dropped.
    fn dropped_on(drops: impl FnOnce(DeferDrop<ReportsItsThread>)) -> ThreadId {
        let (sender, receiver) = mpsc::channel();
        drops(DeferDrop::new(ReportsItsThread(sender)));
        receiver.recv_timeout(Duration::from_secs(60)).unwrap()
    }

    #[test]
    fn nothing_is_dropped_on_a_thread_of_the_runtime() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let here = thread::current().id();
        assert_ne!(dropped_on(|value| runtime.block_on(async { drop(value) })), here);
        let entered = runtime.enter();
        let taken = dropped_on(|mut value| drop(value.take()));
        assert_eq!(taken, here, "a caller that takes the value drops it itself");
        drop(entered);
        assert_eq!(dropped_on(drop), here);
    }
}
