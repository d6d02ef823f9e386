//! Facts about a handle that an app cannot see, for the feature `testing`.

use super::session::Session;
use crate::id::StoreKey;
use crate::store::Version;

impl Session {
    /// Returns the key and version under which the session is stored, as far as this handle knows.
    pub(crate) fn stored_as(&self) -> Option<(StoreKey, Version)> {
        let state = self.0.slot.read();
        state.found.live().map(|live| (live.key, live.version))
    }

    /// Returns whether the request's ticket leads to a session that was renewed since.
    pub(crate) fn has_moved(&self) -> bool {
        self.0.slot.read().found.is_moved()
    }
}
