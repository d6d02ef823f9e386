//! The calls of `Users`, with their entries in the ledger.

use std::sync::Arc;

use super::handler::{Handler, principal_of};
use super::ledger::Aim;
use super::setup::{Principal, name_of};
use super::stored::TAG;
use crate::{Session, SessionError};

pub(super) async fn end_all(handler: &Handler, principal: Principal) {
    let number = begin(handler, Aim::all(handler.visit, principal));
    let ended = handler.server.layer.users().end_all(name_of(principal)).await;
    if finish(handler, number, &ended) {
        handler.world().state().ledger.coverage.ends_of_all += 1;
    }
}

pub(super) async fn end_others(handler: &Handler, session: &Session) {
    let Some(principal) = principal_of(session) else { return };
    let aim =
        Aim { spared: session.handle(), spares_visit: true, ..Aim::all(handler.visit, principal) };
    let is_login = aim.spared.is_none();
    let number = begin(handler, aim);
    let ended = handler.server.layer.users().end_others(session).await;
    if finish(handler, number, &ended) {
        let coverage = &mut handler.world().state().ledger.coverage;
        coverage.ends_of_others += 1;
        coverage.logins_that_end_others += u64::from(is_login);
    }
}

pub(super) async fn end(handler: &Handler, principal: Principal, choice: u64) {
    let chosen = handler.world().state().ledger.choose_handle(principal, choice);
    let Some(handle) = chosen else { return };
    let aim = Aim { only: Some(handle), ..Aim::all(handler.visit, principal) };
    let number = begin(handler, aim);
    let ended = handler.server.layer.users().end(name_of(principal), handle).await;
    if finish(handler, number, &ended) {
        handler.world().state().ledger.coverage.ends_of_one += 1;
    }
}

fn begin(handler: &Handler, aim: Aim) -> usize {
    handler.world().note(handler.visit, format!("begins the end of {aim:?}"));
    handler.world().state().ledger.end_begins(aim)
}

/// Records the result of an end, unless the server has died meanwhile. Returns whether it succeeded.
fn finish<T: std::fmt::Debug>(
    handler: &Handler,
    number: usize,
    ended: &Result<T, SessionError>,
) -> bool {
    let world = handler.world();
    world.note(handler.visit, format!("ended: {ended:?}"));
    if handler.server.process.is_dead() {
        return false;
    }
    let now = world.now();
    let mut state = world.state();
    state.ledger.end_returns(number, ended.is_ok(), now);
    if let Err(error) = ended {
        state.ledger.action_failed(error);
    }
    ended.is_ok()
}

pub(super) async fn list(handler: &Handler, principal: Principal) {
    let world = Arc::clone(handler.world());
    let listing = world.state().ledger.list_begins(principal);
    world.note(handler.visit, format!("lists {listing:?}"));
    let listed = handler.server.layer.users().sessions_of(name_of(principal)).await;
    let shown = listed.map(|sessions| {
        let shown = sessions.iter().map(|session| (session.handle(), principal_of(session)));
        shown.collect::<Vec<_>>()
    });
    world.note(handler.visit, format!("listed: {shown:?}"));
    if handler.server.process.is_dead() {
        return;
    }
    let now = world.now();
    let mut state = world.state();
    match shown {
        Ok(shown) => {
            state.ledger.listed(&listing, &shown, now);
            state.ledger.coverage.lists += 1;
        }
        Err(error) => state.ledger.action_failed(&error),
    }
}

pub(super) async fn edit(handler: &Handler, principal: Principal) {
    let world = Arc::clone(handler.world());
    let tag = world.state().ledger.edit_begins(principal);
    world.note(handler.visit, format!("begins edit {tag} of {principal}"));
    let change = move |session: &Session| session.insert(&format!("{TAG}{tag}"), &tag);
    let edited = handler.server.layer.users().edit(name_of(principal), change).await;
    world.note(handler.visit, format!("edited: {edited:?}"));
    if handler.server.process.is_dead() {
        return;
    }
    let now = world.now();
    let mut state = world.state();
    match edited {
        Ok(_) => {
            state.ledger.edited(tag, now);
            state.ledger.coverage.edits += 1;
        }
        Err(error) => state.ledger.action_failed(&error),
    }
}
