//! The roster of a principal as this process has read it.

use std::time::Duration;

use tokio::time::Instant;

use crate::id::StoreKey;
use crate::record::StoredRoster;
use crate::store::Version;

/// A roster, and the version that a conditional write of it expects.
#[derive(Clone)]
pub(super) struct KnownRoster {
    pub(super) key: StoreKey,
    /// `None` where there is no roster yet.
    pub(super) version: Option<Version>,
    pub(super) roster: StoredRoster,
    /// When it was asked for.
    pub(super) asked: Instant,
}

/// The longest time between `log_in` and the commit of a login. By then an end in between may have been
/// forgotten together with the roster, which the store keeps for ten minutes at least.
const LONGEST_LOGIN: Duration = Duration::from_secs(5 * 60);

impl KnownRoster {
    /// Whether a login that has read this roster may be listed in `current`. A monotonic clock measures
    /// its age, because the time of day may be set back.
    pub(super) fn admits_to(&self, current: &StoredRoster) -> bool {
        self.asked.elapsed() <= LONGEST_LOGIN && self.roster.last_end == current.last_end
    }
}
