//! The roster of a principal as this process has read it.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::SessionError;
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
    /// What was there could not be read. It counts as empty, for logins only.
    pub(super) damage: Option<Damage>,
    /// When it was asked for.
    pub(super) asked: Instant,
}

/// The damage of a roster.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    /// Its bytes are no roster. It can be written over, on its version.
    Bytes,
    /// The store itself cannot read the entry, so there is no version.
    Entry,
}

/// The longest time between `log_in` and the commit of a login. It bounds what slips through where a store
/// has lost the roster, and an end in it, in between.
const LONGEST_LOGIN: Duration = Duration::from_secs(5 * 60);

impl KnownRoster {
    /// Refuses a roster that was damaged. A list of it would hide sessions, and an end would let them live.
    pub(super) fn intact(self) -> Result<Self, SessionError> {
        match self.damage {
            None => Ok(self),
            Some(_) => Err(SessionError::Corrupt("damaged roster of a user's sessions")),
        }
    }

    /// Whether a login that has read this roster may be listed in `current`. A monotonic clock measures
    /// its age, because the time of day may be set back.
    pub(super) fn admits_to(&self, current: &StoredRoster) -> bool {
        self.asked.elapsed() <= LONGEST_LOGIN && self.roster.last_end == current.last_end
    }
}
