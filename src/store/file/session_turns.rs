//! Turns of the tasks of one session, before they queue for the lock of its stripe.
//!
//! A stripe's queue serves tasks in the order in which they came. If every task of a busy session
//! stood in it, a task of another session of the stripe would wait for all of them, and time out. So
//! each session has one task at a time in the stripe's queue, and the sessions of a stripe take turns.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as ShortMutex};

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::id::StoreKey;
use crate::poison::IgnorePoison;

/// The sessions that tasks of this process wait for or hold at this moment. Nothing is kept of others.
#[derive(Debug, Default)]
pub(super) struct SessionTurns(ShortMutex<HashMap<StoreKey, Session>>);

#[derive(Debug, Default)]
struct Session {
    /// Serves the tasks in the order in which they came.
    turn: Arc<Mutex<()>>,
    /// Tasks that wait for the turn or have it.
    tasks: usize,
}

/// A task's turn. The session's next task has it when this is dropped.
#[derive(Debug)]
pub(super) struct SessionTurn {
    _guard: OwnedMutexGuard<()>,
    _place: Place,
}

impl SessionTurns {
    /// Waits for the turn among the tasks of this session.
    pub(super) async fn wait(self: Arc<Self>, key: StoreKey) -> SessionTurn {
        let (place, turn) = self.enter(key);
        SessionTurn { _guard: turn.lock_owned().await, _place: place }
    }

    fn enter(self: Arc<Self>, key: StoreKey) -> (Place, Arc<Mutex<()>>) {
        let turn = {
            let mut sessions = self.0.lock().ignore_poison();
            let session = sessions.entry(key).or_default();
            session.tasks += 1;
            session.turn.clone()
        };
        (Place { turns: self, key }, turn)
    }
}

/// Counts as one task of a session until it is dropped, also when the task is cancelled.
#[derive(Debug)]
struct Place {
    turns: Arc<SessionTurns>,
    key: StoreKey,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut sessions = self.turns.0.lock().ignore_poison();
        let Some(session) = sessions.get_mut(&self.key) else { return };
        session.tasks -= 1;
        if session.tasks == 0 {
            sessions.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const KEY: StoreKey = StoreKey::from_bytes([7; 32]);

    #[tokio::test]
    async fn the_tasks_of_a_session_take_turns_and_those_of_others_do_not_wait() {
        let turns = Arc::new(SessionTurns::default());
        let first = turns.clone().wait(KEY).await;
        let second = tokio::spawn(turns.clone().wait(KEY));
        turns.clone().wait(StoreKey::from_bytes([8; 32])).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!second.is_finished());
        drop(first);
        second.await.unwrap();
    }

    #[tokio::test]
    async fn nothing_is_kept_of_a_session_that_nobody_waits_for() {
        let turns = Arc::new(SessionTurns::default());
        let first = turns.clone().wait(KEY).await;
        let waiting = [(); 3].map(|()| tokio::spawn(turns.clone().wait(KEY)));
        tokio::task::yield_now().await;
        assert_eq!(turns.0.lock().unwrap()[&KEY].tasks, 4);
        for cancelled in waiting {
            cancelled.abort();
            cancelled.await.unwrap_err();
        }
        drop(first);
        assert!(turns.0.lock().unwrap().is_empty());
    }
}
