//! What must not end on a thread that serves requests.

use tokio::runtime::Handle;

/// A place for an open file or folder. To close it may take as long as the file system's server takes
/// to answer; so when the place is dropped with what is in it (by a cancelled future, or with the
/// store), that ends on a thread of the blocking pool.
#[derive(Debug)]
pub(super) struct Parked<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> Parked<T> {
    pub(super) const EMPTY: Self = Self(None);

    pub(super) fn new(value: T) -> Self {
        Self(Some(value))
    }

    pub(super) fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }

    /// For who may wait for its end.
    pub(super) fn take(&mut self) -> Option<T> {
        self.0.take()
    }
}

impl<T: Send + 'static> Drop for Parked<T> {
    fn drop(&mut self) {
        // Outside of a runtime there is nobody whom waiting would hold up.
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

    struct Tells(mpsc::Sender<ThreadId>);

    impl Drop for Tells {
        fn drop(&mut self) {
            self.0.send(thread::current().id()).unwrap();
        }
    }

    fn ended_on(part: impl FnOnce(Parked<Tells>)) -> ThreadId {
        let (tells, told) = mpsc::channel();
        part(Parked::new(Tells(tells)));
        told.recv_timeout(Duration::from_secs(60)).unwrap()
    }

    #[test]
    fn nothing_ends_on_a_thread_of_the_runtime() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let here = thread::current().id();
        assert_ne!(ended_on(|parked| runtime.block_on(async { drop(parked) })), here);
        let entered = runtime.enter();
        assert_eq!(ended_on(|mut parked| drop(parked.take())), here, "who takes it may wait");
        drop(entered);
        assert_eq!(ended_on(drop), here);
    }
}
