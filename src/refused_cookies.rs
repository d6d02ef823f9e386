//! A count of refused cookies per client, in bounded memory.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Clock;
use crate::events::{CookieRefused, Refusal};
use crate::observer::Observer;

/// Counts the cookies that nobody sends by accident, forged and malformed ones, for each client and minute: whoever
/// guesses ids is noticed, and can be slowed down.
///
/// Give a clone to [`SessionLayer::observer`](crate::SessionLayer::observer), set
/// [`SessionLayer::client_address`](crate::SessionLayer::client_address), and ask [`count`](Self::count) in front of the
/// layer. Cookies that have expired, and those of a foreign key, are not counted: after a change of keys everybody has one.
///
/// The memory is 32 KB, however many clients there are. The price is that clients share counters: a count is
/// never too low, and too high with a chance of one in a million while 30 other clients are being counted, of one in
/// ten thousand with 100. Nobody outside can find out who shares with whom, because each process draws its own secret for
/// it. Addresses of IPv6 count by their first 64 bits, all of which one client may have.
///
/// A minute is one of the clock's, so that twice a limit may come in around its end. It counts within one server; for a
/// fleet, let the proxy block the addresses that the app logs.
///
/// ```
/// use cloakroom::{Key, RefusedCookies, SessionLayer, store::MemoryStore};
/// use std::net::IpAddr;
///
/// let refused = RefusedCookies::new();
/// let client = IpAddr::from([192, 0, 2, 1]); // an app takes it from the request
/// let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?)
///     .client_address(move |_| Some(client))
///     .observer(refused.clone());
/// # let mut visitor = cloakroom::documentation::Visitor::before(layer);
/// # visitor.bring("made-up");
/// # visitor.visit(async |_| Ok(()));
/// assert_eq!(refused.count(client), 1); // after a request with a cookie that somebody has made up
/// # Ok::<(), cloakroom::KeyError>(())
/// ```
#[derive(Clone)]
pub struct RefusedCookies {
    counters: Arc<Counters>,
    clock: Clock,
}

impl RefusedCookies {
    /// Creates a counter that has counted nothing.
    ///
    /// ```
    /// use cloakroom::RefusedCookies;
    ///
    /// assert_eq!(RefusedCookies::new().count([192, 0, 2, 1].into()), 0);
    /// ```
    pub fn new() -> Self {
        Self { counters: Arc::default(), clock: Clock::system() }
    }

    /// Sets where the time is read. Default: the system's clock.
    ///
    /// ```
    /// use cloakroom::{ManualClock, RefusedCookies, Timestamp};
    ///
    /// let clock = ManualClock::at(Timestamp::from_millis(0));
    /// let refused = RefusedCookies::new().clock(clock.clone()); // a test moves `clock`, and a minute passes
    /// # let _ = refused;
    /// ```
    #[must_use]
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Returns how many cookies of this client were refused in the present minute.
    ///
    /// ```
    /// # use cloakroom::RefusedCookies;
    /// # let refused = RefusedCookies::new();
    /// const MOST: u32 = 20; // more than a broken client, or a few people behind one address, cause
    ///
    /// let is_slowed_down = |client| refused.count(client) >= MOST; // answer 429
    /// assert!(!is_slowed_down([192, 0, 2, 1].into()));
    /// ```
    pub fn count(&self, client: IpAddr) -> u32 {
        let minute = self.minute();
        let counts = self.counters.of(client).map(|counter| count_in(counter.load(ORDER), minute));
        counts.min().unwrap_or(0)
    }

    /// The number of the present minute, of which the counters keep 32 bits.
    fn minute(&self) -> u32 {
        (self.clock.now().as_millis() / 60_000) as u32
    }
}

impl Default for RefusedCookies {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for RefusedCookies {
    fn cookie_refused(&self, event: &CookieRefused) {
        let (Refusal::Forged | Refusal::Malformed, Some(client)) = (event.why, event.client) else {
            return;
        };
        let minute = self.minute();
        for counter in self.counters.of(client) {
            let one_more = |packed| {
                let count = count_in(packed, minute).saturating_add(1);
                Some(u64::from(minute) << 32 | u64::from(count))
            };
            // Cannot fail: the closure never returns `None`.
            let _ = counter.fetch_update(ORDER, ORDER, one_more);
        }
    }
}

impl fmt::Debug for RefusedCookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefusedCookies(..)")
    }
}

/// A count needs no other memory to be seen with it.
const ORDER: Ordering = Ordering::Relaxed;

/// Counters in several rows, of which each client has one in each. The lowest of a client's counters is the one that it
/// shares with the fewest others (a count-min sketch). A map of addresses instead would grow with an attack.
struct Counters {
    /// Each holds a minute in its upper half and the count in that minute in its lower one.
    rows: [[AtomicU64; Self::WIDTH]; Self::ROWS],
    secrets: [RandomState; Self::ROWS],
}

impl Counters {
    const ROWS: usize = 4;
    const WIDTH: usize = 1024;

    /// Returns the counters of a client.
    fn of(&self, client: IpAddr) -> impl Iterator<Item = &AtomicU64> {
        let network = network_of(client);
        self.rows.iter().zip(&self.secrets).map(move |(row, secret)| {
            // Cannot be cut: the remainder is below 1024.
            &row[(secret.hash_one(network) % Self::WIDTH as u64) as usize]
        })
    }
}

impl Default for Counters {
    fn default() -> Self {
        let row = |_| std::array::from_fn(|_| AtomicU64::default());
        Self {
            rows: std::array::from_fn(row),
            secrets: std::array::from_fn(|_| RandomState::new()),
        }
    }
}

fn count_in(packed: u64, minute: u32) -> u32 {
    if (packed >> 32) as u32 == minute { packed as u32 } else { 0 }
}

/// Returns the part of an address that one client cannot change at will.
fn network_of(client: IpAddr) -> u128 {
    match client.to_canonical() {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::{ManualClock, Timestamp};

    fn refuse(refused: &RefusedCookies, why: Refusal, client: &str) {
        let client = Some(client.parse().unwrap());
        refused.cookie_refused(&CookieRefused { why, client });
    }

    fn count(refused: &RefusedCookies, client: &str) -> u32 {
        refused.count(client.parse().unwrap())
    }

    #[test]
    fn a_minute_later_nothing_is_counted() {
        let clock = ManualClock::at(Timestamp::from_millis(1_700_000_040_000));
        let refused = RefusedCookies::new().clock(clock.clone());
        (0..3).for_each(|_| refuse(&refused, Refusal::Forged, "192.0.2.1"));
        assert_eq!((count(&refused, "192.0.2.1"), count(&refused, "192.0.2.2")), (3, 0));
        clock.advance(Duration::from_secs(60));
        assert_eq!(count(&refused, "192.0.2.1"), 0);
        refuse(&refused, Refusal::Malformed, "192.0.2.1");
        assert_eq!(count(&refused, "192.0.2.1"), 1);
    }

    #[test]
    fn cookies_that_were_once_good_are_not_counted() {
        let refused = RefusedCookies::new();
        refuse(&refused, Refusal::Expired, "192.0.2.1");
        refuse(&refused, Refusal::ForeignKey, "192.0.2.1");
        refused.cookie_refused(&CookieRefused { why: Refusal::Forged, client: None });
        assert_eq!(count(&refused, "192.0.2.1"), 0);
    }

    #[test]
    fn a_network_of_version_6_is_one_client() {
        let clock = ManualClock::at(Timestamp::from_millis(1_700_000_040_000));
        let refused = RefusedCookies::new().clock(clock);
        refuse(&refused, Refusal::Forged, "2001:db8:1:2:3:4:5:6");
        refuse(&refused, Refusal::Forged, "2001:db8:1:2::1");
        assert_eq!(count(&refused, "2001:db8:1:2:ffff::"), 2);
        assert_eq!(count(&refused, "2001:db8:1:3::1"), 0);
        refuse(&refused, Refusal::Forged, "::ffff:192.0.2.1");
        assert_eq!(count(&refused, "192.0.2.1"), 1);
    }

    /// An attack from many addresses takes no memory, and lowers no count.
    #[test]
    fn a_count_is_never_too_low() {
        let clock = ManualClock::at(Timestamp::from_millis(1_700_000_040_000));
        let refused = RefusedCookies::new().clock(clock);
        for client in 0..10_000_u32 {
            let client = Some(IpAddr::from(client.to_be_bytes()));
            refused.cookie_refused(&CookieRefused { why: Refusal::Forged, client });
        }
        assert!((0..10_000_u32).all(|client| refused.count(client.to_be_bytes().into()) >= 1));
    }
}
