//! The options of a layer that only the middleware needs; the session's own are its settings.

use std::fmt;
use std::sync::Arc;

use http::{request, response};

use super::notices::Notices;
use crate::session::{Settings, Tolerated};

/// The way a request goes on when the store cannot be read; see
/// [`SessionLayer::on_outage`](crate::SessionLayer::on_outage).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum OutagePolicy {
    /// Loading the session fails, with 503 unless the handler answers otherwise. The default: a shop
    /// that forgets who is logged in is worse than one that asks to try again in a moment.
    #[default]
    FailClosed,
    /// The visitor is treated as anonymous, and cannot change anything: every change fails with the
    /// store's error. For pages that are useful to everybody, such as a catalogue.
    Anonymous,
}

/// The way a request goes on when the record of its session cannot be read; see
/// [`SessionLayer::on_unreadable`](crate::SessionLayer::on_unreadable).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum UnreadablePolicy {
    /// Loading the session fails, with 500 for a damaged record and 503 for one of a newer format. The
    /// default: a visitor who is logged in must not seem to be nobody.
    #[default]
    FailClosed,
    /// The visitor is treated as anonymous. Every change fails with the error of the load, except for
    /// a login, which begins a new session under a new id. For login pages above all: without it, a
    /// damaged record locks its visitor out until it expires.
    Anonymous,
}

type UnreadablePolicyOf = dyn Fn(&request::Parts) -> UnreadablePolicy + Send + Sync;

type OutagePolicyOf = dyn Fn(&request::Parts) -> OutagePolicy + Send + Sync;

/// Decides by a response whether the changes of its handler are stored.
pub(super) type CommitRule = dyn Fn(&response::Parts) -> bool + Send + Sync;

#[derive(Clone)]
pub(crate) struct Config {
    pub(super) settings: Arc<Settings>,
    pub(super) outage: Option<Arc<OutagePolicyOf>>,
    pub(super) unreadable: Option<Arc<UnreadablePolicyOf>>,
    pub(super) commit_rule: Option<Arc<CommitRule>>,
    pub(super) notices: Arc<Notices>,
}

impl Config {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            outage: None,
            unreadable: None,
            commit_rule: None,
            notices: Arc::default(),
        }
    }

    /// Asks the app's policies what this request goes on without.
    pub(super) fn tolerated(&self, request: &request::Parts) -> Tolerated {
        let outage = self.outage.as_ref().map(|policy_of| policy_of(request));
        let unreadable = self.unreadable.as_ref().map(|policy_of| policy_of(request));
        Tolerated {
            outage: outage == Some(OutagePolicy::Anonymous),
            unreadable: unreadable == Some(UnreadablePolicy::Anonymous),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("settings", &self.settings)
            .field("outage_policy", &self.outage.is_some())
            .field("unreadable_policy", &self.unreadable.is_some())
            .field("commit_rule", &self.commit_rule.is_some())
            .finish()
    }
}
