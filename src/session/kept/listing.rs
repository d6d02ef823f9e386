//! The roster's part in a commit: a renewed session is listed, and a live one looks whether it is.

use super::fresh_id::Issuer;
use super::roster::{Joining, Listing, Rosters, Standing, look};
use crate::error::SessionError;
use crate::session::found::{Found, Live};
use crate::session::retry::Retry;
use crate::session::slot::Slot;

/// One commit and the roster of its session's principal.
#[derive(Clone, Copy)]
pub(super) struct Listings<'a> {
    pub(super) issuer: &'a Issuer<'a>,
    pub(super) slot: &'a Slot,
}

impl Listings<'_> {
    pub(super) fn rosters(&self) -> Rosters<'_> {
        Rosters::of(self.issuer)
    }

    /// Looks, unless the session has done so a short while ago.
    pub(super) async fn look_if_due(&self) {
        let Issuer { commands, terms, looked, .. } = *self.issuer;
        let is_due = {
            let state = self.slot.read();
            state.found.live().is_some_and(|live| {
                commands.looks(terms, &live.record) && looked.is_due(&live.key, terms.now())
            })
        };
        if is_due {
            self.look().await;
        }
    }

    /// Looks whether the session is still listed, if sessions like this one do. A failure costs nothing now,
    /// so the request goes on.
    pub(super) async fn look(&self) {
        let Issuer { commands, terms, looked, .. } = *self.issuer;
        let live = {
            let state = self.slot.read();
            state.found.live().filter(|live| commands.looks(terms, &live.record)).cloned()
        };
        let Some(live) = live else { return };
        let key = live.key;
        match look(self.rosters(), live).await {
            Ok(Standing::Listed) => looked.note(&key, terms.now()),
            Ok(Standing::Changed) => {}
            Ok(Standing::Ended) => self.slot.state().lose(Found::Nothing),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(session = %key, error, "roster not looked at");
            }
        }
    }

    /// Lists a session whose old id is being marked at the same time. The mark may be there already, so a
    /// roster that cannot be written is tried again: without it the visitor would have no session at all.
    pub(super) async fn list(&self, live: &Live, listing: Listing) -> Result<(), SessionError> {
        let Issuer { commands, terms, .. } = *self.issuer;
        let mut retry = Retry::new(terms.entropy, commands.deadline());
        let (joining, mut listed) = listing.finish(self.rosters(), live).await;
        while listed.as_ref().is_err_and(SessionError::is_outage) && retry.pause().await {
            listed = joining.list(self.rosters(), live).await;
        }
        listed?;
        self.slot.state().listed(&live.key);
        Ok(())
    }

    /// Lists a renewed session whose listing was dropped or has failed. Its ticket has reached nobody.
    pub(super) async fn list_unlisted(&self) -> Result<(), SessionError> {
        let unlisted = {
            let state = self.slot.read();
            let from = state.unlisted.as_ref().map(|unlisted| unlisted.from);
            state.found.live().cloned().zip(from)
        };
        let listing = unlisted.and_then(|(live, from)| Some((Joining::again(&live, from)?, live)));
        let Some((joining, live)) = listing else {
            // Over, or nobody is logged in: nothing that a later commit would have to do.
            self.slot.state().unlisted = None;
            return Ok(());
        };
        let listed = joining.list(self.rosters(), &live).await;
        let mut state = self.slot.state();
        match listed {
            Ok(()) => state.listed(&live.key),
            // All sessions were ended. The old id is worthless, and nobody gets the new one.
            Err(SessionError::Gone) => state.lose(Found::Nothing),
            Err(_) => {}
        }
        listed
    }
}
