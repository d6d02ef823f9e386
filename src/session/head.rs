//! The end of a request: whether a cookie can still reach the client, and what the response carries.

use super::visit::Visit;
use crate::cookie::SetCookies;

/// The session's part of the response.
#[derive(Default)]
pub(crate) struct ResponseEffect {
    /// The session was used, so the response depends on the cookie.
    pub(crate) used: bool,
    pub(crate) set_cookies: Option<SetCookies>,
    /// This request has ended the session that it came with.
    pub(crate) logged_out: bool,
    /// A session has begun after that.
    pub(crate) begins_anew: bool,
}

impl Visit {
    /// Closes the response's head at once, if nothing has to be stored for it and no clone is just
    /// talking to the store. A handler that `failed` has nothing to store.
    pub(super) fn close_head_if_idle(&self, failed: bool) -> bool {
        let Ok(_turn) = self.turn.try_lock() else { return false };
        {
            let state = self.slot.read();
            let is_due = state.is_touch_due() || self.slot.is_turn_due();
            if !failed && (is_due || state.has_work()) {
                return false;
            }
        }
        self.slot.close_head();
        if failed {
            self.slot.state().drop_unsaved();
        }
        true
    }

    /// The request ends without a response of ours: no ticket can reach the visitor any more, and
    /// nothing is to be stored.
    pub(super) fn abandon_head(&self) {
        self.slot.close_head();
        match self.turn.try_lock() {
            Ok(_turn) => self.slot.state().drop_unsaved(),
            // A clone that is just saving is told itself what becomes of it, and stores nothing that came later.
            Err(_) => self.slot.state().drops_unsaved = true,
        }
    }

    /// Takes what the session adds to the response, once the head is closed.
    pub(super) fn take_response_effect(&self) -> ResponseEffect {
        let used = self.slot.was_used();
        let mut state = self.slot.state();
        let (logged_out, begins_anew) = (state.logged_out, state.found.live().is_some());
        ResponseEffect { used, set_cookies: state.cookies.take(), logged_out, begins_anew }
    }
}
