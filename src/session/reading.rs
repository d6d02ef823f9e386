//! The ways in which a request may read its session, and an open handle ask about it.

use crate::error::SessionError;

/// Whether reading the session counts as using it, which moves its deadline, and how new it must be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Use,
    /// A use that this server's memory may not answer.
    FreshUse,
    Peek,
}

impl Reading {
    pub(super) fn is_use(self) -> bool {
        self != Self::Peek
    }
}

/// The failures of a load after which a request goes on as for an anonymous visitor.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tolerated {
    pub(crate) outage: bool,
    pub(crate) unreadable: bool,
}

impl Tolerated {
    pub(super) fn covers(self, error: &SessionError) -> bool {
        (self.outage && error.is_outage()) || (self.unreadable && error.is_unreadable())
    }
}

/// The questions of an open handle about its session.
#[derive(Clone, Copy)]
pub(super) enum Question {
    Look,
    Touch,
}
