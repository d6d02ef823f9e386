//! The tickets of a request whose signature holds, and the session that several of them lead to.

use std::cmp::Reverse;

use super::commands::Commands;
use crate::clock::Timestamp;
use crate::cookie::{Presented, Refusal, Ticket, TicketMint};
use crate::error::SessionError;
use crate::events::SessionChange;
use crate::id::StoreKey;
use crate::record::Turn;
use crate::session::found::{Address, Found};
use crate::session::report::Named;
use crate::session::terms::Terms;

/// Sessions that one request may load. More come from somebody who attempts something: each cookie
/// would be a store command.
const MOST_LOADS: usize = 4;

/// The addresses that a request's proven tickets lead to.
pub(super) enum Proven {
    /// None; and why the most telling one was refused, if there were any.
    None(Option<Refusal>),
    One(Address),
    /// A browser sends several, if a cookie of our name lingers under another path or domain. The one
    /// that expires last comes first.
    Several(Vec<Address>),
}

impl Proven {
    /// Allocates only if several signatures hold, or `address` does.
    pub(super) fn find(
        mint: &TicketMint,
        presented: &Presented,
        now: Timestamp,
        address: impl Fn(&Ticket) -> Address,
    ) -> Self {
        let mut refusal = None;
        let mut proven = presented.candidates().iter().filter_map(|text| {
            let proven = mint.prove(text, now);
            proven.map_err(|why| refusal = refusal.max(Some(why))).ok()
        });
        let Some(first) = proven.next() else {
            drop(proven);
            return Self::None(refusal);
        };
        let Some(second) = proven.next() else { return Self::One(address(&first)) };
        Self::several([first, second].into_iter().chain(proven).collect(), address)
    }

    fn several(mut tickets: Vec<Ticket>, address: impl Fn(&Ticket) -> Address) -> Self {
        tickets.sort_by_key(|ticket| Reverse((ticket.expires, ticket.turn)));
        let mut addresses: Vec<Address> = Vec::with_capacity(tickets.len());
        for ticket in tickets {
            let address = address(&ticket);
            match addresses.iter_mut().find(|other| other.key == address.key) {
                // Of several tickets of one session the latest counts.
                Some(other) if other.turn < address.turn => *other = address,
                Some(_) => {}
                None => addresses.push(address),
            }
        }
        match &addresses[..] {
            [one] => Self::One(one.clone()),
            _ => Self::Several(addresses),
        }
    }

    pub(super) fn addresses(&self) -> &[Address] {
        match self {
            Self::None(_) => &[],
            Self::One(address) => std::slice::from_ref(address),
            Self::Several(addresses) => addresses,
        }
    }
}

/// Returns the latest of the request's tickets that lead to this session.
pub(super) fn latest_ticket(
    key: &StoreKey,
    mint: &TicketMint,
    presented: &Presented,
    now: Timestamp,
) -> Option<Ticket> {
    let proven = presented.candidates().iter().filter_map(|text| mint.prove(text, now).ok());
    let its_own = proven.filter(|ticket| ticket.id.store_key() == *key);
    its_own.max_by_key(|ticket| ticket.turn)
}

/// Refuses a ticket whose turn is over: a later one of the same session has been used since.
pub(super) fn admit(found: Found, turn: u16, terms: &Terms) -> Found {
    let Found::Live(mut live) = found else { return found };
    // Of an entry in this server's memory, the time at which it was read: what has been used since is not in it.
    let now = live.known_at;
    if !live.record.turn.admits(turn, now) {
        let a_while = live.moved_mark_lifetime();
        let recently = live.record.turn.has_just_replaced(turn, a_while, now);
        return Found::Outdated { key: live.key, recently };
    }
    let next = terms.turn_after_use(&live.record, turn, now);
    // A copy that is older than the ticket would be written on a version that is over.
    let lags = live.held && turn > live.record.turn.number;
    let is_due = |next: Turn| next != live.record.turn || next.number > turn;
    live.turn_due = !lags && next.is_some_and(is_due);
    Found::Live(live)
}

/// Tells of a request that has brought nothing better than an outdated ticket.
pub(super) fn report_outdated(found: &Found, presented: &Presented, terms: &Terms) {
    if matches!(found, Found::Outdated { .. }) && presented.is_first_report() {
        terms.report.cookie_refused(Refusal::Outdated, presented.client);
    }
}

/// Loads the sessions at `addresses`, and returns the live one that was created or renewed last. The
/// expiry in a ticket does not tell which: a "remembered" session outlives every later one.
///
/// # Errors
///
/// That of any load: going on with another session than the one that could not be read would log the
/// visitor out, or in as somebody else, without a word.
pub(super) async fn load_newest(
    addresses: Vec<Address>,
    presented: &Presented,
    commands: Commands<'_>,
    terms: &Terms,
) -> Result<Found, SessionError> {
    let (first, mut is_revoked) = (addresses.first().map(|at| at.key), false);
    let mut newest = Found::Nothing;
    for at in addresses.into_iter().take(MOST_LOADS) {
        let entry = commands.load(&at.key).await?;
        let turn = at.turn;
        let found = admit(terms.read_own(at, entry, terms.now())?, turn, terms);
        let found = match found.live() {
            Some(live) if terms.is_revoked(live, commands.limit).await? => {
                is_revoked = true;
                Found::Nothing
            }
            _ => found,
        };
        newest = newer(newest, found);
    }
    if let (Found::Nothing, Some(first), false) = (&newest, first, is_revoked)
        && presented.is_first_report()
    {
        terms.report.session(Named::new(&first, None), SessionChange::FoundExpired);
    }
    report_outdated(&newest, presented, terms);
    Ok(newest)
}

/// Chooses between what two tickets lead to. The mark of a renewal comes before nothing at all: with
/// it, a write is refused and does not begin an anonymous session over a fresh login. So does a ticket that is
/// outdated: a login ends the session that the later one has.
fn newer(one: Found, other: Found) -> Found {
    let is_outdated = matches!(one, Found::Outdated { .. });
    match (one.live(), other.live()) {
        (Some(a), Some(b)) if b.record.created > a.record.created => other,
        (None, Some(_)) => other,
        (None, None) if !one.is_moved() && (!is_outdated || other.is_moved()) => other,
        _ => one,
    }
}
