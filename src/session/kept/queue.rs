//! Lines for commits that met a conflict to wait in, so that those of one process do not race again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use crate::id::StoreKey;
use crate::poison::IgnorePoison;

/// The longest that one commit keeps the others of its line waiting. A round trip takes a few
/// milliseconds, so only a store that is very slow, or a future that nobody polls, gets here.
const LONGEST_TURN: Duration = Duration::from_millis(250);

/// The lines of a layer.
///
/// Rosters have lines of their own: a commit may wait in that of its session when it enters that of a
/// roster, and the two could be the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct Queues {
    sessions: Lines,
    rosters: Lines,
}

/// Sixty-four lines, shared by all sessions of a layer.
///
/// A session's key chooses its line, so nothing is kept for a single session. A map of locks, one for
/// each session, would have to be cleaned up, and others have leaked memory with it.
#[derive(Clone, Debug)]
struct Lines(Arc<[Arc<Mutex<()>>; Self::LINES]>);

impl Queues {
    pub(super) fn line_for(&self, session: &StoreKey) -> Line<'_> {
        self.sessions.line_for(session)
    }

    pub(super) fn line_for_roster(&self, roster: &StoreKey) -> Line<'_> {
        self.rosters.line_for(roster)
    }
}

impl Lines {
    const LINES: usize = 64;

    fn line_for(&self, key: &StoreKey) -> Line<'_> {
        Line(&self.0[usize::from(key.as_bytes()[31]) % Self::LINES])
    }
}

impl Default for Lines {
    fn default() -> Self {
        Self(Arc::new(std::array::from_fn(|_| Arc::default())))
    }
}

/// The line of one session, and of those that share it by chance.
pub(super) struct Line<'a>(&'a Arc<Mutex<()>>);

/// A place at the head of a line. It ends when it is dropped, or after [`LONGEST_TURN`].
///
/// A task of its own stands in the line for it, and ends its turn in time. A guard in the commit's future
/// would be held for as long as nobody polls that future, and a fair lock hands itself on to a waiter even
/// if that one is not polled: one websocket loop that waits for its client would hold up one in sixty-four
/// of all sessions.
pub(super) struct Place {
    turn: Arc<Turn>,
    /// Tells the task that the place was left.
    _left: oneshot::Sender<()>,
}

/// The line's lock, for as long as the turn lasts. Whoever ends it first takes the lock out.
#[derive(Default)]
struct Turn(std::sync::Mutex<Option<OwnedMutexGuard<()>>>);

impl Turn {
    fn end(&self) {
        let guard = self.0.lock().ignore_poison().take();
        drop(guard);
    }
}

impl Place {
    /// Whether the others of the line are still waiting for this one.
    pub(super) fn is_held(&self) -> bool {
        self.turn.0.lock().ignore_poison().is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // At once, and not when the task is next polled: the next commit would find the line taken.
        self.turn.end();
    }
}

impl Line<'_> {
    /// Takes the head of the line if nobody else has it.
    pub(super) fn try_enter(&self) -> Option<Place> {
        let guard = Arc::clone(self.0).try_lock_owned().ok()?;
        let (_left, left) = oneshot::channel();
        let turn = Arc::new(Turn(Some(guard).into()));
        tokio::spawn(end_in_time(Arc::clone(&turn), left));
        Some(Place { turn, _left })
    }

    /// Waits in line until `deadline`.
    pub(super) async fn enter(&self, deadline: Instant) -> Option<Place> {
        let (_left, left) = oneshot::channel();
        let (grant, granted) = oneshot::channel();
        let place = Place { turn: Arc::default(), _left };
        let (line, turn) = (Arc::clone(self.0), Arc::clone(&place.turn));
        tokio::spawn(async move {
            let guard = line.lock_owned().await;
            *turn.0.lock().ignore_poison() = Some(guard);
            match grant.send(()) {
                Ok(()) => end_in_time(turn, left).await,
                Err(()) => turn.end(),
            }
        });
        timeout_at(deadline, granted).await.ok()?.ok()?;
        Some(place)
    }
}

/// Ends a turn when its place is left, but not too late.
async fn end_in_time(turn: Arc<Turn>, left: oneshot::Receiver<()>) {
    // Both outcomes end it.
    let _ = timeout(LONGEST_TURN, left).await;
    turn.end();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(queues: &Queues) -> Line<'_> {
        queues.line_for(&StoreKey::from_bytes([3; 32]))
    }

    async fn wait_in(line: &Line<'_>) -> (Option<Place>, Duration) {
        let start = Instant::now();
        let place = line.enter(start + Duration::from_secs(5)).await;
        (place, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_is_left_goes_to_the_next_at_once() {
        let queues = Queues::default();
        let line = line(&queues);
        let first = line.try_enter().unwrap();
        assert!(line.try_enter().is_none());
        drop(first);
        let (second, waited) = wait_in(&line).await;
        assert!(second.unwrap().is_held());
        assert!(waited < Duration::from_millis(5), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_nobody_leaves_ends_by_itself() {
        let queues = Queues::default();
        let line = line(&queues);
        let first = line.try_enter().unwrap();
        let (second, waited) = wait_in(&line).await;
        assert!(second.is_some() && !first.is_held());
        assert!((250..260).contains(&waited.as_millis()), "{waited:?}");
    }

    /// A fair lock hands itself on to the next waiter, polled or not.
    #[tokio::test(start_paused = true)]
    async fn a_waiter_that_nobody_polls_keeps_the_place_no_longer() {
        let queues = Queues::default();
        let line = line(&queues);
        let first = line.try_enter().unwrap();
        let mut parked = Box::pin(line.enter(Instant::now() + Duration::from_secs(5)));
        let polled = std::future::poll_fn(|context| {
            std::task::Poll::Ready(parked.as_mut().poll(context).is_pending())
        });
        assert!(polled.await);
        drop(first);
        let (next, waited) = wait_in(&line).await;
        assert!(next.is_some());
        assert!(waited < Duration::from_millis(260), "{waited:?}");
        drop(parked);
    }
}
