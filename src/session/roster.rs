//! The options of a layer that keeps a roster of its users' sessions.

/// Keeps a list of each user's sessions, so that they can be shown, ended, limited and edited.
///
/// [`SessionLayer::roster`](crate::SessionLayer::roster) switches it on, and
/// [`SessionLayer::users`](crate::SessionLayer::users) returns the handle that works with it. The roster of
/// a user is one small entry in the sessions' own store: 21 bytes, and 46 for each session.
///
/// **Cost**: a login takes two more store commands, and so does a renewal of a session that somebody is
/// logged in to; a few more if the user has many sessions. Requests that read or write, logouts and anonymous
/// visitors cost what they cost without, but for the [look](Self::look) in stores that may evict.
///
/// **Roll-out** has two steps: first every server runs a release that knows rosters, then the option is
/// switched on. Sessions from before are listed from their next renewal on, or from the next
/// [look](Self::look).
///
/// The docs page on [users](crate::guide::users) says what each action promises.
///
/// ```
/// use cloakroom::{Key, Roster, SessionLayer, WhenFull, store::MemoryStore};
///
/// let roster = Roster::default().limit(5).when_full(WhenFull::EndOldest);
/// let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?).roster(roster);
/// assert!(format!("{layer:?}").contains("limit: 5"));
/// # Ok::<(), cloakroom::KeyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct Roster {
    pub(crate) limit: usize,
    pub(crate) when_full: WhenFull,
    /// `None` asks the store whether it may evict.
    pub(crate) look: Option<bool>,
}

/// The answer to a login of a user who has as many sessions as the [limit](Roster::limit) allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum WhenFull {
    /// The session with the oldest login ends. The default: a session that its user has left on another
    /// device, or that a crash has left behind, locks nobody out.
    #[default]
    EndOldest,
    /// The login is refused with [`SessionError::TooManySessions`](crate::SessionError::TooManySessions)
    /// (409).
    Refuse,
}

/// A roster may then have 92 KB, which every store here takes.
const MOST: usize = 2_000;

impl Default for Roster {
    fn default() -> Self {
        Self { limit: 100, when_full: WhenFull::default(), look: None }
    }
}

impl Roster {
    /// Sets the most sessions that one user may have at once (ASVS 7.1.2). Default 100: more than a person
    /// has devices, and a roster stays under 5 KB. 0 counts as 1, more than 2,000 as 2,000.
    ///
    /// Counted at each login. Also of logins at the same time, no more sessions stay than the limit allows.
    ///
    /// ```
    /// use cloakroom::Roster;
    ///
    /// let one_device = Roster::default().limit(1);
    /// assert!(format!("{one_device:?}").contains("limit: 1"));
    /// ```
    pub fn limit(mut self, most: usize) -> Self {
        self.limit = most.clamp(1, MOST);
        self
    }

    /// Sets how a login is answered that the [limit](Self::limit) leaves no room for. Default:
    /// [`WhenFull::EndOldest`].
    ///
    /// ```
    /// use cloakroom::{Roster, WhenFull};
    ///
    /// let strict = Roster::default().limit(1).when_full(WhenFull::Refuse);
    /// assert!(format!("{strict:?}").contains("Refuse"));
    /// ```
    pub fn when_full(mut self, answer: WhenFull) -> Self {
        self.when_full = answer;
        self
    }

    /// Sets whether a session looks now and then whether it is still listed, and lists itself if its roster
    /// was lost. Default: only in stores that
    /// [may evict](crate::store::SessionStore::may_evict), Redis and Memcached among those here.
    ///
    /// It costs one store command, for about one request in three minutes of each session that somebody is
    /// logged in to, on each server. A session from before its layer kept a roster looks in every store, when
    /// it is written or its idle timeout moved. In a Redis that never evicts (`maxmemory-policy noeviction`) and never
    /// loses an acknowledged write it can be off.
    ///
    /// ```
    /// use cloakroom::Roster;
    ///
    /// let never_evicts = Roster::default().look(false);
    /// assert!(format!("{never_evicts:?}").contains("look: Some(false)"));
    /// ```
    pub fn look(mut self, look: bool) -> Self {
        self.look = Some(look);
        self
    }
}
