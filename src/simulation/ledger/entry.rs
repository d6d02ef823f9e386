//! The entries of the ledger: visits, changes, commits and answers.

use crate::clock::Timestamp;
use crate::error::{SessionError, StoreErrorKind};
use crate::id::StoreKey;

/// A request and what became of it.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) start: Timestamp,
    /// The session that its ticket leads to; of several tickets, the one that counts.
    pub(crate) ticket: Option<StoreKey>,
    /// The sessions of its further tickets.
    pub(crate) others: Vec<StoreKey>,
    /// The numbers of its tickets.
    pub(crate) turns: Vec<(StoreKey, u16)>,
    /// The session that its next change goes to.
    pub(crate) target: Target,
    /// The id that its handle is known to be on.
    pub(crate) at: Option<StoreKey>,
    /// The id under which it has begun a session in the place of another.
    pub(crate) began_anew: Option<StoreKey>,
    /// The id under which the visit's answer began a session.
    pub(crate) new_key: Option<StoreKey>,
    /// Whether it has asked for a logout.
    pub(crate) asked_for_logout: bool,
    /// Whether its handle is kept open after the response has left.
    pub(crate) is_open: bool,
    /// Whether its handle has learned that the session is over.
    pub(crate) is_over: bool,
    /// Whether its logout began with a session that it had loaded, not with an id alone.
    pub(crate) logs_out_loaded: bool,
    /// When its latest logout began.
    pub(crate) logout_begun: Timestamp,
    /// How often it has.
    pub(crate) logouts: usize,
    /// Whether a logout is being executed.
    pub(crate) logout_under_way: bool,
    /// Whether its ticket led to the mark of a renewal.
    pub(crate) met_mark: bool,
    /// Whether a save found the session gone, which takes back the ticket of an earlier save.
    pub(crate) found_gone: bool,
    /// The session of a logout that was not confirmed. The end of the request tries again.
    pub(crate) unconfirmed_logout: Option<StoreKey>,
    pub(crate) saves_under_way: usize,
    /// The number of saves that have stored something, or may have.
    pub(crate) saves_maybe_stored: usize,
    /// Whether clones of the session are in use in other tasks.
    pub(crate) has_clones: bool,
    /// Whether they ever were.
    pub(crate) had_clones: bool,
    /// The commit at the end of the request, once the handler is done.
    pub(crate) final_commit: Option<Commit>,
}

impl Visit {
    /// Returns the sessions of all its tickets.
    pub(crate) fn presented(&self) -> Vec<StoreKey> {
        self.ticket.iter().chain(&self.others).copied().collect()
    }

    /// Returns the number of its latest ticket of a session.
    pub(crate) fn turn_of(&self, key: StoreKey) -> Option<u16> {
        let turns = self.turns.iter().filter(|(of, _)| *of == key);
        turns.map(|(_, number)| *number).max()
    }

    /// Notes which of its tickets counts.
    pub(crate) fn choose(&mut self, chosen: StoreKey) {
        self.others = self.presented();
        self.others.retain(|key| *key != chosen);
        self.ticket = Some(chosen);
    }

    pub(crate) fn new(tickets: &[StoreKey], start: Timestamp) -> Self {
        Self {
            start,
            ticket: tickets.first().copied(),
            others: tickets.iter().skip(1).copied().collect(),
            turns: Vec::new(),
            target: Target::Unknown,
            at: None,
            began_anew: None,
            new_key: None,
            asked_for_logout: false,
            is_open: false,
            is_over: false,
            logs_out_loaded: false,
            logout_begun: start,
            logouts: 0,
            logout_under_way: false,
            met_mark: false,
            found_gone: false,
            unconfirmed_logout: None,
            saves_under_way: 0,
            saves_maybe_stored: 0,
            has_clones: false,
            had_clones: false,
            final_commit: None,
        }
    }
}

/// The session that a change goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    Unknown,
    /// A session that has been found under this id.
    Found(StoreKey),
    /// A session that the visit begins.
    New,
}

/// A change that a handler has made. Its index in the ledger is the tag that it leaves in the
/// session.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) kind: ChangeKind,
    pub(crate) visit: usize,
    pub(crate) target: Target,
    /// The id of the session that the commit which was acknowledged has stored it in.
    pub(crate) stored_in: Option<StoreKey>,
    pub(crate) status: Status,
    /// The time at which a commit may first have sent it.
    pub(crate) sent: Option<Timestamp>,
}

/// The trace that a change leaves in the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ChangeKind {
    /// Adds its tag to a list and one to a counter.
    Count,
    /// Adds its tag to another list by `get` and `insert`.
    GetAndInsert,
    /// Inserts a key of its own.
    OwnKey,
    /// Adds its tag to the list that has room for a few.
    Seat,
    /// Removes the key that the change `removed` has inserted.
    Removal { removed: u32 },
    /// Removes every key.
    Clear,
    /// Moves the session to a new id.
    Renewal,
    /// Sets the principal and moves the session to a new id.
    LogIn { principal: u8 },
    /// Removes the principal and moves the session to a new id.
    LogOut,
}

impl ChangeKind {
    /// Returns whether it moves a live session to a new id.
    pub(crate) fn renews(self) -> bool {
        matches!(self, Self::Renewal | Self::LogIn { .. } | Self::LogOut)
    }

    /// Returns whether a live session always needs a write for it. Removing what another visit
    /// has removed already needs none.
    pub(crate) fn always_writes(self) -> bool {
        !matches!(self, Self::Removal { .. } | Self::Clear)
    }

    /// Returns whether it leaves something in a session that begins with it.
    pub(crate) fn leaves_something(self) -> bool {
        !matches!(self, Self::Removal { .. } | Self::Clear | Self::Renewal | Self::LogOut)
    }

    /// Returns whether nothing of `earlier` is left after this change.
    pub(crate) fn undoes(self, earlier: Self) -> bool {
        match self {
            Self::Clear => !earlier.renews(),
            Self::LogIn { .. } | Self::LogOut => {
                matches!(earlier, Self::LogIn { .. } | Self::LogOut)
            }
            _ => false,
        }
    }
}

/// A change, as far as the ledger knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    /// It is in the log of the handle and was never sent.
    Unsent,
    /// It was sent, and no answer about it is known.
    InDoubt,
    /// It was acknowledged at this time.
    Stored(Timestamp),
    /// The handler or the visitor was told that it is not stored.
    Refused,
    /// A logout has dropped it, or ended the session that it belonged to, or the session was found to
    /// be over. If it was sent before, it may have been stored; no later commit will tell.
    Dropped,
}

/// A commit that has begun.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) visit: usize,
    /// The changes that it sends for the first time.
    pub(crate) unsent: Vec<usize>,
    /// The changes that an earlier commit has left in doubt.
    pub(crate) in_doubt: Vec<usize>,
    pub(crate) begun: Timestamp,
    /// The latest deadline of its session at that time.
    pub(crate) deadline: Option<Timestamp>,
    /// The number of logouts that its visit had asked for by then.
    pub(crate) logouts: usize,
    /// Whether it has an unconfirmed logout to finish.
    pub(crate) finishes_logout: bool,
}

/// The result of a commit, as the handler or the visitor learns it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CommitResult {
    Stored,
    NotStored,
    /// Nothing was stored because the session is over.
    Gone,
    /// A write on the session that was loaded is in doubt.
    Unconfirmed,
    /// The store has lost the reply to something else.
    Unknown,
}

impl CommitResult {
    pub(crate) fn from_error(error: &SessionError) -> Self {
        match error {
            SessionError::Gone => Self::Gone,
            SessionError::Unconfirmed(_) => Self::Unconfirmed,
            SessionError::Store(error) if error.kind() == StoreErrorKind::Indeterminate => {
                Self::Unknown
            }
            _ => Self::NotStored,
        }
    }
}

/// The data that a handler found in a live session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    pub(crate) count: u32,
    pub(crate) counted: Vec<u32>,
    pub(crate) seats: Vec<u32>,
    pub(crate) principal: Option<u8>,
    /// Read by the audit only: a handler that read it would turn later overwrites into conflicts.
    pub(crate) inserted: Option<Vec<u32>>,
    /// Read by the audit only, for the same reason.
    pub(crate) own_keys: Option<Vec<u32>>,
}

/// The response that the visitor got.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The error that the layer answered in place of the handler.
    pub(crate) refused: Option<SessionError>,
    /// The session id in the ticket that it sets.
    pub(crate) ticket: Option<StoreKey>,
    /// Whether it removes the cookie.
    pub(crate) removes_cookie: bool,
}
