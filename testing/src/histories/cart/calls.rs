//! The calls of the cart and their answers.

use std::collections::BTreeMap;
use std::fmt;

use crate::histories::recorder::{Doubt, Moment, Recorded};

/// Something in a session's cart. The cart's counters and keys are items alike: a key is a counter to which
/// one call adds, once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Item {
    /// The item that the session began with. Whoever sees it sees this session, and no other has it.
    Owner,
    /// An item to which many calls add.
    Counter(u8),
    /// An item to which one call adds.
    Key(u32),
}

impl Item {
    /// Returns the item's name in the cart of a session.
    pub fn name(self, session: u32) -> String {
        match self {
            Self::Owner => format!("owner-{session}"),
            Self::Counter(number) => format!("counter-{number}"),
            Self::Key(number) => format!("key-{number}"),
        }
    }

    /// Returns the item of this name. The error says what is wrong with a cart that has it.
    pub fn parse(name: &str, session: u32) -> Result<Self, String> {
        let (kind, number) = name.split_once('-').unwrap_or((name, ""));
        let item = match kind {
            "owner" if number == session.to_string() => Some(Self::Owner),
            "counter" => number.parse().ok().map(Self::Counter),
            "key" => number.parse().ok().map(Self::Key),
            _ => None,
        };
        item.ok_or_else(|| format!("{name} is not an item of session {session}"))
    }
}

/// The number of each item.
pub type Cart = BTreeMap<Item, u32>;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Adds one.
    Add(Item),
    Read,
    /// Gives the session a new ticket.
    LogIn,
    LogOut,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// 200 with the data of the session.
    Shown(Cart),
    /// 200 without any data of the session: the answer to a new visitor.
    Absent,
    /// 204 to a logout.
    LoggedOut,
    /// 409, which proves that the session is over and that nothing was stored.
    Gone,
    /// The node accepted no connection, so it did not get the call.
    NotSent,
    /// The call may have been carried out, or may still be.
    Unknown(Doubt),
    /// The answer shows what belongs to another session, or has a status that no fault explains.
    Wrong(String),
}

#[derive(Clone, PartialEq, Debug)]
pub struct Call {
    pub client: usize,
    pub node: usize,
    pub session: u32,
    /// Which of the session's tickets the call brought: 0 is the first, and each login makes the next.
    pub ticket: u32,
    pub operation: Operation,
    pub began: Moment,
    pub ended: Moment,
    pub answer: Answer,
}

impl Call {
    /// Returns the cart that the answer shows.
    pub fn cart(&self) -> Option<&Cart> {
        match &self.answer {
            Answer::Shown(cart) => Some(cart),
            _ => None,
        }
    }

    pub fn is_acknowledged_add(&self) -> bool {
        matches!((&self.operation, &self.answer), (Operation::Add(_), Answer::Shown(_)))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, node, session, ticket, operation, answer, .. } = self;
        let (began, ended) = (self.began.as_secs_f64(), self.ended.as_secs_f64());
        write!(f, "client {client} at node {node}, session {session}, ticket {ticket}: ")?;
        write!(f, "{operation:?} from {began:.6} to {ended:.6} s, answered {answer:?}")
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
        self.is_acknowledged_add()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_have_names_and_foreign_ones_are_refused() {
        for item in [Item::Owner, Item::Counter(1), Item::Key(70_000)] {
            assert_eq!(Item::parse(&item.name(7), 7), Ok(item));
        }
        for name in ["owner-8", "owner-07", "owner", "counter-x", "counter-300", "apple", ""] {
            assert!(Item::parse(name, 7).is_err(), "{name}");
        }
    }
}
