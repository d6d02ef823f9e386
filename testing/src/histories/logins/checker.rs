//! The rules that every history of logins keeps, whatever fails in it.
//!
//! `docs/users.md` has the promises. An end covers the sessions whose login was acknowledged before it began. Of a
//! login that was under way meanwhile nothing is asked: it may be refused, or answered with a ticket that
//! finds nothing. A login that a node holds back is not under way any more: an end covers it if it began after
//! the login's success in the handler. A renewal makes a session's former ticket worthless, and nothing else.
//! A call without an answer excuses what others see, until they see that it did nothing; it accuses nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::calls::{Answer, Call, Handle, Operation, User};
use crate::histories::recorder::{Doubt, Moment, Recorded};
use crate::histories::violation::Kind;

type Violation = crate::histories::violation::Violation<Call>;

/// The longest that a call without an answer may have an effect, once its node answers other calls and reaches
/// the store. A node that was frozen begins it late, and it takes at most five seconds then, the layer's
/// `commit_timeout`.
const SETTLING: Duration = Duration::from_secs(15);

/// Returns what no correct session layer could have answered: at most one violation of each kind for a session,
/// because one fault often shows in all answers that follow.
pub fn check(history: &[Call]) -> Vec<Violation> {
    let calls = Calls::of(history);
    let wrong = history.iter().filter(|call| matches!(call.answer, Answer::Wrong(_)));
    let mut violations: Vec<_> = wrong.map(|call| Violation::new(Kind::Wrong, [call])).collect();
    for session in &calls.sessions() {
        violations
            .extend(calls.returned(session).or_else(|| calls.returned_by_a_former_ticket(session)));
        violations.extend(calls.vanished(session));
        violations.extend(calls.unlisted(session));
    }
    violations.extend(calls.foreign_handles());
    for user in [User::Alice, User::Mallory, User::Root] {
        violations.extend(calls.invented(user));
    }
    violations.extend(calls.refused());
    violations
}

/// A session with a handle that somebody has learned.
struct Session<'a> {
    user: User,
    handle: Handle,
    /// The first answer that has shown it: that to its login, or a list.
    known: &'a Call,
    /// Its acknowledged login, without which nobody has its ticket.
    login: Option<&'a Call>,
}

/// The calls of a history, by what the rules ask for.
#[derive(Default)]
struct Calls<'a> {
    logins: Vec<&'a Call>,
    lists: Vec<&'a Call>,
    /// The lists that each node has answered, in the order in which they began.
    lists_at: BTreeMap<usize, Vec<&'a Call>>,
    with_list_of: BTreeMap<Handle, Vec<&'a Call>>,
    with_ticket_of: BTreeMap<u32, Vec<&'a Call>>,
    ends_of: BTreeMap<Handle, Vec<&'a Call>>,
    ends_of_all: BTreeMap<User, Vec<&'a Call>>,
}

impl<'a> Calls<'a> {
    fn of(history: &'a [Call]) -> Self {
        let mut calls = Self::default();
        for call in history {
            match call.operation {
                Operation::LogIn => calls.logins.push(call),
                _ => calls.with_ticket_of.entry(call.session).or_default().push(call),
            }
            if let Operation::End(handle) = call.operation {
                calls.ends_of.entry(handle).or_default().push(call);
            }
            if let Some(user) = call.ends_all_of() {
                calls.ends_of_all.entry(user).or_default().push(call);
            }
            if let Some(handles) = call.list() {
                calls.lists.push(call);
                calls.lists_at.entry(call.node).or_default().push(call);
                for &handle in handles {
                    calls.with_list_of.entry(handle).or_default().push(call);
                }
            }
        }
        calls.lists.sort_by_key(|list| list.ended);
        calls.lists_at.values_mut().for_each(|lists| lists.sort_by_key(|list| list.began));
        calls
    }

    /// Returns the moment after which a call without an answer can change nothing any more.
    ///
    /// A list that began later shows that the node runs, and that what the call has sent to the store is not held
    /// up on its way any more. A time after the call itself would not do: a busy machine freezes a node, or the
    /// store, for as long as it likes.
    fn settles(&self, call: &Call) -> Moment {
        let lists = self.lists_at.get(&call.node).map_or(&[][..], Vec::as_slice);
        let later = lists.get(lists.partition_point(|list| list.began <= call.ended));
        later.map_or(Moment::MAX, |list| list.ended + SETTLING)
    }

    /// Returns all sessions: those whose login was acknowledged, and others that a list has shown.
    fn sessions(&self) -> Vec<Session<'a>> {
        let login = |&login: &&'a Call| {
            let handle = login.new_handle()?;
            Some(Session { user: login.user, handle, known: login, login: Some(login) })
        };
        let mut sessions: Vec<_> = self.logins.iter().filter_map(login).collect();
        let known: BTreeSet<_> = sessions.iter().map(|session| session.handle).collect();
        for (&handle, lists) in &self.with_list_of {
            let first = lists.iter().min_by_key(|list| list.ended);
            if let Some(&first) = first.filter(|_| !known.contains(&handle)) {
                sessions.push(Session { user: first.user, handle, known: first, login: None });
            }
        }
        sessions
    }

    /// Returns the calls that brought the session's ticket.
    fn with_ticket(&self, session: &Session<'a>) -> &[&'a Call] {
        let calls = session.login.and_then(|login| self.with_ticket_of.get(&login.session));
        calls.map_or(&[], Vec::as_slice)
    }

    /// Returns the user's calls that were to end this session by its handle.
    fn ends_by_handle(&self, session: &Session<'a>) -> impl Iterator<Item = &'a Call> {
        let user = session.user;
        let calls = self.ends_of.get(&session.handle).into_iter().flatten().copied();
        calls.filter(move |call| call.user == user)
    }

    /// Returns the calls that were to end all sessions of the user, and do not spare this one.
    fn ends_of_all(&self, session: &Session<'a>) -> impl Iterator<Item = &'a Call> {
        let own = session.login.map(|login| login.session);
        let calls = self.ends_of_all.get(&session.user).into_iter().flatten().copied();
        calls
            .filter(move |call| call.operation != Operation::EndOthers || Some(call.session) != own)
    }

    /// Returns the calls that were to end this session and no other one.
    fn ends_of_it(&self, session: &Session<'a>) -> impl Iterator<Item = &'a Call> {
        let with_ticket = self.with_ticket(session).iter().copied();
        let logouts = with_ticket.filter(|call| call.operation == Operation::LogOut);
        logouts.chain(self.ends_by_handle(session))
    }

    /// Returns the calls that were to renew this session.
    fn renewals(&self, session: &Session<'a>) -> impl Iterator<Item = &'a Call> {
        let calls = self.with_ticket(session).iter().copied();
        calls.filter(|call| call.operation == Operation::Renew)
    }

    /// Returns the first acknowledged end that covers the session.
    fn end(&self, session: &Session<'a>) -> Option<&'a Call> {
        let logged_in = session.login.map_or(session.known.ended, |login| login.ended - login.held);
        let covers_all = self.ends_of_all(session).filter(|end| end.began > logged_in);
        let ends = self.ends_of_it(session).chain(covers_all);
        ends.filter(|end| end.answer == Answer::Ended).min_by_key(|end| end.ended)
    }

    /// Returns the ends that may cover a session with this login. One without an answer is none if the session is
    /// shown after it has settled.
    fn excuses(&self, session: &Session<'a>, login: &'a Call) -> impl Iterator<Item = &'a Call> {
        let over_at = |end: &Call| match end.doubt() {
            Some(Doubt::HungUp) => self.settles(end),
            _ => end.ended,
        };
        let all = self.ends_of_all(session).filter(move |end| over_at(end) >= login.began);
        let ends = self.ends_of_it(session).chain(all).filter(may_have_ended);
        let last_shown = self.shows(session).map(|call| call.began).max();
        let did_nothing = move |end: &Call| {
            end.doubt().is_some() && last_shown.is_some_and(|shown| shown > self.settles(end))
        };
        ends.filter(move |end| !did_nothing(end))
    }

    /// Returns whether another ticket may have taken the place of the one that this call has brought.
    fn is_outdated(&self, session: &Session<'a>, call: &Call) -> bool {
        let calls = self.with_ticket(session);
        let of_it = |other: &&&Call| other.ticket == call.ticket;
        let shown = calls.iter().filter(of_it).filter(|other| shows_it(other));
        let last_shown = shown.map(|other| other.began).max();
        let did_nothing = |renewal: &Call| {
            renewal.doubt().is_some()
                && last_shown.is_some_and(|shown| shown > self.settles(renewal))
        };
        let mut renewals = self.renewals(session).filter(|it| it.ticket == call.ticket);
        renewals.any(|it| it.began <= call.ended && it.may_have_renewed() && !did_nothing(it))
    }

    /// Returns whether a renewal that began before this moment may have left a record behind that has the
    /// session's handle and whose ticket nobody has. Lists show it until it ends or is removed, though the session
    /// itself has ended.
    fn may_have_a_ghost(&self, session: &Session<'a>, by: Moment) -> bool {
        let is_done =
            |renewal: &Call| matches!(renewal.answer, Answer::LoggedIn(_) | Answer::NotSent);
        self.renewals(session).any(|renewal| renewal.began <= by && !is_done(renewal))
    }

    /// Returns the answers that deny that there is a session with the call's ticket.
    fn denials_of_tickets(&self, session: &Session<'a>) -> impl Iterator<Item = &'a Call> {
        // A renewal may be refused although the session lives on: its own user may have ended the others.
        let denied = |call: &&Call| match call.answer {
            Answer::NotLoggedIn => true,
            Answer::Gone => call.operation != Operation::Renew,
            _ => false,
        };
        self.with_ticket(session).iter().copied().filter(denied)
    }

    /// Returns the answers that deny that the session is there, lists left out.
    fn denials(&self, session: &Session<'a>) -> impl Iterator<Item = &'a Call> {
        let known = session.known.ended;
        let by_ticket = self.denials_of_tickets(session);
        let by_ticket = by_ticket.filter(|call| !self.is_outdated(session, call));
        let by_handle = self.ends_by_handle(session);
        let found_none = |call: &&Call| call.answer == Answer::NoneOfThisHandle;
        by_ticket.chain(by_handle.filter(found_none)).filter(move |call| call.began > known)
    }

    /// Returns the lists which have to show a session with this login, if it is live, and do not.
    fn lists_without(
        &self,
        session: &Session<'a>,
        login: &'a Call,
    ) -> impl Iterator<Item = &'a Call> {
        let (user, handle) = (session.user, session.handle);
        let lists = self.lists.iter().copied().filter(move |list| list.user == user);
        lists
            .filter(move |list| list.began > login.ended)
            .filter(move |list| list.list().is_some_and(|handles| !handles.contains(&handle)))
    }

    /// Returns the answers that show the session to be live: to calls with its ticket, to an end by its
    /// handle, and lists.
    fn shows(&self, session: &Session<'a>) -> impl Iterator<Item = &'a Call> {
        let by_ticket = self.with_ticket(session).iter().copied().filter(|call| shows_it(call));
        let ended = self.ends_by_handle(session).filter(|end| end.answer == Answer::Ended);
        let lists = self.with_list_of.get(&session.handle).into_iter().flatten().copied();
        let by_handle = ended.chain(lists.filter(|list| list.user == session.user));
        by_ticket.chain(by_handle.filter(|call| !self.may_have_a_ghost(session, call.ended)))
    }

    /// Ended stays ended: finds an answer that shows the session after an acknowledged end, or after an answer
    /// that it is over.
    fn returned(&self, session: &Session<'a>) -> Option<Violation> {
        let shown_after = |proof: &'a Call| {
            let mut shows = self.shows(session);
            let show = shows.find(|call| call.began > proof.ended)?;
            // They tell under which of its tickets the session came back.
            let renewals = self.renewals(session).filter(|renewal| renewal.began < show.ended);
            Some([session.known, proof].into_iter().chain(renewals).chain([show]))
        };
        if let Some(calls) = self.end(session).and_then(shown_after) {
            return Some(Violation::new(Kind::Returned, calls));
        }
        let lists = session.login.into_iter().flat_map(|login| self.lists_without(session, login));
        let denials = self.denials(session).chain(lists);
        let calls = shown_after(denials.min_by_key(|call| call.ended)?)?;
        Some(Violation::new(Kind::Reappeared, calls))
    }

    /// Nobody vanishes: finds an answer that the session is over although no end that may cover it had begun.
    fn vanished(&self, session: &Session<'a>) -> Option<Violation> {
        let (login, denials) = (session.login?, self.denials(session));
        let denial = self.first_unexcused(session, login, denials)?;
        Some(Violation::new(Kind::Vanished, [login, denial]))
    }

    /// The list is whole: finds one that lacks the session although no end that may cover it had begun.
    fn unlisted(&self, session: &Session<'a>) -> Option<Violation> {
        let login = session.login?;
        let lists = self.lists_without(session, login);
        let list = self.first_unexcused(session, login, lists)?;
        Some(Violation::new(Kind::Unlisted, [login, list]))
    }

    fn first_unexcused(
        &self,
        session: &Session<'a>,
        login: &'a Call,
        mut denials: impl Iterator<Item = &'a Call>,
    ) -> Option<&'a Call> {
        let first = self.excuses(session, login).map(|end| end.began).min();
        denials.find(|denial| first.is_none_or(|first| first > denial.ended))
    }

    /// A former ticket is worthless: finds an answer that shows the session to one after an acknowledged renewal,
    /// or after an answer that there is no session with it.
    fn returned_by_a_former_ticket(&self, session: &Session<'a>) -> Option<Violation> {
        let shows_after = |proof: &'a Call| {
            let mut shows = self.with_ticket(session).iter().copied().filter(|call| shows_it(call));
            let is_older = |call: &&Call| call.ticket <= proof.ticket && call.began > proof.ended;
            Some([proof, shows.find(is_older)?])
        };
        let renewals = self.renewals(session).filter(|call| shows_it(call));
        if let Some(calls) = renewals.into_iter().find_map(shows_after) {
            return Some(Violation::new(Kind::Returned, calls));
        }
        let calls = self.denials_of_tickets(session).find_map(shows_after)?;
        Some(Violation::new(Kind::Reappeared, calls))
    }

    /// Nothing foreign: finds handles that are shown to two users, or that two logins have got.
    fn foreign_handles(&self) -> impl Iterator<Item = Violation> {
        let mut shown: BTreeMap<Handle, Vec<&Call>> = self.with_list_of.clone();
        for &login in &self.logins {
            if let Some(handle) = login.new_handle() {
                shown.entry(handle).or_default().insert(0, login);
            }
        }
        shown.into_values().filter_map(|calls| {
            let (&first, others) = calls.split_first()?;
            let is_wrong =
                |call: &&&Call| call.user != first.user || call.operation == Operation::LogIn;
            Some(Violation::new(Kind::Wrong, [first, *others.iter().find(is_wrong)?]))
        })
    }

    /// Nothing foreign: finds a list with a session that neither an acknowledged login explains nor one without an
    /// answer. Each of these explains one session, which it has begun before it settles.
    fn invented(&self, user: User) -> Option<Violation> {
        let logins = self.logins.iter().filter(|login| login.user == user);
        let (mut known, mut doubtful) = (BTreeMap::new(), Vec::new());
        for &login in logins {
            known.extend(login.new_handle().map(|handle| (handle, login.began)));
            doubtful.extend(login.doubt().map(|_| (self.settles(login), login.began)));
        }
        doubtful.sort_unstable();
        let lists: Vec<_> = self.lists.iter().copied().filter(|list| list.user == user).collect();
        let mut seen = BTreeSet::new();
        for (at, &list) in lists.iter().enumerate() {
            for &handle in list.list().into_iter().flatten() {
                let is_known = known.get(&handle).is_some_and(|&login| login <= list.ended);
                if is_known || !seen.insert(handle) {
                    continue;
                }
                // Lists before this one lack it, so it was listed later.
                let before = lists[..at].iter().filter(|earlier| earlier.ended < list.began);
                let since = before.map(|earlier| earlier.began).max().unwrap_or_default();
                // Takes the login that settles first: the others explain more of what later lists show.
                let explains = |&(settles, began): &_| began <= list.ended && settles >= since;
                match doubtful.iter().position(explains) {
                    Some(login) => drop(doubtful.remove(login)),
                    None => return Some(Violation::new(Kind::Invented, [list])),
                }
            }
        }
        None
    }

    /// Finds the logins and renewals that were refused although no end of all sessions was under way. A renewal
    /// whose own session is over is not refused: it begins a new one.
    fn refused(&self) -> impl Iterator<Item = Violation> {
        let with_tickets = self.with_ticket_of.values().flatten().copied();
        let renewals = with_tickets.filter(|call| call.operation == Operation::Renew);
        let refused = self.logins.iter().copied().chain(renewals);
        refused
            .filter(|login| login.answer == Answer::Gone)
            .filter(|login| !self.may_be_refused(login))
            .map(|login| Violation::new(Kind::Refused, [login]))
    }

    fn may_be_refused(&self, login: &Call) -> bool {
        let mut ends = self.ends_of_all.get(&login.user).into_iter().flatten();
        ends.any(|end| {
            // A write may be on its way even after a 503, and refuses whoever has read the roster before it.
            let last = if end.doubt().is_some() { self.settles(end) } else { end.ended };
            may_have_ended(end) && end.began <= login.ended && last >= login.began
        })
    }
}

/// Returns whether the call may have ended a session.
fn may_have_ended(end: &&Call) -> bool {
    end.answer == Answer::Ended || end.doubt().is_some()
}

/// Returns whether the answer to a call with a ticket shows that its session was there. A logout without a
/// session is acknowledged too.
fn shows_it(call: &Call) -> bool {
    call.operation != Operation::LogOut && proves_a_login(call)
}

/// Returns whether an answer to a call with a ticket proves that its session was there.
fn proves_a_login(call: &Call) -> bool {
    matches!(
        call.answer,
        Answer::LoggedIn(_) | Answer::Listed(_) | Answer::Ended | Answer::NoneOfThisHandle
    )
}

#[cfg(test)]
mod tests;
