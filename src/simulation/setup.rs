//! The figures and the key that all parts of a run share.

use std::time::Duration;

#[cfg(feature = "sealed")]
use crate::Sealing;
use crate::SessionLayer;
use crate::clock::Timestamp;
use crate::keys::{Key, KeyRing};

/// The time at which every run begins.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// The idle timeout of all servers.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// The absolute lifetime that all servers give a session.
pub(crate) const ABSOLUTE_LIFETIME: Duration = Duration::from_secs(900);

/// The age at which tickets are renewed, in runs that do so.
pub(crate) const TICKET_AGE: Duration = Duration::from_secs(60);

/// The longest that a handler may wait for its session: the time-out of one store command, and
/// the slack that the library promises.
pub(crate) const LONGEST_LOAD: Duration = Duration::from_millis(2_100);
/// The longest that a commit may take, with the same slack.
pub(crate) const LONGEST_COMMIT: Duration = Duration::from_millis(5_100);

/// How long an id alone can still end the session that it was renewed to.
pub(crate) const LONGEST_FOLLOW: Duration = Duration::from_secs(60);

/// The number of servers in front of the store.
pub(crate) const SERVERS: usize = 3;

/// The server that goes on anonymously where the store does not answer.
pub(crate) const ANONYMOUS_SERVER: usize = 0;

/// The size of the list that `try_update` fills.
pub(crate) const SEATS: usize = 3;

/// The number of principals that log in.
pub(crate) const PRINCIPALS: u64 = 3;

/// The name of the session cookie.
pub(crate) const COOKIE_NAME: &str = "__Host-id";

/// Returns the key that the servers of every run share.
pub(crate) fn key_ring() -> KeyRing {
    KeyRing::new(Key::from_bytes(&[7; 32]).expect("32 bytes are enough for a key"))
}

/// Gives a server the step at which it seals values, by the seed: none of them, all, or neighbouring steps.
#[cfg(feature = "sealed")]
pub(crate) fn sealed(layer: SessionLayer, seed: u64, server: usize) -> SessionLayer {
    layer.sealed(match (seed % 4, server) {
        (1, _) => Sealing::Only,
        (2, 0) => Sealing::Read,
        (2, _) => Sealing::Write,
        (3, 1) => Sealing::Read,
        _ => Sealing::Off,
    })
}

/// Leaves the server as it is: in this build nothing seals.
#[cfg(not(feature = "sealed"))]
pub(crate) fn sealed(layer: SessionLayer, _: u64, _: usize) -> SessionLayer {
    layer
}
