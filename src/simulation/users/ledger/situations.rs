//! The situations that coverage counts.

use std::time::Duration;

use super::books::Ledger;
use crate::clock::Timestamp;
use crate::id::StoreKey;
use crate::record::Listed;
use crate::simulation::users::setup::Principal;

/// The longest that a login may be between two of its steps, so that what one has left behind that crashed is
/// not taken for one under way.
const UNDER_WAY: Duration = Duration::from_secs(2);

impl Ledger {
    /// Returns whether a login has created its session and not listed it.
    pub(crate) fn is_creating(&self, principal: Principal, now: Timestamp) -> bool {
        let listed = &self.stored.roster(principal).listed;
        self.stored.births().any(|(key, birth)| {
            birth.principal == Some(principal)
                && birth.over.is_none()
                && now.since(birth.at) < UNDER_WAY
                && birth.handle.is_some_and(|handle| !self.logins.contains_key(&handle))
                && !listed.iter().any(|listed| listed.key == key)
        })
    }

    /// Returns whether a renewal has listed its new id and not yet marked the old one.
    pub(crate) fn is_renewing(&self, principal: Principal, now: Timestamp) -> bool {
        let listed = &self.stored.roster(principal).listed;
        let live = |listed: &&Listed| self.stored.live(listed.key, now).is_some();
        listed.iter().filter(live).any(|one| {
            let is_its = |other: &Listed| other.handle == one.handle && other.key != one.key;
            listed.iter().filter(live).any(is_its)
        })
    }

    /// Returns whether a renewal has marked its old id and not yet listed the new one.
    pub(crate) fn is_moving(&self, principal: Principal, now: Timestamp) -> bool {
        let listed = &self.stored.roster(principal).listed;
        let is_unlisted = |key: &StoreKey| !listed.iter().any(|listed| listed.key == *key);
        let mut unlisted = self.stored.reached(principal).into_iter().filter(is_unlisted);
        unlisted.any(|key| {
            let life = self.stored.live(key, now);
            life.is_some_and(|life| life.principal == Some(principal))
        })
    }

    /// Returns whether a login that is not acknowledged yet is listed again, under another id.
    pub(crate) fn has_new_id(&self, principal: Principal, added: &Listed) -> bool {
        let listed = &self.stored.roster(principal).listed;
        let is_other = |other: &Listed| other.handle == added.handle && other.key != added.key;
        !self.logins.contains_key(&added.handle) && listed.iter().any(is_other)
    }
}
