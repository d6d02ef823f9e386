//! The rules that every history keeps, whatever fails in it.
//!
//! A call without an answer may have happened at any time after its beginning, or never. So it excuses
//! what others see, and accuses nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::counter::{self, Addition, Fault, Look};
use super::recorder::{Answer, Call, Cart, Item, Operation};

/// A broken rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// An acknowledged addition is missing.
    Lost,
    /// A number or an item is more than anybody added until then.
    Invented,
    /// A later answer shows less.
    WentBack,
    /// Two answers show carts of which neither can have come first.
    Torn,
    /// A session that was over shows its data: after an acknowledged logout, with a ticket from before an
    /// acknowledged login, or after an answer that it is over.
    Returned,
    /// A session is answered to be over, and nobody has tried to end it.
    Vanished,
    /// An answer shows data of another session, or has a status that no fault explains.
    Wrong,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Violation {
    pub kind: Kind,
    /// The calls that contradict each other.
    pub calls: Vec<Call>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)?;
        self.calls.iter().try_for_each(|call| write!(f, "\n    {call}"))
    }
}

/// Returns what no correct session layer could have answered: at most one violation of each kind for an item
/// or a ticket, because one fault often shows in all answers that follow.
pub fn check(history: &[Call]) -> Vec<Violation> {
    let mut sessions: BTreeMap<u32, Vec<&Call>> = BTreeMap::new();
    for call in history {
        sessions.entry(call.session).or_default().push(call);
    }
    let mut violations = Vec::new();
    for calls in sessions.values() {
        violations.extend(wrong_answers(calls));
        violations.extend(sessions_that_return(calls));
        violations.extend(sessions_that_vanish(calls));
        violations.extend(wrong_items(calls));
        violations.extend(torn_carts(calls));
    }
    violations
}

fn violation<'a>(kind: Kind, calls: impl IntoIterator<Item = &'a Call>) -> Violation {
    Violation { kind, calls: calls.into_iter().cloned().collect() }
}

fn wrong_answers<'a>(calls: &'a [&Call]) -> impl Iterator<Item = Violation> + 'a {
    let is_wrong = |call: &&&Call| matches!(call.answer, Answer::Wrong(_));
    calls.iter().filter(is_wrong).map(|call| violation(Kind::Wrong, [*call]))
}

/// Returns the call that proves first that a ticket is over: a logout for all tickets, a login for its own,
/// and an answer that there is no session.
fn first_proof<'a>(calls: &[&'a Call], ticket: u32) -> Option<&'a Call> {
    let proves = |call: &&&Call| match (&call.operation, &call.answer) {
        (_, Answer::LoggedOut) => true,
        (_, Answer::Absent | Answer::Gone) | (Operation::LogIn, Answer::Shown(_)) => {
            call.ticket == ticket
        }
        _ => false,
    };
    calls.iter().filter(proves).min_by_key(|call| call.ended).copied()
}

fn sessions_that_return(calls: &[&Call]) -> Vec<Violation> {
    let tickets: BTreeSet<_> = calls.iter().map(|call| call.ticket).collect();
    let returned = |ticket| {
        let proof = first_proof(calls, ticket)?;
        let shows = |call: &&&Call| {
            call.ticket == ticket && call.began > proof.ended && call.cart().is_some()
        };
        let shown = calls.iter().find(shows)?;
        Some(violation(Kind::Returned, [proof, *shown]))
    };
    tickets.into_iter().filter_map(returned).collect()
}

/// Finds the first answer that a session is over although no logout, and no login with the same ticket, had
/// begun. One that was refused for certain excuses nothing.
fn sessions_that_vanish(calls: &[&Call]) -> Option<Violation> {
    let ends = |end: &Call, ticket| match end.operation {
        _ if matches!(end.answer, Answer::Gone | Answer::NotSent) => false,
        Operation::LogOut => true,
        Operation::LogIn => end.ticket == ticket,
        Operation::Add(_) | Operation::Read => false,
    };
    let denies = |call: &&&Call| matches!(call.answer, Answer::Absent | Answer::Gone);
    let is_excused = |denial: &&Call| {
        calls.iter().any(|end| end.began <= denial.ended && ends(end, denial.ticket))
    };
    let mut denials = calls.iter().filter(denies);
    denials.find(|denial| !is_excused(denial)).map(|denial| violation(Kind::Vanished, [*denial]))
}

/// Checks one number in the carts of a session: `shown` returns it, and `adds` whether a call adds to it.
fn wrong_number(
    calls: &[&Call],
    shown: impl Fn(&Cart) -> u32,
    adds: impl Fn(Item) -> bool,
) -> Option<Violation> {
    let (mut additions, mut additional, mut looks, mut looking) = (vec![], vec![], vec![], vec![]);
    for &call in calls {
        let (began, ended) = (call.began, call.ended);
        if let Operation::Add(item) = call.operation
            && adds(item)
            && (call.is_unknown() || call.cart().is_some())
        {
            let acknowledged = call.cart().map(|cart| (ended, shown(cart)));
            additions.push(Addition { began, acknowledged });
            additional.push(call);
        }
        if let Some(cart) = call.cart() {
            looks.push(Look { began, ended, number: shown(cart) });
            looking.push(call);
        }
    }
    Some(match counter::check(&additions, &looks).err()? {
        Fault::TooMany { look } => violation(Kind::Invented, [looking[look]]),
        Fault::WentBack { earlier, later } => {
            violation(Kind::WentBack, [looking[earlier], looking[later]])
        }
        Fault::Lost { addition } => {
            let lost = additional[addition];
            let later = looking.iter().find(|call| call.began > lost.ended);
            violation(Kind::Lost, [Some(lost), later.copied()].into_iter().flatten())
        }
    })
}

/// Checks each item by itself, and then their sum, which is a counter too.
fn wrong_items(calls: &[&Call]) -> Vec<Violation> {
    let carts = calls.iter().filter_map(|call| call.cart());
    let mut items: BTreeSet<Item> = carts.flat_map(|cart| cart.keys().copied()).collect();
    items.extend(calls.iter().filter_map(|call| match call.operation {
        Operation::Add(item) => Some(item),
        _ => None,
    }));
    let number = |item| {
        let shown = move |cart: &Cart| cart.get(&item).copied().unwrap_or_default();
        wrong_number(calls, shown, |added| added == item)
    };
    let wrong: Vec<_> = items.into_iter().filter_map(number).collect();
    if wrong.is_empty() {
        return wrong_number(calls, sum, |_| true).into_iter().collect();
    }
    wrong
}

fn sum(cart: &Cart) -> u32 {
    cart.values().fold(0, |sum, &number| sum.saturating_add(number))
}

/// Compares all carts. They only grow, so of two carts one has no more of any item than the other.
fn torn_carts(calls: &[&Call]) -> Option<Violation> {
    let mut shown: Vec<(&Call, &Cart)> =
        calls.iter().filter_map(|call| Some((*call, call.cart()?))).collect();
    shown.sort_by_key(|(_, cart)| sum(cart));
    let has_less = |(_, smaller): &(&Call, &Cart), (_, larger): &(&Call, &Cart)| {
        smaller.iter().any(|(item, number)| larger.get(item).unwrap_or(&0) < number)
    };
    let torn = shown.windows(2).find(|pair| has_less(&pair[0], &pair[1]))?;
    Some(violation(Kind::Torn, [torn[0].0, torn[1].0]))
}

#[cfg(test)]
mod tests;
