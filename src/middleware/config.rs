//! The options of a layer that only the middleware needs; the session's own are its settings.

use std::fmt;
use std::sync::Arc;

use http::{request, response};

use crate::session::Settings;

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

type PolicyOf = dyn Fn(&request::Parts) -> OutagePolicy + Send + Sync;

/// Decides by a response whether the changes of its handler are stored.
pub(super) type CommitRule = dyn Fn(&response::Parts) -> bool + Send + Sync;

#[derive(Clone)]
pub(crate) struct Config {
    pub(super) settings: Arc<Settings>,
    pub(super) outage: Option<Arc<PolicyOf>>,
    pub(super) commit_rule: Option<Arc<CommitRule>>,
}

impl Config {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), outage: None, commit_rule: None }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("settings", &self.settings)
            .field("outage_policy", &self.outage.is_some())
            .field("commit_rule", &self.commit_rule.is_some())
            .finish()
    }
}
