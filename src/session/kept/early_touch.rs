//! The touch that does not wait for the handler, because little of the idle timeout is left.

use super::roster::{Rosters, Standing, look};
use crate::session::found::{Found, Live};
use crate::session::slot::Slot;
use crate::session::state::Stage;
use crate::session::together::both;
use crate::store::Touched;

/// Moves the deadline of a session that was just loaded, or that was only peeked at before.
///
/// A failure costs the visitor some idle time at most, so the request goes on, and the commit tries again.
/// If the session is over, it was never there for a handler that has not seen it yet, and is lost for
/// one that has. Meanwhile a clone may have logged in, so that the answer is about another session.
pub(super) async fn touch_early(slot: &Slot, rosters: Rosters<'_>) {
    let Rosters { terms, commands, .. } = rosters;
    let now = terms.now();
    let due = slot.read().found.live().and_then(|live| {
        let deadline = terms.early_touch_due(live, now)?;
        let looks = commands.looks(terms, &live.record);
        let looks = looks.then(|| live.clone());
        Some((live.key, live.version, deadline, live.stored(deadline), looks))
    });
    let Some((key, version, deadline, stored, looks)) = due else { return };
    let touch = commands.touch(&key, &version, stored);
    let touched = match looks {
        None => touch.await,
        Some(live) => match both(Box::pin(touch), Box::pin(look(rosters, live))).await {
            (_, Ok(Standing::Ended)) => Ok(Touched::Gone),
            (touched, _) => touched,
        },
    };
    let mut state = slot.state();
    let is_same = |live: &Live| (live.key, live.version) == (key, version);
    match (touched, &mut state.found) {
        (Ok(Touched::Done), Found::Live(live)) if is_same(live) => {
            live.touched(deadline, now);
            state.touch_due = false;
        }
        (Ok(Touched::Gone), Found::Live(live)) if is_same(live) => match state.stage {
            Stage::Untouched => (state.found, state.touch_due) = (Found::Nothing, false),
            _ => state.lose(Found::Nothing),
        },
        // If it was skipped, another request was quicker.
        (Ok(_), _) => {}
        (Err(error), _) => {
            drop(state);
            let error = &error as &dyn std::error::Error;
            tracing::debug!(session = %key, error, "idle timeout not moved");
        }
    }
}
