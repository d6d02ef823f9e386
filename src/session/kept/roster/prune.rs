//! Entries of a roster whose sessions are over, found a few at a time.
//!
//! Every login and every renewal looks at four entries of a roster that has more than eight. So a roster stays about as long
//! as its user has sessions, and no login pays for all of them.

use super::access::Rosters;
use super::walk::is_of;
use crate::id::StoreKey;
use crate::record::{Listed, Mark, StoredRoster};
use crate::session::found::Found;
use crate::session::together::{self, Boxed};
use crate::store::Created;

/// Rosters up to this length are not looked through.
const SHORT: usize = 8;
const LOOKED_AT: usize = 4;

/// The result of looking at some entries.
#[derive(Default)]
pub(super) struct Pruning {
    dead: Vec<StoreKey>,
    /// Those go to the back, so that the next login looks at others.
    alive: Vec<StoreKey>,
}

impl Pruning {
    /// Takes out what was seen to be over. Applied again after a conflict, to whatever is there then: only
    /// keys that were looked at may go.
    pub(super) fn apply(&self, roster: &mut StoredRoster) {
        roster.listed.retain(|listed| !self.dead.contains(&listed.key));
        let (seen, rest): (Vec<Listed>, Vec<Listed>) =
            roster.listed.iter().copied().partition(|listed| self.alive.contains(&listed.key));
        roster.listed = rest.into_iter().chain(seen).collect();
    }
}

impl Rosters<'_> {
    /// Looks at the first entries of a long roster. What cannot be read proves nothing and stays.
    pub(super) async fn prune(&self, roster: &StoredRoster, principal: &str) -> Pruning {
        let mut pruning = Pruning::default();
        if roster.listed.len() <= SHORT {
            return pruning;
        }
        let first = &roster.listed[..LOOKED_AT];
        let looks = first.iter().map(|listed| {
            Box::pin(self.is_over(*listed, roster, principal)) as Boxed<'_, Option<bool>>
        });
        for (listed, is_over) in first.iter().zip(together::all(looks.collect()).await) {
            match is_over {
                Some(true) => pruning.dead.push(listed.key),
                Some(false) => pruning.alive.push(listed.key),
                None => {}
            }
        }
        pruning
    }

    /// Whether nothing of the principal can be reached through an entry any more; `None` where that cannot
    /// be told.
    async fn is_over(
        &self,
        listed: Listed,
        roster: &StoredRoster,
        principal: &str,
    ) -> Option<bool> {
        if listed.has_expired(self.terms.now()) {
            return Some(true);
        }
        let entry = self.commands.load(&listed.key).await.ok()?;
        if entry.is_none() {
            return self.is_absent_for_good(&listed.key).await;
        }
        match self.terms.read(listed.key, entry).ok()? {
            Found::Live(live) => Some(!is_of(&live.record, principal)),
            Found::Mark { mark: Mark::Ended { .. }, .. } => Some(true),
            Found::Mark { mark: Mark::Moved { to, .. }, .. } if roster.lists(&to) => Some(true),
            // A successor that is not listed yet is found through this entry alone.
            Found::Mark { mark: Mark::Moved { to, .. }, .. } => {
                Some(self.follow(to, principal, roster).await.ok()?.live().is_none())
            }
            // Over by this server's clock.
            Found::Nothing | Found::Outdated { .. } => None,
        }
    }

    /// What is absent may be about to be created by a login whose first answer was lost. With a mark in
    /// its place that can no longer happen. The mark tells a logout of an old handle nothing: the session
    /// may have been renewed so long ago that its own mark has expired.
    async fn is_absent_for_good(&self, key: &StoreKey) -> Option<bool> {
        let mut mark = self.ended_mark().ok()?;
        mark.bytes = Mark::VACANT.encode();
        match self.commands.create(key, &mark).await.ok()? {
            Created::Done(_) => Some(true),
            Created::Exists => None,
        }
    }
}
