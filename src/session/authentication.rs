//! Who is logged in to a session, since when and how strongly.

use std::sync::Arc;

use super::changes::Change;
use super::state::State;
use crate::clock::Timestamp;
use crate::id::StoreKey;
use crate::record::{AuthLevel, EndId, Text};

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

impl State {
    /// Returns who is logged in after the handler's own changes.
    pub(super) fn principal(&self) -> Option<&Text> {
        let set = self.principal_change().and_then(|change| match change {
            Change::Principal { principal, .. } => Some(principal.as_ref()),
            _ => None,
        });
        let loaded = || self.found.live()?.record.principal.as_ref();
        set.unwrap_or_else(loaded)
    }

    /// The end of all other sessions of a user is no reason to refuse the login that this handle has under
    /// way itself, if it had read the roster as it was before that end.
    pub(super) fn take_over_end(
        &mut self,
        roster: &StoreKey,
        before: Option<EndId>,
        end: Option<EndId>,
    ) {
        for known in self.sending.known_rosters().chain(self.changes.known_rosters()) {
            if known.key == *roster && known.roster.last_end == before {
                Arc::make_mut(known).roster.last_end = end;
            }
        }
    }
}
