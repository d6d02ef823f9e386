//! The calls of the login example and their answers.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::histories::recorder::{Doubt, Moment, Recorded};

/// A user of the login example.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum User {
    Alice,
    Mallory,
    /// The administrator.
    Root,
}

impl User {
    pub fn name(self) -> &'static str {
        match self {
            Self::Alice => "alice",
            Self::Mallory => "mallory",
            Self::Root => "root",
        }
    }

    pub(super) fn password(self) -> &'static str {
        match self {
            Self::Alice => "wonderland",
            Self::Mallory => "password1",
            Self::Root => "toor-toor",
        }
    }
}

/// The public name of a session, as every list has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Handle(pub u64);

impl Handle {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let handle = u64::from_str_radix(text, 16).ok().map(Self)?;
        (handle.to_string() == text).then_some(handle)
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Begins a session.
    LogIn,
    /// Logs in again in the caller's session, which gets another ticket.
    Renew,
    /// Asks who is logged in.
    Read,
    /// Lists all sessions of the caller's user.
    List,
    /// Ends the caller's session.
    LogOut,
    /// Ends one session of the caller's user.
    End(Handle),
    /// Ends all sessions of the caller's user but the caller's.
    EndOthers,
    /// As an administrator, ends all sessions of a user.
    EndAll(User),
}

#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// 200 with the session's user and handle.
    LoggedIn(Handle),
    /// 200 with the handles of all sessions of the user.
    Listed(BTreeSet<Handle>),
    /// 200 or 204 to an end.
    Ended,
    /// An answer to somebody who is not logged in. To a renewal: there is no session with this ticket, and a new
    /// one has begun.
    NotLoggedIn,
    /// 404: the user has no session of this handle.
    NoneOfThisHandle,
    /// 409, which proves that there is no session with this ticket and that nothing was done. To a login or
    /// renewal: it was refused, because all sessions were ended meanwhile.
    Gone,
    /// The node accepted no connection, so it did not get the call.
    NotSent,
    /// The call may have been carried out, or may still be.
    Unknown(Doubt),
    /// The answer shows another session, or has a status that no fault explains.
    Wrong(String),
}

#[derive(Clone, PartialEq, Debug)]
pub struct Call {
    pub client: usize,
    pub node: usize,
    pub user: User,
    /// Which session's ticket the call brought. A login brings none, and begins the session of this number.
    pub session: u32,
    /// Which of the session's tickets the call brought: 0 is the first, and each renewal makes the next.
    pub ticket: u32,
    pub operation: Operation,
    /// How long a login or renewal waited, at least, between its success in the handler and its answer.
    pub held: Duration,
    pub began: Moment,
    pub ended: Moment,
    pub answer: Answer,
}

impl Call {
    /// Returns the handle of the session that an acknowledged login has begun.
    pub fn new_handle(&self) -> Option<Handle> {
        match (self.operation, &self.answer) {
            (Operation::LogIn, &Answer::LoggedIn(handle)) => Some(handle),
            _ => None,
        }
    }

    /// Returns whether the call may have made another ticket for its session.
    pub fn may_have_renewed(&self) -> bool {
        let did_not = matches!(self.answer, Answer::NotSent | Answer::NotLoggedIn);
        self.operation == Operation::Renew && !did_not
    }

    /// Returns the list that the answer shows.
    pub fn list(&self) -> Option<&BTreeSet<Handle>> {
        match &self.answer {
            Answer::Listed(handles) => Some(handles),
            _ => None,
        }
    }

    /// Returns the user whose sessions the call is to end, if it ends more than one.
    pub fn ends_all_of(&self) -> Option<User> {
        match self.operation {
            Operation::EndOthers => Some(self.user),
            Operation::EndAll(user) => Some(user),
            _ => None,
        }
    }
}

impl Recorded for Call {
    fn node(&self) -> usize {
        self.node
    }

    fn began(&self) -> Moment {
        self.began
    }

    fn ended(&self) -> Moment {
        self.ended
    }

    fn doubt(&self) -> Option<Doubt> {
        match self.answer {
            Answer::Unknown(doubt) => Some(doubt),
            _ => None,
        }
    }

    fn is_served(&self) -> bool {
        self.list().is_some()
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, node, user, session, ticket, operation, held, answer, .. } = self;
        let (began, ended) = (self.began.as_secs_f64(), self.ended.as_secs_f64());
        write!(f, "client {client} at node {node}, {}, session {session}, ", user.name())?;
        write!(f, "ticket {ticket}: {operation:?} ")?;
        if !held.is_zero() {
            write!(f, "held for {held:?} ")?;
        }
        write!(f, "from {began:.6} to {ended:.6} s, answered {answer:?}")
    }
}
