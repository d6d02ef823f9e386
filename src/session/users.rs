//! All sessions of one user, from outside of any request.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::authentication::Authentication;
use super::changes::Change;
use super::command::TimeLimit;
use super::edit::{Edit, Edited, detached};
use super::found::Live;
use super::kept::{Rosters, Spared};
use super::own_task::{in_own_task, in_own_task_to_the_end};
use super::revocations::Revoke;
use super::session::Session;
use super::settings::Settings;
use super::together::{self, Boxed};
use super::visit::Visit;
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::events::EndedBy;
use crate::id::SessionHandle;
use crate::record::{Assurance, Text};

/// Lists, ends and edits the sessions of a user; [`SessionLayer::users`](crate::SessionLayer::users)
/// returns it.
///
/// A user is named as in [`log_in`](Session::log_in), [byte by byte](Session::principal). The layer must
/// keep a [roster](crate::Roster); without one, and for sessions that travel in cookies,
/// [`end_all`](Self::end_all) and [`end_others`](Self::end_others) work through
/// [`Revocations`](crate::Revocations), and everything else is
/// [`SessionError::Unsupported`] (501).
///
/// Each call takes no longer than the layer's
/// [`commit_timeout`](crate::SessionLayer::commit_timeout), [`edit`](Self::edit) no longer than twice that.
/// What has been ended when it fails stays so, and to
/// repeat a call does no harm. In a store that may evict, a session whose roster was lost is found at its next
/// [look](crate::Roster::look). Once it has begun, an end goes on even if its future is dropped.
///
/// ```
/// use cloakroom::{Key, Roster, SessionLayer, store::MemoryStore};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// # runtime.block_on(async {
/// let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?).roster(Roster::default());
/// let users = layer.users(); // for handlers, as part of the app's state, and for jobs
/// assert_eq!(users.end_all("alice").await?, Some(0)); // she has none
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Users(Arc<Settings>);

impl Users {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self(settings)
    }

    /// Returns the live sessions of a user, those that were used last first.
    ///
    /// Every session that was acknowledged before the call and is live when it ends is among them. They are
    /// handles without a cookie: each can be read, changed, [saved](Session::save) and
    /// [ended](Session::destroy), but renewing one is [`TooLate`](SessionError::TooLate). Ending one reaches it
    /// through renewals, and spares what another login, or a logout that keeps the data, has made of the session
    /// since: the session that was listed is over then, so the answer is `Ok`. Where the layer
    /// [seals](crate::Sealing) values, they can neither be read nor changed; times, principal and handle can be
    /// read.
    ///
    /// # Errors
    ///
    /// [`SessionError::Unsupported`] without a roster. The store's error when a session cannot be read: a
    /// list that leaves one out would hide it. A damaged one is left out, because nobody can use it.
    ///
    /// ```
    /// # use cloakroom::documentation::Visitor;
    /// # let mut visitor = Visitor::with_roster();
    /// # let users = visitor.users();
    /// # visitor.visit(async |session| session.log_in("ada").await);
    /// # visitor.visit(async |_| {
    /// for session in users.sessions_of("ada").await? {
    ///     assert!(session.handle().is_some() && session.last_used_at().is_some());
    /// }
    /// # assert_eq!(users.sessions_of("ada").await?.len(), 1);
    /// # Ok(()) });
    /// ```
    pub async fn sessions_of(
        &self,
        principal: impl fmt::Display,
    ) -> Result<Vec<Session>, SessionError> {
        let (settings, principal) = (Arc::clone(&self.0), principal.to_string());
        in_own_task(async move {
            let mut sessions = rosters(&settings)?.live_sessions(&principal).await?;
            sessions.sort_by_key(|live| std::cmp::Reverse(live.last_use()));
            Ok(sessions.into_iter().map(|live| detached(&settings, live)).collect())
        })
        .await
    }

    /// Ends one session of a user: "end this device". Returns `false` if there is none of this handle.
    ///
    /// When it returns, no session of that handle works any more, one that is just being renewed included.
    ///
    /// # Errors
    ///
    /// [`SessionError::Unconfirmed`] and the store's errors when the session may live on, and
    /// [`SessionError::Unsupported`] without a roster.
    ///
    /// ```
    /// # use cloakroom::documentation::Visitor;
    /// # let mut visitor = Visitor::with_roster();
    /// # let users = visitor.users();
    /// # visitor.visit(async |session| session.log_in("ada").await);
    /// # visitor.visit(async |session| {
    /// let handle = session.handle().expect("somebody is logged in");
    /// assert!(users.end("ada", handle).await?);
    /// assert!(!users.end("ada", handle).await?); // it is over
    /// # session.discard(); Ok(()) });
    /// ```
    pub async fn end(
        &self,
        principal: impl fmt::Display,
        handle: SessionHandle,
    ) -> Result<bool, SessionError> {
        let (settings, principal) = (Arc::clone(&self.0), principal.to_string());
        in_own_task_to_the_end(self.0.unwatched.begin(), async move {
            let ended = rosters(&settings)?.end_one(&principal, handle).await?;
            if ended {
                tracing::info!(handle = %handle, "session of a user ended");
            }
            Ok(ended)
        })
        .await
    }

    /// Ends all sessions of the session's user but this one: "log out my other devices" (ASVS 7.4.3).
    ///
    /// Returns how many there were, or `None` where they cannot be counted. A login of this same request
    /// that waits for its commit goes on; all others that have begun before are refused. If nobody is logged
    /// in, nothing is ended.
    ///
    /// Without a roster it revokes by time and logs the session's user in anew, under a new id: call it
    /// before the response's head is out. That is no new proof of the user, so
    /// [`authenticated_at`](Session::authenticated_at) and the [level](Session::auth_level) stay.
    ///
    /// # Errors
    ///
    /// As [`end_all`](Self::end_all). [`SessionError::Gone`] when this session is over itself, and
    /// [`Unsupported`](SessionError::Unsupported) when it belongs to another layer. Without a roster
    /// [`TooLate`](SessionError::TooLate) when the response's head is out.
    ///
    /// ```
    /// # use cloakroom::documentation::Visitor;
    /// # let mut visitor = Visitor::with_roster();
    /// # let users = visitor.users();
    /// # visitor.visit(async |session| session.log_in("ada").await);
    /// # let mut other = visitor.another();
    /// # other.visit(async |session| session.log_in("ada").await);
    /// # visitor.visit(async |session| {
    /// assert_eq!(users.end_others(&session).await?, Some(1));
    /// assert_eq!(users.sessions_of("ada").await?.len(), 1); // this one
    /// # Ok(()) });
    /// ```
    pub async fn end_others(&self, session: &Session) -> Result<Option<usize>, SessionError> {
        let (settings, visit) = (Arc::clone(&self.0), Arc::clone(&session.0));
        // Now, and not in the task: if the request is dropped, so is its login, and the session's user is again
        // the one before.
        let caller = Caller::of(&visit);
        in_own_task_to_the_end(self.0.unwatched.begin(), async move {
            end_others(&settings, &visit, caller).await
        })
        .await
    }

    /// Ends all sessions of a user, as after a password reset.
    ///
    /// Returns how many there were, or `None` where they cannot be counted. When it returns, no session of
    /// the user works any more, on whichever server it was. A login whose
    /// [`begin_login`](Session::begin_login) or [`log_in`](Session::log_in) had returned before this call is
    /// refused with [`Gone`](SessionError::Gone), however late it comes. Later logins work.
    ///
    /// # Errors
    ///
    /// [`SessionError::Unconfirmed`] and the store's errors when one of them may live on; repeat it then.
    /// [`SessionError::Unsupported`] in a layer with neither a roster nor
    /// [revocations](crate::SessionLayer::revocations).
    ///
    /// ```
    /// # use cloakroom::documentation::Visitor;
    /// # let mut visitor = Visitor::with_roster();
    /// # let users = visitor.users();
    /// # visitor.visit(async |session| session.log_in(42).await);
    /// # visitor.visit(async |session| {
    /// assert_eq!(users.end_all(42).await?, Some(1));
    /// # session.discard(); Ok(()) });
    /// # visitor.visit(async |session| {
    /// assert_eq!(session.principal(), None); // the next request
    /// # Ok(()) });
    /// ```
    #[doc(alias("log_out_everywhere", "destroy_all", "purge"))]
    pub async fn end_all(
        &self,
        principal: impl fmt::Display,
    ) -> Result<Option<usize>, SessionError> {
        let (settings, principal) = (Arc::clone(&self.0), principal.to_string());
        in_own_task_to_the_end(self.0.unwatched.begin(), async move {
            let Some(rosters) = found_rosters(&settings) else {
                return revoke(&settings, &principal).await.map(|_| None);
            };
            if let Some(revocations) = &settings.terms.revocations {
                // These reach what no roster lists, such as sessions from before there was one.
                let now = settings.terms.now().into();
                revocations.revoke_before(Revoke::Principal(&principal), now).await?;
            }
            let written = rosters.write_end(&principal, None).await?;
            let ended = rosters.end_listed(&principal, &written, None, EndedBy::Users).await?;
            tracing::info!(ended, "all sessions of a user ended");
            Ok(Some(ended))
        })
        .await
    }

    /// Changes all sessions of a user, as when a role is taken from somebody who is logged in. Returns how
    /// many were changed.
    ///
    /// Each is changed and saved as an open handle is, merged with what its own requests change at the same
    /// time. Every session that was acknowledged before the call has the change when it returns. The closure
    /// may run more than once for one session, so let it set values ([`insert`](Session::insert)), not count
    /// them up. The change counts as use of the session.
    ///
    /// # Errors
    ///
    /// The closure's error, or that of a session which could not be read or saved; others may have been
    /// changed. [`SessionError::Unsupported`] without a roster, and [`SessionError::Sealed`] where the layer
    /// [seals](crate::Sealing) values.
    ///
    /// ```
    /// # use cloakroom::documentation::Visitor;
    /// # let mut visitor = Visitor::with_roster();
    /// # let users = visitor.users();
    /// # visitor.visit(async |session| session.log_in("ada").await);
    /// # visitor.visit(async |_| {
    /// assert_eq!(users.edit("ada", |session| session.insert("role", "banned")).await?, 1);
    /// # Ok(()) });
    /// # visitor.visit(async |session| {
    /// assert_eq!(session.get("role")?, Some("banned".to_owned())); // the next request
    /// # Ok(()) });
    /// ```
    pub async fn edit(
        &self,
        principal: impl fmt::Display,
        change: impl Fn(&Session) -> Result<(), SessionError> + Send + Sync + 'static,
    ) -> Result<usize, SessionError> {
        let (settings, principal) = (Arc::clone(&self.0), principal.to_string());
        in_own_task(async move {
            let rosters = rosters(&settings)?;
            let roster = rosters.roster_of(&principal).await?;
            let edit = Edit {
                settings: &settings,
                rosters: &rosters,
                roster: &roster,
                principal: &principal,
                change: &change,
            };
            let listed = roster.listed.iter();
            let edits =
                listed.map(|listed| Box::pin(edit.run(listed.key)) as Boxed<'_, Result<_, _>>);
            let mut edited = BTreeSet::new();
            for done in together::all(edits.collect()).await {
                let done: Option<Edited> = done?;
                edited.extend(done);
            }
            Ok(edited.len())
        })
        .await
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("cookie", &self.0.carrier.name()).finish_non_exhaustive()
    }
}

/// # Sessions of a user
impl Session {
    /// Returns the public name of this login, for pages, URLs and logs; it stays the same through renewals.
    ///
    /// `None` while nobody is logged in, until the login is stored, and in layers without a
    /// [roster](crate::Roster).
    ///
    /// ```
    /// # use cloakroom::documentation::Visitor;
    /// # let mut visitor = Visitor::with_roster();
    /// # visitor.visit(async |session| {
    /// session.log_in("ada").await?;
    /// assert_eq!(session.handle(), None);
    /// session.save().await?;
    /// assert_eq!(session.handle().expect("it is stored").to_string().len(), 16);
    /// # Ok(()) });
    /// ```
    pub fn handle(&self) -> Option<SessionHandle> {
        self.0.slot.read().found.live()?.record.handle
    }
}

const NO_ROSTER: SessionError = SessionError::Unsupported(
    "this layer keeps no roster of its users' sessions: call `SessionLayer::roster`, with sessions in a store",
);
const NO_REVOCATIONS: SessionError = SessionError::Unsupported(
    "this layer can end the sessions of a user only with `SessionLayer::roster` or `::revocations`",
);

const OTHER_LAYER: SessionError =
    SessionError::Unsupported("this session belongs to another layer than the users");

fn rosters(settings: &Settings) -> Result<Rosters<'_>, SessionError> {
    found_rosters(settings).ok_or(NO_ROSTER)
}

fn found_rosters(settings: &Settings) -> Option<Rosters<'_>> {
    let Settings { terms, backend, .. } = settings;
    let deadline = Some(Instant::now() + terms.commit_timeout);
    backend.rosters(terms, TimeLimit { command: terms.command_timeout, deadline })
}

/// Ends the sessions of a user that began before this millisecond is over. Returns the end's time.
async fn revoke(settings: &Settings, principal: &str) -> Result<Timestamp, SessionError> {
    let Some(revocations) = &settings.terms.revocations else { return Err(NO_REVOCATIONS) };
    let before = settings.terms.now().saturating_add(Duration::from_millis(1));
    revocations.revoke_before(Revoke::Principal(principal), before.into()).await?;
    // A login that follows at once begins after it.
    if settings.terms.now() < before {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(before)
}

async fn end_others(
    settings: &Settings,
    visit: &Visit,
    caller: Result<Option<Caller>, SessionError>,
) -> Result<Option<usize>, SessionError> {
    if visit.settings.carrier.bound_name() != settings.carrier.bound_name() {
        return Err(OTHER_LAYER);
    }
    let Some(caller) = caller? else { return Ok(Some(0)) };
    let principal = caller.principal.as_str();
    let Some(rosters) = found_rosters(settings) else {
        return revoke_others(settings, visit, &caller.principal).await.map(|()| None);
    };
    // The caller's request may have loaded the session before it was ended or renewed elsewhere. In a browser in which the
    // same user has logged out and in again meanwhile, its marks lead to another login, with a handle of its
    // own.
    let live = match caller.live {
        Some(own) => {
            let live = rosters.named(own.address(), principal).await?;
            let handle = own.record.handle;
            live.filter(|live| handle.is_none() || handle == live.record.handle)
        }
        None => None,
    };
    if live.is_none() && !caller.logs_in {
        return Err(SessionError::Gone);
    }
    let spared = live.as_ref().map(|live| Spared { live, logs_in: caller.logs_in });
    let written = rosters.write_end(principal, spared.as_ref()).await?;
    visit.slot.state().take_over_end(&rosters.key(principal), written.before, written.end);
    let by = EndedBy::OtherDevice;
    let ended = rosters.end_listed(principal, &written, spared.as_ref(), by).await?;
    tracing::info!(ended, "other sessions of a user ended");
    Ok(Some(ended))
}

/// Without a roster: revokes what began before now, and lets the caller's session begin after it.
async fn revoke_others(
    settings: &Settings,
    visit: &Visit,
    principal: &Text,
) -> Result<(), SessionError> {
    if visit.slot.head_is_closed() && settings.terms.revocations.is_some() {
        return Err(SessionError::TooLate);
    }
    let at = revoke(settings, principal.as_str()).await?;
    let assurance = match Authentication::of(&visit.slot.read()) {
        Some(Authentication { at: proved, level }) => Assurance::new(level, proved, at),
        None => Assurance::default(),
    };
    let principal = Some(principal.clone());
    let change = Change::Principal { principal, at, assurance, known: None };
    visit.slot.writable()?.changes.push(change);
    Ok(())
}

/// The session that ends all others of its user.
struct Caller {
    principal: Text,
    /// As it is stored, unless its user only logs in with this request.
    live: Option<Live>,
    logs_in: bool,
}

impl Caller {
    /// Returns `None` if nobody is logged in.
    fn of(visit: &Visit) -> Result<Option<Self>, SessionError> {
        let state = visit.slot.read();
        let logs_in = state.logs_in();
        if state.is_over() && !logs_in {
            return Err(SessionError::Gone);
        }
        // Somebody may be logged in, and would take nothing for done.
        if let Some(outage) = state.outage().filter(|_| !logs_in) {
            return Err(outage.clone());
        }
        let live = state.found.live().filter(|live| live.record.principal.is_some()).cloned();
        let principal = match state.principal_change() {
            Some(Change::Principal { principal, .. }) => principal.clone(),
            _ => live.as_ref().and_then(|live| live.record.principal.clone()),
        };
        Ok(principal.map(|principal| {
            let live = live.filter(|live| live.record.principal.as_ref() == Some(&principal));
            Self { principal, live, logs_in }
        }))
    }
}
