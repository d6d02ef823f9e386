//! The change of a user's session from outside of any request.

use std::sync::Arc;

use http::HeaderMap;

use super::found::{Found, Live};
use super::kept::Rosters;
use super::reading::Tolerated;
use super::session::Session;
use super::settings::Settings;
use super::state::Stage;
use super::visit::Visit;
use crate::error::SessionError;
use crate::id::{SessionHandle, StoreKey};
use crate::record::StoredRoster;

/// Returns a handle to a session that was found without a request: it has no cookie, and no response to put
/// one into.
pub(super) fn detached(settings: &Arc<Settings>, live: Live) -> Session {
    let presented = settings.backend.present(&HeaderMap::new());
    let visit = Visit::new(Arc::clone(settings), presented, None, Tolerated::default());
    visit.slot.detach();
    {
        let mut state = visit.slot.state();
        (state.stage, state.found) = (Stage::Loaded, Found::Live(live));
    }
    Session(Arc::new(visit))
}

/// A session that was changed. During a renewal there may be two of one handle.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Edited {
    Handle(SessionHandle),
    Key(StoreKey),
}

/// The change of one session of a user.
pub(super) struct Edit<'a> {
    pub(super) settings: &'a Arc<Settings>,
    pub(super) rosters: &'a Rosters<'a>,
    pub(super) roster: &'a StoredRoster,
    pub(super) principal: &'a str,
    pub(super) change: &'a (dyn Fn(&Session) -> Result<(), SessionError> + Send + Sync),
}

impl Edit<'_> {
    pub(super) async fn run(&self, key: StoreKey) -> Result<Option<Edited>, SessionError> {
        loop {
            let reached = self.rosters.follow(key, self.principal, self.roster).await?;
            let Some(live) = reached.live() else { return Ok(None) };
            let edited = live.record.handle.map_or(Edited::Key(live.key), Edited::Handle);
            let session = detached(self.settings, live);
            let saved = match (self.change)(&session) {
                Ok(()) => session.save().await,
                Err(error) => Err(error),
            };
            let Err(error) = saved else { return Ok(Some(edited)) };
            session.discard();
            // Renewed or changed meanwhile: its mark leads on.
            let again = matches!(error, SessionError::Gone | SessionError::Conflict { .. });
            if !again || self.rosters.is_late() {
                return Err(error);
            }
        }
    }
}
