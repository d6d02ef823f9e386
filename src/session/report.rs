//! Tells the log and the app's observers what happens: the one place that does both.
//!
//! Observers and log subscribers are code of the app, so nothing here may be called under a lock.

use std::fmt;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::time::Instant;
use tracing::field::display;

use super::found::Live;
use crate::cookie::Refusal;
use crate::error::{SessionError, StoreError};
use crate::events::{
    CommandKind, CommandOutcome, Conflict, ConflictOutcome, CookieRefused, EndedBy, Fingerprint,
    Outage, SessionChange, SessionEvent, StoreCommand,
};
use crate::id::{SessionHandle, StoreKey};
use crate::observer::Observer;
use crate::poison::IgnorePoison;

/// Reports what happens under one layer. Clones share what they know of the store.
#[derive(Clone, Default)]
pub(crate) struct Reporter {
    observers: Vec<Arc<dyn Observer>>,
    availability: Arc<Availability>,
}

/// The names by which logs and events know a session.
#[derive(Clone, Copy)]
pub(super) struct Named {
    fingerprint: Option<Fingerprint>,
    handle: Option<SessionHandle>,
}

impl Named {
    pub(super) const UNKNOWN: Self = Self { fingerprint: None, handle: None };

    pub(super) fn new(key: &StoreKey, handle: Option<SessionHandle>) -> Self {
        Self { fingerprint: Some(key.into()), handle }
    }
}

impl From<&Live> for Named {
    fn from(live: &Live) -> Self {
        Self::new(&live.key, live.record.handle)
    }
}

impl Reporter {
    /// Adds an observer, which is told after those that are there.
    pub(crate) fn add(&mut self, observer: Arc<dyn Observer>) {
        self.observers.push(observer);
    }

    /// Whether anybody is told more than the log is.
    pub(super) fn has_observers(&self) -> bool {
        !self.observers.is_empty()
    }

    /// Reports what has happened to a session.
    pub(super) fn session(&self, named: Named, change: SessionChange) {
        let Named { fingerprint, handle } = named;
        match change {
            SessionChange::LoggedIn => log_for_operators(named, "logged in", None),
            SessionChange::LoggedOut => log_for_operators(named, "logged out", None),
            // Told anew by every request that comes with it.
            SessionChange::Ended(EndedBy::Revocation) => log(named, "session revoked"),
            SessionChange::Ended(by) => log_for_operators(named, "session ended", Some(by)),
            SessionChange::Created => log(named, "session created"),
            // Every request with a session would log this.
            SessionChange::Loaded => {}
            SessionChange::FoundExpired => log(named, "session not found"),
            SessionChange::Changed => log(named, "session changed"),
            SessionChange::Renewed => log(named, "session renewed"),
        }
        let event = SessionEvent { change, session: fingerprint, handle };
        self.tell(|observer| observer.session(&event));
    }

    /// Reports that no cookie of a request of this client was good.
    pub(super) fn cookie_refused(&self, why: Refusal, client: Option<IpAddr>) {
        // Old bookmarks, restarts with a new key and curious people cause it every day; nobody has to
        // act on it, so it is not a warning.
        tracing::debug!(%why, "session cookie refused");
        self.tell(|observer| observer.cookie_refused(&CookieRefused { why, client }));
    }

    /// Reports how a conflict between two requests has ended.
    pub(super) fn conflict(&self, named: Named, outcome: ConflictOutcome) {
        let Named { fingerprint: session, handle } = named;
        match outcome {
            ConflictOutcome::Merged => {
                tracing::debug!(
                    session = session.map(display),
                    "session changed meanwhile, merging"
                );
            }
            // The error itself is logged where the commit ends.
            ConflictOutcome::Refused => {}
        }
        let event = Conflict { outcome, session, handle };
        self.tell(|observer| observer.conflict(&event));
    }

    /// Returns the moment at which a store command begins, if somebody wants to know: a look at the clock
    /// costs a twentieth of a bare request.
    pub(super) fn begin_command(&self) -> Option<Instant> {
        self.has_observers().then(Instant::now)
    }

    /// Reports a store command that began at `began`. `is_met` tells whether its condition held, and
    /// `cut_short` that it failed because it had less time than a command has.
    pub(super) fn command<T>(
        &self,
        command: CommandKind,
        began: Option<Instant>,
        result: &Result<T, StoreError>,
        is_met: impl FnOnce(&T) -> bool,
        cut_short: bool,
    ) {
        let outcome = match result {
            Ok(answer) if is_met(answer) => CommandOutcome::Done,
            Ok(_) => CommandOutcome::Unmet,
            Err(error) => CommandOutcome::Failed(error.kind()),
        };
        if let Some(began) = began {
            let event = StoreCommand { command, took: began.elapsed(), outcome };
            self.tell(|observer| observer.command(&event));
        }
        let outage = if cut_short { None } else { self.availability.note(outcome) };
        if let Some(outage) = outage {
            self.outage(outage);
        }
    }

    /// Reports that the store has stopped answering, or answers again.
    fn outage(&self, outage: Outage) {
        match outage {
            Outage::Begun => tracing::warn!("the session store does not answer"),
            Outage::Over { lasted } => {
                tracing::info!(?lasted, "the session store answers again");
            }
        }
        self.tell(|observer| observer.outage(&outage));
    }

    /// Calls each observer with an event. A panic is the observer's own: whatever has happened has happened.
    fn tell(&self, event: impl Fn(&dyn Observer)) {
        for observer in &self.observers {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| event(&**observer))) {
                // Not dropped: it is the app's value, and its `Drop` may panic as well.
                std::mem::forget(panic);
                tracing::warn!("an observer of sessions has panicked");
            }
        }
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter").field("observers", &self.observers.len()).finish_non_exhaustive()
    }
}

/// Whether the store answers, as far as the commands of one layer tell.
#[derive(Default)]
struct Availability {
    /// Whether `since` is there: all that a command has to look at while the store is well.
    is_out: AtomicBool,
    since: Mutex<Option<Instant>>,
}

impl Availability {
    /// Notes what became of a command, and returns what has changed with it.
    fn note(&self, outcome: CommandOutcome) -> Option<Outage> {
        match outcome {
            CommandOutcome::Done | CommandOutcome::Unmet => {
                if !self.is_out.load(Ordering::Relaxed) {
                    return None;
                }
                let mut since = self.since.lock().ignore_poison();
                self.is_out.store(false, Ordering::Relaxed);
                since.take().map(|since| Outage::Over { lasted: since.elapsed() })
            }
            _ if outcome.is_outage() => {
                let mut since = self.since.lock().ignore_poison();
                if since.is_some() {
                    return None;
                }
                self.is_out.store(true, Ordering::Relaxed);
                *since = Some(Instant::now());
                Some(Outage::Begun)
            }
            // The store has answered, and its answer is a refusal.
            CommandOutcome::Failed(_) => None,
        }
    }
}

/// Logs what an operator may want to look up: who came and went.
fn log_for_operators(named: Named, what: &str, by: Option<EndedBy>) {
    let (session, handle) = (named.fingerprint.map(display), named.handle.map(display));
    tracing::info!(session, handle, by = by.map(EndedBy::name), "{what}");
}

/// Logs what is daily life.
fn log(named: Named, what: &str) {
    tracing::debug!(session = named.fingerprint.map(display), "{what}");
}

/// Warns the operator of what a person has to mend, and tells the rest to whoever debugs.
pub(super) fn report(error: &SessionError, what: &str) {
    let source = error as &dyn std::error::Error;
    if error.needs_operator() {
        tracing::warn!(error = source, "{what}");
    } else {
        tracing::debug!(error = source, "{what}");
    }
}
