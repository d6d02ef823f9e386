//! The two stores of one command, and what its steps share.

use std::time::Duration;

use super::breaker::Breaker;
use super::format;
use super::new_store::NewStore;
use super::old_store::OldStore;
use super::tally::Tally;
use crate::clock::{Clock, Timestamp};
use crate::entropy::{self, Entropy};
use crate::error::{StoreError, StoreErrorKind};
use crate::id::CommitId;
use crate::store::entry::{NewEntry, Version};

/// Longer than any command, any `create` that arrives late, and the difference of two servers' clocks
/// together. A fence outlives its tentative entry by as much.
pub(super) const FENCE_MARGIN: Duration = Duration::from_secs(60 * 60);

/// The two steps between a server that knows the old store alone and one that knows the new one alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Reads the old store first and leaves every entry where it is.
    OldFirst,
    /// Reads the new store first, creates there, and moves what it changes.
    NewFirst,
}

/// What all commands of one `Moving` share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) step: Step,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
    pub(super) breaker: Breaker,
    pub(super) tally: Tally,
}

impl Shared {
    pub(super) fn new(step: Step) -> Self {
        Self {
            step,
            clock: Clock::system(),
            entropy: entropy::operating_system,
            breaker: Breaker::default(),
            tally: Tally::default(),
        }
    }
}

/// The two stores. The types of the stores end here, so that the steps are compiled once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'a> {
    pub(super) old: OldStore<'a>,
    pub(super) new: NewStore<'a>,
    pub(super) shared: &'a Shared,
}

impl Pair<'_> {
    pub(super) fn is_old_first(&self) -> bool {
        self.shared.step == Step::OldFirst
    }

    pub(super) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Draws the name of a write that the caller of the command knows nothing of. Under the caller's commit
    /// id, the version of its entry could repeat that of a fence.
    pub(super) fn fresh_commit(&self) -> Result<CommitId, StoreError> {
        CommitId::draw(self.shared.entropy)
            .map_err(|error| StoreError::new(StoreErrorKind::Unavailable, error))
    }

    /// Returns a fence that nobody has to wait for: the key is the new store's.
    pub(super) fn open_fence(&self, renewal: bool) -> Result<NewEntry, StoreError> {
        let deadline = self.now().saturating_add(FENCE_MARGIN);
        let mut fence = NewEntry::new(self.fresh_commit()?, deadline, format::fence(None));
        fence.renewal = renewal;
        Ok(fence)
    }

    /// Returns the fence that moves an entry: it leads to the tentative entry of this version and outlives it.
    pub(super) fn fence(&self, commit: CommitId, to: &Version, deadline: Timestamp) -> NewEntry {
        let deadline = deadline.saturating_add(FENCE_MARGIN);
        // If the old store loses the fence, an older entry counts again.
        NewEntry::new(commit, deadline, format::fence(Some(to))).last_word()
    }

    /// Returns an entry that is over before it is written. Replacing by it is a delete on a condition, which
    /// no store has as a command.
    pub(super) fn nothing(&self) -> Result<NewEntry, StoreError> {
        Ok(NewEntry::new(self.fresh_commit()?, Timestamp::default(), ""))
    }
}

/// Turns the error of a command before the caller's own entry was sent: a lost answer proves here that the
/// caller's command was not applied.
pub(super) fn nothing_sent(error: StoreError) -> StoreError {
    as_kind(error, StoreErrorKind::Indeterminate, StoreErrorKind::Unavailable)
}

/// Turns every error after which the caller's write may be there into one that says so.
pub(super) fn unconfirmed(error: StoreError) -> StoreError {
    match error.kind() {
        StoreErrorKind::Indeterminate => error,
        _ => StoreError::new(StoreErrorKind::Indeterminate, error),
    }
}

fn as_kind(error: StoreError, from: StoreErrorKind, to: StoreErrorKind) -> StoreError {
    if error.kind() == from { StoreError::new(to, error) } else { error }
}
