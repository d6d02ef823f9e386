//! Requests that overlap.

use super::fingerprint::Fingerprint;
use crate::id::SessionHandle;

/// A conflict: two requests have changed one session at the same time.
///
/// ```
/// use cloakroom::events::{Conflict, ConflictOutcome};
///
/// fn is_lost(event: &Conflict) -> bool {
///     event.outcome == ConflictOutcome::Refused // its client was answered 409
/// }
/// # use std::sync::{Arc, Mutex};
/// # struct Lost(Arc<Mutex<u32>>);
/// # impl cloakroom::Observer for Lost {
/// #     fn conflict(&self, event: &Conflict) { *self.0.lock().unwrap() += u32::from(is_lost(event)); }
/// # }
/// # let lost = Arc::default();
/// # let mut visitor = cloakroom::documentation::Visitor::observed_by(Lost(Arc::clone(&lost)));
/// # visitor.visit(async |session| session.insert("name", "Ada"));
/// # let lost = *lost.lock().unwrap();
/// assert_eq!(lost, 0); // a single request meets nobody
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Conflict {
    /// The outcome.
    pub outcome: ConflictOutcome,
    /// The session's name in the logs, if the request still knows one.
    pub session: Option<Fingerprint>,
    /// The public handle of the login, if the layer keeps a [roster](crate::Roster).
    pub handle: Option<SessionHandle>,
}

/// The outcome of a conflict.
///
/// ```
/// use cloakroom::events::ConflictOutcome;
///
/// assert_eq!(ConflictOutcome::Merged.name(), "merged");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ConflictOutcome {
    /// The changes of both fit together, and are sent to the store next. Told for each conflict of a commit:
    /// one that many requests overtake has several.
    Merged,
    /// The changes of this request depend on what the other one has changed, and are not stored:
    /// [`SessionError::Conflict`](crate::SessionError::Conflict).
    Refused,
}

impl ConflictOutcome {
    /// Returns a short name, as for the label of a metric.
    ///
    /// ```
    /// use cloakroom::events::ConflictOutcome;
    ///
    /// assert_eq!(ConflictOutcome::Refused.name(), "refused");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Merged => "merged",
            Self::Refused => "refused",
        }
    }
}
