//! The broken rules that a check returns.

use std::fmt;

/// A broken rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// An answer shows less than what was acknowledged before.
    Lost,
    /// A number or an item is more than anybody added until then, or a list has more sessions than anybody
    /// began.
    Invented,
    /// A later answer shows less. What is gone had been shown, and not acknowledged.
    WentBack,
    /// No order of the calls explains the answers that show an item.
    OutOfOrder,
    /// Two answers show carts of which neither can have come first.
    Torn,
    /// A session shows its data after an acknowledged end, or with a ticket from before an acknowledged
    /// login.
    Returned,
    /// A session shows its data after an answer that it is over. No end was acknowledged.
    Reappeared,
    /// A session is answered to be over, and nobody has tried to end it.
    Vanished,
    /// A list of a user's sessions lacks one, and nobody has tried to end it.
    Unlisted,
    /// A login is refused as one that all sessions were ended during, and nobody has tried to end them.
    Refused,
    /// An answer shows data of another session, or has a status that no fault explains.
    Wrong,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Violation<C> {
    pub kind: Kind,
    /// The calls that contradict each other.
    pub calls: Vec<C>,
}

impl<C: Clone> Violation<C> {
    pub(super) fn new<'a>(kind: Kind, calls: impl IntoIterator<Item = &'a C>) -> Self
    where
        C: 'a,
    {
        Self { kind, calls: calls.into_iter().cloned().collect() }
    }
}

impl<C: fmt::Display> fmt::Display for Violation<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)?;
        self.calls.iter().try_for_each(|call| write!(f, "\n    {call}"))
    }
}
