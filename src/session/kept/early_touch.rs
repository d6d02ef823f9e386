//! The touch that does not wait for the handler, because little of the idle timeout is left.

use super::commands::Commands;
use crate::session::found::Found;
use crate::session::slot::Slot;
use crate::session::terms::Terms;
use crate::store::Touched;

/// Moves the deadline of a session that was just loaded.
///
/// A failure costs the visitor some idle time at most, so the request goes on, and the commit tries
/// again. Only a session that is over turns out to be none.
pub(super) async fn touch_early(slot: &Slot, terms: &Terms, commands: Commands<'_>) {
    let due = {
        let state = slot.state();
        state.found.live().and_then(|live| {
            let deadline = terms.early_touch_due(live, terms.now())?;
            Some((live.key, live.version, deadline, live.stored(deadline)))
        })
    };
    let Some((key, version, deadline, stored)) = due else { return };
    let touched = commands.touch(&key, &version, stored).await;
    let mut state = slot.state();
    match (touched, &mut state.found) {
        (Ok(Touched::Done), Found::Live(live)) => {
            live.deadline = deadline;
            state.touch_due = false;
        }
        (Ok(Touched::Gone), found) => {
            *found = Found::Nothing;
            state.touch_due = false;
        }
        // Another request was quicker.
        (Ok(_), _) => {}
        (Err(error), _) => {
            drop(state);
            let error = &error as &dyn std::error::Error;
            tracing::debug!(session = %key, error, "idle timeout not moved");
        }
    }
}
