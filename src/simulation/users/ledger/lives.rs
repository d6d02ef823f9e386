//! Which sessions an end may reach, and which must live on.

use super::books::{End, Ledger, Login, Tick};
use crate::clock::Timestamp;
use crate::id::{SessionHandle, StoreKey};
use crate::simulation::setup::{ABSOLUTE_LIFETIME, IDLE_TIMEOUT};
use crate::simulation::users::setup::SKEW;
use crate::simulation::users::stored::Place;

impl Ledger {
    /// Returns whether an acknowledged end must have ended the session that a ticket leads to.
    ///
    /// A roster that was lost hides its sessions from an end until their next look: `all_have_looked` says
    /// that this has come. One that was lost after the end has forgotten it.
    pub(super) fn must_have_ended(&self, end: &End, key: StoreKey, all_have_looked: bool) -> bool {
        let Some((handle, login)) = self.login_at(key) else { return false };
        let was_forgotten = self.evicted_since(login, end.begun);
        let was_hidden = self.hidden_once.contains(&handle);
        if was_forgotten && (was_hidden || login.acknowledged > end.begun)
            || was_hidden && (!all_have_looked || end.aim.only.is_some())
        {
            return false;
        }
        end.aim.includes(handle, login) && (end.aim.only.is_some() || login.at < end.begun)
    }

    fn evicted_since(&self, login: &Login, tick: Tick) -> bool {
        self.evicted[usize::from(login.principal)].is_some_and(|evicted| evicted > tick)
    }

    /// Returns whether a session can neither have been ended nor have expired.
    pub(super) fn must_live(&self, handle: SessionHandle, now: Timestamp) -> bool {
        !self.has_expired(handle, now)
            && !self.may_have_been_left(handle)
            && !self.may_have_been_ended(handle)
            && !self.may_have_made_room(handle)
    }

    fn has_expired(&self, handle: SessionHandle, now: Timestamp) -> bool {
        let Login { last_use, called_at, .. } = self.logins[&handle];
        let idle_until = last_use.saturating_add(IDLE_TIMEOUT);
        let latest = now.saturating_add(SKEW);
        idle_until.min(called_at.saturating_add(ABSOLUTE_LIFETIME)) <= latest
            || (self.rules.has_faults && self.deadline_passed(handle, latest))
    }

    /// Returns whether a session lies in the store past its deadline. A use whose touch has failed does not
    /// move that.
    fn deadline_passed(&self, handle: SessionHandle, now: Timestamp) -> bool {
        let passed = |key| match self.stored.place(key) {
            Place::Session(life) => life.deadline <= now,
            _ => false,
        };
        self.stored.keys_of(handle).any(passed)
    }

    /// Returns whether a logout, or the login of another, may have ended a session.
    pub(super) fn may_have_been_left(&self, handle: SessionHandle) -> bool {
        let is_destroyed = |key: StoreKey| {
            let first = self.stored.first_key(key);
            self.destroyed.iter().any(|destroyed| self.stored.first_key(*destroyed) == first)
        };
        self.logins[&handle].is_left || self.stored.keys_of(handle).any(is_destroyed)
    }

    /// Returns whether several users were logged in, one after the other, to the session that has come to be under
    /// `key`. A login over the session of another user clears it.
    pub(super) fn had_several_users(&self, key: StoreKey) -> bool {
        let first = self.stored.first_key(key);
        let its = self.stored.births().filter(|(at, _)| self.stored.first_key(*at) == first);
        let mut users = its.filter_map(|(_, birth)| birth.principal);
        let one = users.next();
        users.any(|user| Some(user) != one)
    }

    /// Returns whether an end may have reached a session.
    pub(super) fn may_have_been_ended(&self, handle: SessionHandle) -> bool {
        let login = &self.logins[&handle];
        // A session that was hidden meets ends of before at its next look.
        let is_hidden = self.hidden_once.contains(&handle);
        let reaches = |end: &&End| {
            end.aim.includes(handle, login) && end.may_act_after(login.at)
                || is_hidden && end.aim.principal == login.principal
        };
        self.ends.iter().find(reaches).is_some()
    }

    /// Returns whether a later login may have ended a session because of the limit.
    pub(super) fn may_have_made_room(&self, handle: SessionHandle) -> bool {
        let Some(limit) = self.rules.limit.filter(|limit| !limit.refuses) else { return false };
        let login = &self.logins[&handle];
        // The logins are compared by the clocks of their servers.
        let since = login.called_at.saturating_sub(SKEW);
        let later = self.stored.births().filter_map(|(_, birth)| {
            let is_later = birth.principal == Some(login.principal) && birth.at >= since;
            birth.handle.filter(|other| is_later && *other != handle)
        });
        let later: std::collections::BTreeSet<SessionHandle> = later.collect();
        later.len() >= limit.most
    }
}
