//! When and how strongly the user of a session was authenticated.

use super::changes::Change;
use super::state::State;
use crate::clock::Timestamp;
use crate::record::AuthLevel;

/// The login of a session, as the handler's own changes leave it.
#[derive(Clone, Copy)]
pub(super) struct Authentication {
    pub(super) at: Timestamp,
    pub(super) level: AuthLevel,
}

impl Authentication {
    /// Returns `None` when nobody is logged in.
    pub(super) fn of(state: &State) -> Option<Self> {
        let (counts_from, assurance) = match state.principal_change() {
            Some(Change::Principal { principal, at, assurance, .. }) => {
                (principal.as_ref().map(|_| *at)?, *assurance)
            }
            _ => {
                let record = &state.found.live()?.record;
                (record.authenticated?, record.assurance)
            }
        };
        Some(Self { at: assurance.proved_at(counts_from), level: assurance.level })
    }
}
