//! The calls of `Users`, with their entries in the ledger.

use std::fmt;
use std::sync::Arc;

use super::fleet::Server;
use super::ledger::Aim;
use super::setup::{Principal, name_of, principal_named};
use super::stored::TAG;
use super::world::World;
use crate::{Session, SessionError};

/// The handler that makes a call.
pub(super) struct Caller {
    pub(super) server: Server,
    pub(super) visit: usize,
}

impl Caller {
    pub(super) fn world(&self) -> &Arc<World> {
        &self.server.process.world
    }

    pub(super) async fn end_all(&self, principal: Principal) {
        let number = self.begin(Aim::all(self.visit, principal));
        let ended = self.server.layer.users().end_all(name_of(principal)).await;
        if self.finish(number, &ended) {
            self.world().state().ledger.coverage.ends_of_all += 1;
        }
    }

    pub(super) async fn end_others(&self, session: &Session) {
        let Some(principal) = principal_of(session) else { return };
        let (spared, spares_visit) = (session.handle(), true);
        let aim = Aim { spared, spares_visit, ..Aim::all(self.visit, principal) };
        let number = self.begin(aim);
        let ended = self.server.layer.users().end_others(session).await;
        if self.finish(number, &ended) {
            let coverage = &mut self.world().state().ledger.coverage;
            coverage.ends_of_others += 1;
            coverage.logins_that_end_others += u64::from(spared.is_none());
        }
    }

    /// Ends one of the sessions that somebody has seen.
    pub(super) async fn end(&self, principal: Principal, choice: u64) {
        let chosen = self.world().state().ledger.choose_handle(principal, choice);
        let Some(handle) = chosen else { return };
        let number = self.begin(Aim { only: Some(handle), ..Aim::all(self.visit, principal) });
        let ended = self.server.layer.users().end(name_of(principal), handle).await;
        if self.finish(number, &ended) {
            self.world().state().ledger.coverage.ends_of_one += 1;
        }
    }

    fn begin(&self, aim: Aim) -> usize {
        self.world().note(self.visit, format!("begins the end of {aim:?}"));
        self.world().state().ledger.end_begins(aim)
    }

    /// Records the result of an end. Returns whether it was acknowledged.
    fn finish<T: fmt::Debug>(&self, number: usize, ended: &Result<T, SessionError>) -> bool {
        if !self.takes("ended", ended) {
            return false;
        }
        let (now, mut state) = (self.world().now(), self.world().state());
        state.ledger.end_returns(number, ended.is_ok(), now);
        ended.is_ok()
    }

    pub(super) async fn list(&self, principal: Principal) {
        let listing = self.world().state().ledger.list_begins(principal);
        self.world().note(self.visit, format!("lists {listing:?}"));
        let listed = self.server.layer.users().sessions_of(name_of(principal)).await;
        let shown = listed.map(|sessions| {
            let shown = sessions.iter().map(|session| (session.handle(), principal_of(session)));
            shown.collect::<Vec<_>>()
        });
        if let (true, Ok(shown)) = (self.takes("listed", &shown), &shown) {
            let (now, mut state) = (self.world().now(), self.world().state());
            state.ledger.listed(&listing, shown, now);
            state.ledger.coverage.lists += 1;
        }
    }

    pub(super) async fn edit(&self, principal: Principal) {
        let tag = self.world().state().ledger.edit_begins(principal);
        self.world().note(self.visit, format!("begins edit {tag} of {principal}"));
        let change = move |session: &Session| session.insert(&format!("{TAG}{tag}"), &tag);
        let edited = self.server.layer.users().edit(name_of(principal), change).await;
        if self.takes("edited", &edited) && edited.is_ok() {
            let (now, mut state) = (self.world().now(), self.world().state());
            state.ledger.edited(tag, now);
            state.ledger.coverage.edits += 1;
        }
    }

    /// Notes the result of a call. Returns whether it reaches anybody: the server may have died meanwhile.
    fn takes<T: fmt::Debug>(&self, what: &str, result: &Result<T, SessionError>) -> bool {
        self.world().note(self.visit, format!("{what}: {result:?}"));
        let lives = !self.server.process.is_dead();
        if let (true, Err(error)) = (lives, result) {
            self.world().state().ledger.action_failed(error);
        }
        lives
    }
}

/// Returns who is logged in.
pub(super) fn principal_of(session: &Session) -> Option<Principal> {
    let name = session.principal()?;
    Some(principal_named(&name).expect("handlers log in numbered principals only"))
}
