//! Waits for a lock that another process holds.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::entropy;

const SHORTEST: Duration = Duration::from_micros(300);
const LONGEST: Duration = Duration::from_micros(1_000);

/// The time for which a thread leaves the lock alone now and then, so that another process can get it.
/// Every process that waits asks again within this time.
pub(super) const LEAVE_ALONE: Duration = Duration::from_micros(1_200);
const _: () = assert!(LEAVE_ALONE.as_micros() > LONGEST.as_micros());

thread_local! {
    /// Until when a statement of this thread waits for a lock. SQLite calls the handler with a number
    /// alone, and a connection is used by one thread only.
    static GIVE_UP_AT: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Makes the connection wait as [`give_up_at`] says, instead of failing at once.
///
/// SQLite's own `busy_timeout` sleeps for up to 100 ms between two attempts. While another process
/// commits without pause, a process that asks so rarely does not get the lock for seconds.
pub(super) fn wait_on(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(wait))
}

/// Sets until when the next statements of this thread wait for a lock.
pub(super) fn give_up_at(deadline: Instant) {
    GIVE_UP_AT.set(Some(deadline));
}

fn wait(_: i32) -> bool {
    let waits = GIVE_UP_AT.get().is_some_and(|deadline| Instant::now() < deadline);
    if waits {
        pause();
    }
    waits
}

/// Sleeps for 0.3 to 1 ms. At random, because two processes would otherwise ask in step.
pub(super) fn pause() {
    let random = u32::from(entropy::for_a_pause(entropy::operating_system));
    thread::sleep(SHORTEST + (LONGEST - SHORTEST) * random / 255);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_waits_until_its_deadline() {
        assert!(!wait(0), "no deadline is set");
        give_up_at(Instant::now() + Duration::from_secs(60));
        assert!(wait(0) && wait(1));
        give_up_at(Instant::now());
        assert!(!wait(0));
    }
}
