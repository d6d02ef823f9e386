//! The most sessions that one principal may have.

use std::collections::BTreeMap;

use super::access::Rosters;
use super::walk::{Meant, Reached};
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::events::EndedBy;
use crate::id::SessionHandle;
use crate::record::{Listed, StoredRoster};
use crate::session::found::Live;
use crate::session::together::{self, Boxed};

impl Rosters<'_> {
    /// Refuses a login that is about to be listed, if its principal has `limit` other sessions.
    pub(super) async fn check_room(
        &self,
        roster: &StoredRoster,
        own: &Live,
        principal: &str,
        limit: usize,
    ) -> Result<(), SessionError> {
        // A roster lists what is over, too, so its length alone refuses nobody.
        if roster.listed.len() < limit || self.others(roster, own, principal).await?.len() < limit {
            return Ok(());
        }
        Err(SessionError::TooManySessions { limit })
    }

    /// Ends the sessions with the oldest logins, until `limit` are left with the one that was just listed.
    ///
    /// Counted on the roster with that one in it. Of two logins at the same time the later one sees both;
    /// counted on what each had loaded, neither would see the other.
    pub(super) async fn make_room(
        &self,
        roster: &StoredRoster,
        own: &Live,
        principal: &str,
        limit: usize,
    ) -> Result<(), SessionError> {
        if roster.listed.len() <= limit {
            return Ok(());
        }
        let mut others: Vec<_> = self.others(roster, own, principal).await?.into_iter().collect();
        others.sort_by_key(|(_, login)| *login);
        let excess = (others.len() + 1).saturating_sub(limit);
        let oldest: Vec<SessionHandle> =
            others[..excess].iter().map(|(handle, _)| *handle).collect();
        let doomed = roster.listed.iter().filter(|listed| oldest.contains(&listed.handle));
        let ends = doomed.map(|listed| {
            let meant =
                Meant { principal, only: Some(listed.handle), spared: None, by: EndedBy::Limit };
            Box::pin(self.end(listed, meant, roster)) as Boxed<'_, Result<bool, _>>
        });
        for ended in together::all(ends.collect()).await {
            ended.map_err(SessionError::into_unconfirmed)?;
        }
        Ok(())
    }

    /// Returns the live sessions of a roster, `own` left out, with the times of their logins.
    async fn others(
        &self,
        roster: &StoredRoster,
        own: &Live,
        principal: &str,
    ) -> Result<BTreeMap<SessionHandle, Timestamp>, SessionError> {
        let others = roster.listed.iter().filter(|listed| Some(listed.handle) != own.record.handle);
        let others: Vec<Listed> = others.copied().collect();
        let looks = others.iter().map(|listed| {
            Box::pin(self.follow(listed.key, principal, roster)) as Boxed<'_, Result<_, _>>
        });
        let mut live = BTreeMap::new();
        for (listed, found) in others.iter().zip(together::all(looks.collect()).await) {
            let found: Reached = found?;
            let Some(found) = found.live() else { continue };
            let handle = found.record.handle.unwrap_or(listed.handle);
            let login = found.record.authenticated.unwrap_or(found.record.created);
            live.entry(handle)
                .and_modify(|last: &mut Timestamp| *last = login.max(*last))
                .or_insert(login);
        }
        if let Some(own) = own.record.handle {
            live.remove(&own);
        }
        Ok(live)
    }
}
