//! Measures how long a busy machine kept this process from running.
//!
//! A test with a time limit subtracts this, so that the limit applies to the library only. A thread
//! measures it. A task would excuse a library that blocks the runtime, because it would be late
//! too.

use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_millis(10);
/// How late a timer may be on an idle machine.
const GRAIN: Duration = Duration::from_millis(5);

/// The moments at which the thread should have woken up, and how much later it did.
static DELAYS: Mutex<Vec<(Instant, Duration)>> = Mutex::new(Vec::new());

/// Starts the measurement. Further calls do nothing.
pub fn watch() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        thread::spawn(|| {
            loop {
                let due = Instant::now() + PERIOD;
                thread::sleep(PERIOD);
                let late = due.elapsed();
                if late > GRAIN {
                    DELAYS.lock().unwrap_or_else(PoisonError::into_inner).push((due, late));
                }
            }
        });
    });
}

/// Returns the part of this span in which the process did not run although it had something to do.
pub fn between(began: Instant, ended: Instant) -> Duration {
    let delays = DELAYS.lock().unwrap_or_else(PoisonError::into_inner);
    let within = |&(due, late): &(Instant, Duration)| {
        (due + late).min(ended).saturating_duration_since(due.max(began))
    };
    delays.iter().map(within).sum()
}

/// Returns the time since `began` without the part in which the process did not run.
pub fn elapsed_since(began: Instant) -> Duration {
    net(began, Instant::now())
}

/// Returns the length of a span without the part in which the process did not run.
pub fn net(began: Instant, ended: Instant) -> Duration {
    ended.saturating_duration_since(began).saturating_sub(between(began, ended))
}
