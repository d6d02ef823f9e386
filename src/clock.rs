//! Time as a value: moments that can be stored, and a clock that a test can set.
//!
//! Everything below the middleware takes the current moment as an argument. Only the [`Clock`]
//! that the layer carries is ever asked what time it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment, in whole milliseconds since the Unix epoch. The default is the epoch itself.
///
/// Arithmetic saturates at the epoch and at [`Timestamp::MAX`], so an absurd duration gives a session
/// that practically never ends, and never one that has wrapped around into the past.
///
/// ```
/// use cloakroom::Timestamp;
/// use std::time::SystemTime;
///
/// let start = Timestamp::from_millis(1_000);
/// assert!(start > Timestamp::default() && start < SystemTime::now().into());
/// ```
// `SystemTime` would do, but its range and resolution differ between platforms, while stored bytes
// have to mean the same everywhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last moment that can be expressed, in the year 10889. Later ones would not fit into the
    /// six bytes that records have for a moment.
    ///
    /// ```
    /// use cloakroom::Timestamp;
    ///
    /// assert_eq!(Timestamp::MAX.as_millis(), (1 << 48) - 1);
    /// ```
    pub const MAX: Self = Self((1 << 48) - 1);

    /// Returns the moment this many milliseconds after the Unix epoch, at most [`Timestamp::MAX`].
    ///
    /// ```
    /// use cloakroom::Timestamp;
    ///
    /// assert_eq!(Timestamp::from_millis(0), Timestamp::default());
    /// assert_eq!(Timestamp::from_millis(u64::MAX), Timestamp::MAX);
    /// ```
    pub const fn from_millis(millis: u64) -> Self {
        if millis > Self::MAX.0 { Self::MAX } else { Self(millis) }
    }

    /// Returns the milliseconds since the Unix epoch.
    ///
    /// ```
    /// use cloakroom::Timestamp;
    ///
    /// assert_eq!(Timestamp::from_millis(1_500).as_millis(), 1_500);
    /// ```
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns the big-endian bytes that records and tickets keep. Six hold every moment up to
    /// [`MAX`](Self::MAX); the eight of a `u64` would make each cookie longer.
    pub(crate) const fn to_six_bytes(self) -> [u8; 6] {
        let [_, _, a, b, c, d, e, f] = self.0.to_be_bytes();
        [a, b, c, d, e, f]
    }

    /// Reads what [`to_six_bytes`](Self::to_six_bytes) wrote. All bytes are valid.
    pub(crate) const fn from_six_bytes([a, b, c, d, e, f]: [u8; 6]) -> Self {
        Self(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    /// Returns the moment `duration` later, at most [`Timestamp::MAX`]. Parts of a millisecond are
    /// dropped.
    ///
    /// ```
    /// use cloakroom::Timestamp;
    /// use std::time::Duration;
    ///
    /// let start = Timestamp::from_millis(1_000);
    /// assert_eq!(start.saturating_add(Duration::from_secs(1)).as_millis(), 2_000);
    /// assert_eq!(start.saturating_add(Duration::MAX), Timestamp::MAX);
    /// ```
    pub fn saturating_add(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// Returns the moment `duration` earlier, at the earliest the epoch. Parts of a millisecond are
    /// dropped.
    ///
    /// ```
    /// use cloakroom::Timestamp;
    /// use std::time::Duration;
    ///
    /// let start = Timestamp::from_millis(1_000);
    /// assert_eq!(start.saturating_sub(Duration::from_millis(1)).as_millis(), 999);
    /// assert_eq!(start.saturating_sub(Duration::MAX), Timestamp::default());
    /// ```
    pub fn saturating_sub(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// Returns how long before this moment `earlier` was, or zero if it was later.
    ///
    /// ```
    /// use cloakroom::Timestamp;
    /// use std::time::Duration;
    ///
    /// let (login, now) = (Timestamp::from_millis(1_000), Timestamp::from_millis(4_000));
    /// assert_eq!(now.since(login), Duration::from_secs(3));
    /// assert_eq!(login.since(now), Duration::ZERO);
    /// ```
    // Not an `Option`: clocks of two servers differ by a little, and every caller would have to treat
    // a start that lies slightly in the future as one that is now.
    #[doc(alias = "duration_since")]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl From<SystemTime> for Timestamp {
    /// A time before the epoch becomes the epoch.
    fn from(time: SystemTime) -> Self {
        Self(0).saturating_add(time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

impl From<Timestamp> for SystemTime {
    fn from(timestamp: Timestamp) -> Self {
        UNIX_EPOCH + Duration::from_millis(timestamp.0)
    }
}

/// The clock that the layer and the in-process stores read.
///
/// The default is the system's clock. A [`ManualClock`] takes its place in tests.
///
/// The servers of one app must agree on the time, because a difference between them shifts every
/// expiry by as much. Run NTP; instances on AWS do so already.
///
/// ```
/// use cloakroom::{Clock, ManualClock, Timestamp};
///
/// let frozen = Clock::from(ManualClock::at(Timestamp::from_millis(5_000)));
/// assert!(frozen.now() < Clock::default().now());
/// ```
// A struct and not a trait with `dyn`: reading the time is on the path of every request, and two
// kinds are all that anybody has needed.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<ManualClock>);

impl Clock {
    /// Returns the system's clock, which is also the default.
    ///
    /// ```
    /// use cloakroom::Clock;
    /// use std::time::{Duration, SystemTime};
    ///
    /// let elapsed = Clock::system().now().since(SystemTime::now().into());
    /// assert!(elapsed < Duration::from_secs(1));
    /// ```
    pub const fn system() -> Self {
        Self(None)
    }

    /// Returns the current moment.
    ///
    /// The system's clock may be set back, so a later call can return an earlier moment.
    ///
    /// ```
    /// use cloakroom::{Clock, ManualClock, Timestamp};
    ///
    /// let clock = Clock::from(ManualClock::at(Timestamp::from_millis(5_000)));
    /// assert_eq!(clock.now().as_millis(), 5_000);
    /// ```
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            // Not a monotonic clock: other servers compare the stored deadline with their own time, and
            // so does this one after a restart.
            None => SystemTime::now().into(),
            Some(manual) => manual.now(),
        }
    }
}

impl From<ManualClock> for Clock {
    fn from(manual: ManualClock) -> Self {
        Self(Some(manual))
    }
}

/// A clock for tests, which stands still until it is moved. Clones show the same time.
///
/// ```
/// use cloakroom::{Clock, ManualClock, Timestamp};
/// use std::time::Duration;
///
/// let manual = ManualClock::at(Timestamp::from_millis(5_000));
/// let clock = Clock::from(manual.clone());
/// manual.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().as_millis(), 65_000);
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// Creates a clock that shows `start`.
    ///
    /// ```
    /// use cloakroom::{ManualClock, Timestamp};
    ///
    /// let start = Timestamp::from_millis(5_000);
    /// assert_eq!(ManualClock::at(start).now(), start);
    /// ```
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(AtomicU64::new(start.0)))
    }

    /// Returns the moment that the clock shows.
    ///
    /// ```
    /// use cloakroom::{ManualClock, Timestamp};
    ///
    /// let clock = ManualClock::at(Timestamp::default());
    /// assert_eq!(clock.now(), clock.clone().now());
    /// ```
    pub fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    /// Moves the clock forwards.
    ///
    /// ```
    /// use cloakroom::{ManualClock, Timestamp};
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::at(Timestamp::default());
    /// clock.advance(Duration::from_secs(60));
    /// assert_eq!(clock.now().as_millis(), 60_000);
    /// ```
    pub fn advance(&self, by: Duration) {
        // `fetch_add` would be one step, but would go past `Timestamp::MAX`. Tests move a clock from one
        // place.
        self.set(self.now().saturating_add(by));
    }

    /// Sets the clock, also to an earlier moment, as an administrator or a bad time server might.
    ///
    /// ```
    /// use cloakroom::{ManualClock, Timestamp};
    ///
    /// let clock = ManualClock::at(Timestamp::from_millis(5_000));
    /// clock.set(Timestamp::from_millis(4_000));
    /// assert_eq!(clock.now().as_millis(), 4_000);
    /// ```
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.0, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_bytes_hold_every_moment() {
        for millis in [0, 1, 0x0102_0304_0506, Timestamp::MAX.as_millis()] {
            let moment = Timestamp::from_millis(millis);
            assert_eq!(Timestamp::from_six_bytes(moment.to_six_bytes()), moment);
        }
        let moment = Timestamp::from_millis(0x0102_0304_0506);
        assert_eq!(moment.to_six_bytes(), [1, 2, 3, 4, 5, 6]);
    }
}
