//! A handle that is kept open for long after its response has left.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::sleep;

use super::handler::{destroy, drop_save, save};
use super::ledger::{Answered, CommitResult};
use super::operations::{perform, read};
use super::plan::OpenStep;
use super::world::World;
use crate::{Session, SessionError};

/// Performs the steps of a handle whose response was answered with `status`.
pub(super) async fn keep_open(
    world: &Arc<World>,
    visit: usize,
    session: Session,
    status: u16,
    steps: &[OpenStep],
) {
    let at = world.state().ledger.key_shown_by(&session);
    // Nothing can be begun any more once the head has left.
    if at.is_none() {
        return;
    }
    if status >= 400 {
        session.discard();
    }
    world.state().ledger.handle_kept_open(visit, status >= 400, at);
    world.note(visit, "keeps its handle open");
    for step in steps {
        perform_step(world, visit, &session, *step).await;
    }
    world.state().ledger.handle_closed(visit);
}

async fn perform_step(world: &Arc<World>, visit: usize, session: &Session, step: OpenStep) {
    // The ledger has recorded every result.
    match step {
        OpenStep::Wait(millis) => sleep(Duration::from_millis(millis)).await,
        OpenStep::Change(operation) => {
            let _ = perform(world, visit, session, operation).await;
        }
        OpenStep::Save => {
            let saved = save(world, visit, session).await;
            count(world, &saved, |world| world.state().coverage.open_saves += 1);
        }
        OpenStep::DropSave(after) => drop_save(world, visit, session, after).await,
        OpenStep::ParkSave { polls, pause } => park_save(world, visit, session, polls, pause).await,
        OpenStep::Reload => {
            let begun = world.now();
            world.note(visit, "reloads");
            let reloaded = session.reload().await;
            record_answer(world, visit, session, &reloaded, begun, false);
            count(world, &reloaded, |world| world.state().coverage.open_reloads += 1);
        }
        OpenStep::Touch => {
            let begun = world.now();
            world.note(visit, "touches");
            let touched = session.touch().await;
            record_answer(world, visit, session, &touched, begun, true);
            count(world, &touched, |world| world.state().coverage.open_touches += 1);
        }
        OpenStep::Destroy => {
            let ended = destroy(world, visit, session.destroy()).await;
            count(world, &ended, |world| world.state().coverage.open_logouts += 1);
        }
    }
}

fn count(world: &World, result: &Result<(), SessionError>, answered: impl FnOnce(&World)) {
    match result {
        Ok(()) => answered(world),
        Err(SessionError::Gone) => world.state().coverage.open_ends += 1,
        Err(_) => {}
    }
}

/// Records what a handle was told about its session, and checks what it shows then.
fn record_answer(
    world: &World,
    visit: usize,
    session: &Session,
    result: &Result<(), SessionError>,
    begun: crate::clock::Timestamp,
    is_use: bool,
) {
    world.note(visit, format!("is told: {result:?}"));
    let contents = match (result, is_use) {
        (Ok(()), false) => read(session).ok(),
        _ => None,
    };
    let result = result.as_ref().map_or_else(CommitResult::from_error, |()| CommitResult::Stored);
    let answered = Answered { visit, result, begun, is_use, is_empty: shows_nothing(session) };
    let now = world.now();
    world.state().ledger.handle_answered(&answered, contents.as_ref(), now);
}

fn shows_nothing(session: &Session) -> bool {
    session.principal().is_none() && session.keys().is_empty()
}

/// Polls a save a few times, then not at all for long, and then to its end.
async fn park_save(world: &Arc<World>, visit: usize, session: &Session, polls: u64, pause: u64) {
    world.state().coverage.parked_saves += 1;
    let commit = world.state().ledger.save_begins(visit, world.now());
    world.note(visit, format!("begins a save that is parked for {pause} ms"));
    let mut saving = pin!(session.save());
    for _ in 0..polls {
        let polled = poll_fn(|context| Poll::Ready(saving.as_mut().poll(context))).await;
        if let Poll::Ready(saved) = polled {
            return end_save(world, session, &commit, &saved);
        }
        sleep(Duration::from_millis(1)).await;
    }
    sleep(Duration::from_millis(pause)).await;
    end_save(world, session, &commit, &saving.await);
}

fn end_save(
    world: &World,
    session: &Session,
    commit: &super::ledger::Commit,
    saved: &Result<(), SessionError>,
) {
    world.note(commit.visit, format!("saved: {saved:?}"));
    let result = saved.as_ref().map_or_else(CommitResult::from_error, |()| CommitResult::Stored);
    let now = world.now();
    let mut state = world.state();
    let at = state.ledger.key_shown_by(session);
    let acknowledged = state.ledger.save_ends(commit, result, at, now);
    state.coverage.acknowledged += acknowledged;
}
