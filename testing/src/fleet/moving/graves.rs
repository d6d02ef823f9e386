//! The cookies that must open nothing any more.

use std::sync::{Arc, Mutex, PoisonError};

/// So many of the oldest and of the newest ended sessions are tried again at every node after each change.
const TRIED_AGAIN: usize = 4;

/// The cookies of sessions that are over, of a whole crowd.
#[derive(Clone, Debug, Default)]
pub struct Graves(Arc<Mutex<Vec<String>>>);

impl Graves {
    pub fn add(&self, cookie: Option<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(cookie);
    }

    /// Returns all cookies, the oldest first.
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns some of the oldest and of the newest cookies.
    pub fn some(&self) -> Vec<String> {
        let all = self.all();
        let oldest = all.iter().take(TRIED_AGAIN);
        let newest = all.iter().skip(TRIED_AGAIN).rev().take(TRIED_AGAIN);
        oldest.chain(newest).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_the_oldest_and_the_newest() {
        let graves = Graves::default();
        for number in 0..10 {
            graves.add(Some(number.to_string()));
        }
        graves.add(None);
        assert_eq!(graves.some(), ["0", "1", "2", "3", "9", "8", "7", "6"]);
        assert_eq!(graves.all().len(), 10);
    }
}
