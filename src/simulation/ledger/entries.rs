//! What the books are made of.

use crate::clock::Timestamp;
use crate::error::{SessionError, StoreErrorKind};
use crate::id::StoreKey;

/// A request, from its start on.
#[derive(Debug)]
pub(in crate::simulation) struct Visit {
    pub(in crate::simulation) start: Timestamp,
    pub(in crate::simulation) ticket: Option<StoreKey>,
    pub(in crate::simulation) home: Home,
    /// The id that this visit's answer gave to a session it began.
    pub(in crate::simulation) new_home: Option<StoreKey>,
    pub(in crate::simulation) destroys: bool,
    /// The logout is under way.
    pub(in crate::simulation) destroying: bool,
    /// Its ticket led to the mark of a renewal.
    pub(in crate::simulation) met_mark: bool,
    /// A save found the session gone, and took back the ticket of one before.
    pub(in crate::simulation) gone: bool,
    /// A logout that was not confirmed; the end of the request tries again.
    pub(in crate::simulation) ending: Option<StoreKey>,
    /// Saves that are under way.
    pub(in crate::simulation) saving: usize,
    /// Saves that have stored something, or may have.
    pub(in crate::simulation) saved: usize,
    /// Clones of the session are in use elsewhere.
    pub(in crate::simulation) shared: bool,
    /// The commit at its end, once the handler is done.
    pub(in crate::simulation) last: Option<Pending>,
}

impl Visit {
    pub(in crate::simulation) fn new(ticket: Option<StoreKey>, start: Timestamp) -> Self {
        Self {
            start,
            ticket,
            home: Home::Unknown,
            new_home: None,
            destroys: false,
            destroying: false,
            met_mark: false,
            gone: false,
            ending: None,
            saving: 0,
            saved: 0,
            shared: false,
            last: None,
        }
    }
}

/// The session that a change goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::simulation) enum Home {
    Unknown,
    Of(StoreKey),
    /// One that this visit begins.
    New,
}

/// A change that a handler asked for; its index is the tag that it leaves in the session.
#[derive(Debug)]
pub(in crate::simulation) struct Change {
    pub(in crate::simulation) kind: Kind,
    pub(in crate::simulation) visit: usize,
    pub(in crate::simulation) home: Home,
    pub(in crate::simulation) stands: Stands,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::simulation) enum Kind {
    /// Adds its tag to a list, and one to a counter, by `update`.
    Count,
    /// Adds its tag to another list by `get` and `insert`.
    ByHand,
    /// Inserts a key of its own.
    Own,
    /// Adds its tag to a list that has room for [`SEATS`], by `try_update`.
    Seat,
    /// Removes the key that another change has inserted.
    Removal {
        of: u32,
    },
    Renewal,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::simulation) enum Stands {
    /// In the log of the handle, and never sent.
    Fresh,
    /// Sent, and not answered for.
    Doubt,
    /// Acknowledged.
    Stored(Timestamp),
    /// Said not to be stored.
    Refused,
    /// Its session was given up with it.
    Lost,
}

/// A commit that has begun.
#[derive(Clone, Debug)]
pub(in crate::simulation) struct Pending {
    pub(in crate::simulation) visit: usize,
    pub(in crate::simulation) fresh: Vec<usize>,
    pub(in crate::simulation) doubtful: Vec<usize>,
    pub(in crate::simulation) began: Timestamp,
    pub(in crate::simulation) deadline: Option<Timestamp>,
    /// It has a logout to finish.
    pub(in crate::simulation) ends: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::simulation) enum Said {
    Stored,
    NotStored,
    /// Not stored either, and the session is over.
    Gone,
    Unknown,
}

impl Said {
    pub(in crate::simulation) fn of(error: &SessionError) -> Self {
        match error {
            SessionError::Gone => Self::Gone,
            SessionError::Unconfirmed(_) => Self::Unknown,
            SessionError::Store(error) if error.kind() == StoreErrorKind::Indeterminate => {
                Self::Unknown
            }
            _ => Self::NotStored,
        }
    }
}

/// What a handler found in a live session.
#[derive(Clone, Debug, Default)]
pub(in crate::simulation) struct View {
    pub(in crate::simulation) count: u32,
    pub(in crate::simulation) tags: Vec<u32>,
    pub(in crate::simulation) seats: Vec<u32>,
    /// Read at the end only: reading it in a handler would make it a key that was read.
    pub(in crate::simulation) by_hand: Option<Vec<u32>>,
    pub(in crate::simulation) own: Option<Vec<u32>>,
}

/// What the visitor got.
#[derive(Clone, Debug)]
pub(in crate::simulation) struct Answer {
    pub(in crate::simulation) status: u16,
    /// The layer's error in place of the handler's answer.
    pub(in crate::simulation) refused: Option<SessionError>,
    pub(in crate::simulation) ticket: Option<StoreKey>,
    pub(in crate::simulation) removal: bool,
}
