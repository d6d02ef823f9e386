//! A session enters the roster of its principal.

use std::sync::Arc;

use super::access::{Purpose, Rosters, Written};
use super::prune::Pruning;
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::{SessionHandle, StoreKey};
use crate::record::{Listed, Record, StoredRoster, Text};
use crate::session::found::Live;
use crate::session::in_flight::Successor;
use crate::session::kept::fresh_id::Issuer;
use crate::session::known_roster::KnownRoster;
use crate::session::retry::Retry;
use crate::session::roster::WhenFull;
use crate::session::together::{self, Boxed};

/// A session that somebody is logged in to, on its way into the roster.
pub(in crate::session::kept) struct Joining {
    principal: Text,
    how: How,
}

enum How {
    /// A login, with the roster as it was before the login began. If all sessions were ended since, the
    /// login is refused: it may be the one that the end was meant for.
    FirstLogin(Option<Arc<KnownRoster>>),
    /// The principal's own session goes on under a new id, or is listed again. It needs no check while the
    /// old id is listed, because an end would have followed its mark.
    Renewal { from: StoreKey, authenticated: Timestamp },
}

impl Joining {
    /// Prepares a record for its roster. `base` is the session that it takes over from, and `login` the
    /// roster as `log_in` has read it. Returns `None` where there is nothing to list.
    pub(in crate::session::kept) fn new(
        rosters: &Rosters<'_>,
        record: &mut Record,
        base: Option<&Live>,
        login: Option<Arc<KnownRoster>>,
    ) -> Result<Option<Self>, SessionError> {
        let (Some(_), Some(principal)) = (rosters.terms.roster, record.principal.clone()) else {
            return Ok(None);
        };
        let base = base.filter(|base| base.record.principal.as_ref() == Some(&principal));
        let how = match base {
            Some(base) => How::renewal_of(base),
            None => {
                // Whoever takes over the data of another login gets a name of his own, or an "end my other
                // sessions" of that one would spare him.
                record.handle = None;
                How::FirstLogin(login)
            }
        };
        if record.handle.is_none() {
            record.handle = Some(SessionHandle::draw(rosters.terms.entropy)?);
        }
        Ok(Some(Self { principal, how }))
    }

    /// A live session that is not listed: its roster was lost, or its renewal `from` another id was dropped
    /// half-way. `None` if nobody is logged in.
    pub(in crate::session::kept) fn again(live: &Live, from: StoreKey) -> Option<Self> {
        let principal = live.record.principal.clone()?;
        let authenticated = live.record.authenticated.unwrap_or(live.record.created);
        Some(Self { principal, how: How::Renewal { from, authenticated } })
    }

    pub(in crate::session::kept) fn is_renewal(&self) -> bool {
        matches!(self.how, How::Renewal { .. })
    }

    /// Creates the record, and reads the roster at the same time.
    pub(in crate::session::kept) async fn begin(
        self,
        rosters: Rosters<'_>,
        create: Boxed<'_, Result<Successor, SessionError>>,
    ) -> (Result<Successor, SessionError>, Listing) {
        let seen = Box::pin(self.look_first(rosters));
        let (created, seen) = together::both(create, seen).await;
        (created, Listing { joining: self, seen })
    }

    /// Creates the record, and lists it before anybody has its ticket.
    pub(in crate::session::kept) async fn issue(
        self,
        rosters: Rosters<'_>,
        create: Boxed<'_, Result<Successor, SessionError>>,
        issuer: &Issuer<'_>,
    ) -> Result<Successor, SessionError> {
        let (created, listing) = self.begin(rosters, create).await;
        let successor = created?;
        match listing.finish(rosters, &successor.live).await.1 {
            Ok(()) => Ok(successor),
            Err(error) => {
                // Nobody has its ticket.
                issuer.remove_orphan(&successor.live.key).await;
                Err(error)
            }
        }
    }

    /// Reads the roster anew and lists a live session, without pruning and whatever the limit.
    pub(in crate::session::kept) async fn list(
        &self,
        rosters: Rosters<'_>,
        live: &Live,
    ) -> Result<(), SessionError> {
        let known = rosters.load(rosters.key(self.principal.as_str())).await?;
        self.join(rosters, live, known, &Pruning::default()).await.map(drop)
    }

    /// Reads the roster, unless the login has, and looks at some of its entries.
    async fn look_first(
        &self,
        rosters: Rosters<'_>,
    ) -> Result<(KnownRoster, Pruning), SessionError> {
        let known = match &self.how {
            How::FirstLogin(Some(known)) => KnownRoster::clone(known),
            _ => rosters.load(rosters.key(self.principal.as_str())).await?,
        };
        let pruning = rosters.prune(&known.roster, self.principal.as_str()).await;
        Ok((known, pruning))
    }

    /// Writes the session into the roster, and returns what is there then.
    async fn join(
        &self,
        rosters: Rosters<'_>,
        live: &Live,
        known: KnownRoster,
        pruning: &Pruning,
    ) -> Result<StoredRoster, SessionError> {
        let key = known.key;
        let (_place, known) = rosters.take_turn(known).await;
        let mut known = match known {
            Some(known) => known,
            None => rosters.load(key).await?,
        };
        let mut retry = Retry::new(rosters.terms.entropy, rosters.commands.deadline());
        let mut conflicts = 0;
        loop {
            if known.roster.lists(&live.key) {
                return Ok(known.roster);
            }
            // At every attempt, on the version that the write expects.
            self.check(&known.roster)?;
            self.check_room(rosters, live, &known.roster).await?;
            let mut next = known.roster.clone();
            pruning.apply(&mut next);
            next.listed.extend(listed(live));
            known = match rosters.write(&known, &next, Purpose::List).await? {
                Written::Done => return Ok(next),
                Written::Conflict(current) => {
                    conflicts += 1;
                    if conflicts > 1 && !retry.pause().await {
                        return Err(SessionError::Contended);
                    }
                    current
                }
                // Sent again under another commit id, unless it is there now.
                Written::Lost if retry.pause().await => rosters.load(key).await?,
                Written::Lost => return Err(SessionError::Unconfirmed(None)),
            };
        }
    }

    /// Refuses a session if all of its principal's were ended since its login. A login that has read no roster
    /// cannot tell, and is refused, too.
    fn check(&self, roster: &StoredRoster) -> Result<(), SessionError> {
        let may_join = match &self.how {
            How::FirstLogin(known) => known.as_ref().is_some_and(|known| known.admits_to(roster)),
            How::Renewal { from, authenticated } => {
                roster.lists(from) || !has_ended(roster, *authenticated)
            }
        };
        if may_join { Ok(()) } else { Err(SessionError::Gone) }
    }

    async fn check_room(
        &self,
        rosters: Rosters<'_>,
        live: &Live,
        roster: &StoredRoster,
    ) -> Result<(), SessionError> {
        match (&self.how, rosters.terms.roster) {
            (How::FirstLogin(_), Some(options)) if options.when_full == WhenFull::Refuse => {
                let principal = self.principal.as_str();
                rosters.check_room(roster, live, principal, options.limit).await
            }
            _ => Ok(()),
        }
    }

    async fn make_room(
        &self,
        rosters: Rosters<'_>,
        live: &Live,
        roster: &StoredRoster,
    ) -> Result<(), SessionError> {
        match (&self.how, rosters.terms.roster) {
            (How::FirstLogin(_), Some(options)) if options.when_full != WhenFull::Refuse => {
                rosters.make_room(roster, live, self.principal.as_str(), options.limit).await
            }
            _ => Ok(()),
        }
    }
}

/// A session that has been created and has to be listed.
pub(in crate::session::kept) struct Listing {
    joining: Joining,
    /// The roster as it was found, and what may go from it.
    seen: Result<(KnownRoster, Pruning), SessionError>,
}

impl Listing {
    /// Refuses a session that its roster cannot take, before anything is done that cannot be undone.
    pub(in crate::session::kept) fn check(&self) -> Result<(), SessionError> {
        match &self.seen {
            Ok((known, _)) => self.joining.check(&known.roster),
            Err(error) => Err(error.clone()),
        }
    }

    /// Lists the session, and hands out what a further attempt needs.
    pub(in crate::session::kept) async fn finish(
        self,
        rosters: Rosters<'_>,
        live: &Live,
    ) -> (Joining, Result<(), SessionError>) {
        let Self { joining, seen } = self;
        let joined = match seen {
            Ok((known, pruning)) => joining.join(rosters, live, known, &pruning).await,
            Err(error) => Err(error),
        };
        let listed = match joined {
            Ok(roster) => joining.make_room(rosters, live, &roster).await,
            Err(error) => Err(error),
        };
        (joining, listed)
    }
}

impl How {
    fn renewal_of(live: &Live) -> Self {
        let authenticated = live.record.authenticated.unwrap_or(live.record.created);
        Self::Renewal { from: live.key, authenticated }
    }
}

/// Whether all sessions of the principal were ended since this login. In doubt yes: a server's clock may be
/// behind.
pub(super) fn has_ended(roster: &StoredRoster, authenticated: Timestamp) -> bool {
    roster.last_end.is_some() && roster.ended_at >= authenticated
}

pub(super) fn listed(live: &Live) -> Option<Listed> {
    let handle = live.record.handle?;
    Some(Listed { handle, key: live.key, expires: live.record.expires })
}
