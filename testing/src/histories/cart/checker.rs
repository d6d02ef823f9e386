//! The rules that every history keeps, whatever fails in it.
//!
//! A call without an answer may have happened at any time after its beginning, or never. So it excuses
//! what others see, and accuses nobody.

use std::collections::{BTreeMap, BTreeSet};

use super::calls::{Answer, Call, Cart, Item, Operation};
use super::counter::{self, Addition, Fault, Look};
use crate::histories::recorder::Recorded;
use crate::histories::violation::Kind;

type Violation = crate::histories::violation::Violation<Call>;

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

fn wrong_answers<'a>(calls: &'a [&Call]) -> impl Iterator<Item = Violation> + 'a {
    let is_wrong = |call: &&&Call| matches!(call.answer, Answer::Wrong(_));
    calls.iter().filter(is_wrong).map(|call| Violation::new(Kind::Wrong, [*call]))
}

/// Whether a call has ended a ticket: a logout ends all tickets of its session, and a login its own.
fn has_ended(call: &Call, ticket: u32) -> bool {
    let is_login = call.operation == Operation::LogIn && call.cart().is_some();
    call.answer == Answer::LoggedOut || (is_login && call.ticket == ticket)
}

fn denies(call: &Call) -> bool {
    matches!(call.answer, Answer::Absent | Answer::Gone)
}

fn sessions_that_return(calls: &[&Call]) -> Vec<Violation> {
    let tickets: BTreeSet<_> = calls.iter().map(|call| call.ticket).collect();
    let shown_after = |ticket, proves: &dyn Fn(&Call) -> bool| {
        let proofs = calls.iter().filter(|call| proves(call));
        let proof = proofs.min_by_key(|call| call.ended)?;
        let mut shown = calls.iter().filter(|call| call.ticket == ticket && call.cart().is_some());
        Some([*proof, *shown.find(|call| call.began > proof.ended)?])
    };
    let returned = |ticket| {
        if let Some(calls) = shown_after(ticket, &|call| has_ended(call, ticket)) {
            return Some(Violation::new(Kind::Returned, calls));
        }
        let calls = shown_after(ticket, &|call| call.ticket == ticket && denies(call))?;
        Some(Violation::new(Kind::Reappeared, calls))
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
    let is_excused = |denial: &&Call| {
        calls.iter().any(|end| end.began <= denial.ended && ends(end, denial.ticket))
    };
    let mut denials = calls.iter().filter(|call| denies(call));
    let denial = denials.find(|denial| !is_excused(denial))?;
    // With all calls that could have ended it, whatever they were answered, and all that show whether it was over.
    let tries = [Operation::LogIn, Operation::LogOut];
    let tells = |call: &&&Call| tries.contains(&call.operation) || call.ended > denial.ended;
    let telling = calls.iter().filter(tells);
    Some(Violation::new(Kind::Vanished, [denial].into_iter().chain(telling).copied()))
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
            && (call.doubt().is_some() || call.cart().is_some())
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
        Fault::TooMany { look } => Violation::new(Kind::Invented, [looking[look]]),
        Fault::WentBack { earlier, later } => {
            Violation::new(Kind::WentBack, [looking[earlier], looking[later]])
        }
        Fault::Lost { addition, look } => {
            Violation::new(Kind::Lost, [additional[addition], looking[look]])
        }
        Fault::NoPlace { addition } => {
            let added = additional[addition];
            let later = looking.iter().find(|call| call.began > added.ended);
            Violation::new(Kind::OutOfOrder, [Some(added), later.copied()].into_iter().flatten())
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
    Some(Violation::new(Kind::Torn, [torn[0].0, torn[1].0]))
}

#[cfg(test)]
mod tests;
