//! Locks that stay usable after a thread has panicked while it held them.

use std::sync::PoisonError;

/// The result of `lock`, `read` and `write` of the standard library's locks.
type LockResult<Guard> = Result<Guard, PoisonError<Guard>>;

pub(crate) trait IgnorePoison<Guard> {
    /// Returns the guard, whether or not the lock is poisoned.
    ///
    /// Poison warns that a panic may have left the value half changed. Here it cannot have: no code
    /// of the app runs under these locks, and each is held for a few statements that leave the value
    /// whole. Passing the panic on instead would let one broken request fail every later one that
    /// needs the same lock.
    fn ignore_poison(self) -> Guard;
}

impl<Guard> IgnorePoison<Guard> for LockResult<Guard> {
    fn ignore_poison(self) -> Guard {
        self.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_poisoned_lock_gives_its_value() {
        let mutex = Mutex::new(1);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _held = mutex.lock();
            panic!("while the lock is held");
        }));
        assert!(panicked.is_err() && mutex.is_poisoned());
        assert_eq!(*mutex.lock().ignore_poison(), 1);
    }
}
