//! The rules that every history of logins keeps, whatever fails in it.
//!
//! `docs/users.md` has the promises. An end covers the sessions whose login was acknowledged before it began. Of a
//! login that was under way meanwhile nothing is asked: it may be refused, or answered with a ticket that
//! finds nothing. A call without an answer excuses what others see, and accuses nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::calls::{Answer, Call, Handle, Operation, User};
use crate::histories::recorder::{Doubt, Moment, Recorded};
use crate::histories::violation::Kind;

type Violation = crate::histories::violation::Violation<Call>;

/// The longest that an end may go on after its client has hung up: a node that was frozen begins it late, and
/// it takes at most five seconds then, the layer's `commit_timeout`.
const GOES_ON: Duration = Duration::from_secs(20);

/// Returns what no correct session layer could have answered: at most one violation of each kind for a session,
/// because one fault often shows in all answers that follow.
pub fn check(history: &[Call]) -> Vec<Violation> {
    let calls = Calls::of(history);
    let wrong = history.iter().filter(|call| matches!(call.answer, Answer::Wrong(_)));
    let mut violations: Vec<_> = wrong.map(|call| Violation::new(Kind::Wrong, [call])).collect();
    for session in &calls.sessions() {
        violations.extend(calls.returned(session));
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
                for &handle in handles {
                    calls.with_list_of.entry(handle).or_default().push(call);
                }
            }
        }
        calls.lists.sort_by_key(|list| list.ended);
        calls
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

    /// Returns the first acknowledged end that covers the session.
    fn end(&self, session: &Session<'a>) -> Option<&'a Call> {
        let known = session.known.ended;
        let covers_all = self.ends_of_all(session).filter(|end| end.began > known);
        let ends = self.ends_of_it(session).chain(covers_all);
        ends.filter(|end| end.answer == Answer::Ended).min_by_key(|end| end.ended)
    }

    /// Returns the first beginning of an end that may cover a session with this login.
    fn may_end(&self, session: &Session<'a>, login: &Call) -> Option<Moment> {
        let may_cover = |end: &&Call| is_over(end, Doubt::HungUp) >= login.began;
        let all = self.ends_of_all(session).filter(may_cover);
        let ends = self.ends_of_it(session).chain(all).filter(may_have_ended);
        ends.map(|end| end.began).min()
    }

    /// Returns the answers that deny that the session is there, lists left out.
    fn denials(&self, session: &Session<'a>) -> impl Iterator<Item = &'a Call> {
        let known = session.known.ended;
        let by_ticket = self.with_ticket(session).iter().copied();
        let denied = |call: &&Call| matches!(call.answer, Answer::NotLoggedIn | Answer::Gone);
        let by_handle = self.ends_by_handle(session);
        let found_none = |call: &&Call| call.answer == Answer::NoneOfThisHandle;
        let denials = by_ticket.filter(denied).chain(by_handle.filter(found_none));
        denials.filter(move |call| call.began > known)
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
        let by_ticket = self.with_ticket(session).iter().copied().filter(|call| {
            // A logout without a session is acknowledged too.
            call.operation != Operation::LogOut && proves_a_login(call)
        });
        let ended = self.ends_by_handle(session).filter(|end| end.answer == Answer::Ended);
        let lists = self.with_list_of.get(&session.handle).into_iter().flatten().copied();
        let user = session.user;
        by_ticket.chain(ended).chain(lists.filter(move |list| list.user == user))
    }

    /// Ended stays ended: finds an answer that shows the session after an acknowledged end, or after an answer
    /// that it is over.
    fn returned(&self, session: &Session<'a>) -> Option<Violation> {
        let shown_after = |proof: &'a Call| {
            let mut shows = self.shows(session);
            Some([session.known, proof, shows.find(|call| call.began > proof.ended)?])
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
        login: &Call,
        mut denials: impl Iterator<Item = &'a Call>,
    ) -> Option<&'a Call> {
        let excuse = self.may_end(session, login).unwrap_or(Moment::MAX);
        denials.find(|denial| excuse > denial.ended)
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

    /// Nothing foreign: finds the first list with which the user has been shown more sessions that no
    /// acknowledged login explains than there were logins without an answer.
    fn invented(&self, user: User) -> Option<Violation> {
        let logins = self.logins.iter().filter(|login| login.user == user);
        let (mut known, mut doubtful) = (BTreeMap::new(), Vec::new());
        for login in logins {
            known.extend(login.new_handle().map(|handle| (handle, login.began)));
            doubtful.extend(login.doubt().map(|_| login.began));
        }
        let mut unexplained = BTreeMap::new();
        for &list in self.lists.iter().filter(|list| list.user == user) {
            for &handle in list.list().into_iter().flatten() {
                if known.get(&handle).is_none_or(|&login| login > list.ended) {
                    unexplained.entry(handle).or_insert(list);
                }
            }
            let logins = doubtful.iter().filter(|&&login| login <= list.ended).count();
            if unexplained.len() > logins {
                return Some(Violation::new(Kind::Invented, unexplained.into_values()));
            }
        }
        None
    }

    /// Finds the logins that were refused although no end of all sessions was under way.
    fn refused(&self) -> impl Iterator<Item = Violation> {
        let refused = self.logins.iter().copied().filter(|login| login.answer == Answer::Gone);
        refused
            .filter(|login| !self.may_be_refused(login))
            .map(|login| Violation::new(Kind::Refused, [login]))
    }

    fn may_be_refused(&self, login: &Call) -> bool {
        let mut ends = self.ends_of_all.get(&login.user).into_iter().flatten();
        ends.any(|end| {
            // A write may be on its way even after a 503, and refuses whoever has read the roster before it.
            let last = end.doubt().map_or(end.ended, |doubt| is_over(end, doubt));
            may_have_ended(end) && end.began <= login.ended && last >= login.began
        })
    }
}

/// Returns whether the call may have ended a session.
fn may_have_ended(end: &&Call) -> bool {
    end.answer == Answer::Ended || end.doubt().is_some()
}

/// Returns the moment from which an end concerns no login that begins. It goes on without its client if its
/// doubt is `goes_on`. An answer, 503 too, comes when the work is done, and a connection that breaks is that of
/// a node that was killed.
fn is_over(end: &Call, goes_on: Doubt) -> Moment {
    if end.doubt() == Some(goes_on) { end.ended + GOES_ON } else { end.ended }
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
