//! The events of an observer as metrics.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use crate::events::{
    Conflict, ConflictOutcome, CookieRefused, EndedBy, Outage, Refusal, SessionChange,
    SessionEvent, StoreCommand,
};
use crate::observer::Observer;

/// Counts the events of a layer with the [`metrics`](https://docs.rs/metrics) facade.
///
/// The [guide](crate::guide::observing) lists the metrics, their labels, and what to alarm on. Without an
/// exporter each event costs a few nanoseconds and is forgotten. The labels come from small fixed sets:
/// nothing of a session or of a visitor is in them. Several layers, or servers behind one exporter, are counted
/// together.
///
/// ```
/// use cloakroom::{Key, MetricsObserver, SessionLayer, store::MemoryStore};
///
/// // After the exporter was installed, so that it gets the texts that describe the metrics.
/// let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?).observer(MetricsObserver::new());
/// assert!(MetricsObserver::SECONDS.is_sorted());
/// # let _ = layer;
/// # Ok::<(), cloakroom::KeyError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MetricsObserver;

const SESSIONS: &str = "cloakroom_sessions_total";
const ENDED: &str = "cloakroom_sessions_ended_total";
const REFUSED: &str = "cloakroom_cookies_refused_total";
const CONFLICTS: &str = "cloakroom_conflicts_total";
const OUTAGES: &str = "cloakroom_outages_total";
const STORE: &str = "cloakroom_store_seconds";

/// Every counter, the text that describes it, its label, and the label's values.
const COUNTERS: [(&str, &str, &str, &[&str]); 5] = [
    (
        SESSIONS,
        "What happened to sessions",
        "event",
        &[
            SessionChange::Created.name(),
            SessionChange::Loaded.name(),
            SessionChange::FoundExpired.name(),
            SessionChange::Changed.name(),
            SessionChange::Renewed.name(),
            SessionChange::LoggedIn.name(),
            SessionChange::LoggedOut.name(),
            SessionChange::Ended(EndedBy::Visitor).name(),
        ],
    ),
    (
        ENDED,
        "Sessions that were ended, and by whom",
        "by",
        &[
            EndedBy::Visitor.name(),
            EndedBy::OtherDevice.name(),
            EndedBy::Users.name(),
            EndedBy::Limit.name(),
            EndedBy::Revocation.name(),
        ],
    ),
    (
        REFUSED,
        "Requests none of whose cookies was good",
        "why",
        &[
            Refusal::Malformed.name(),
            Refusal::ForeignKey.name(),
            Refusal::Forged.name(),
            Refusal::Outdated.name(),
            Refusal::Expired.name(),
        ],
    ),
    (
        CONFLICTS,
        "Conflicts between two requests of one session",
        "outcome",
        &[ConflictOutcome::Merged.name(), ConflictOutcome::Refused.name()],
    ),
    (
        OUTAGES,
        "Outages of the session store that have begun, and that are over",
        "phase",
        &[Outage::Begun.name(), Outage::Over { lasted: Duration::ZERO }.name()],
    ),
];

impl MetricsObserver {
    /// Upper bounds of buckets for `cloakroom_store_seconds`, from 50 microseconds to 2.5 seconds.
    ///
    /// Exporters for Prometheus need them to make a histogram; without, they make a summary, which cannot be
    /// added up over servers. The bounds lie where the stores differ: memory, Redis in the same zone, and the
    /// layer's [`command_timeout`](crate::SessionLayer::command_timeout) of 2 seconds.
    ///
    /// ```
    /// use cloakroom::MetricsObserver;
    /// use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
    ///
    /// let name = Matcher::Full("cloakroom_store_seconds".to_owned());
    /// let exporter =
    ///     PrometheusBuilder::new().set_buckets_for_metric(name, &MetricsObserver::SECONDS)?;
    /// # let _ = exporter;
    /// assert_eq!(MetricsObserver::SECONDS.last(), Some(&2.5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const SECONDS: [f64; 12] =
        [0.00005, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 2.5];

    /// Creates the observer, describes the metrics to the exporter that is installed, and begins every counter
    /// at 0.
    ///
    /// ```
    /// use cloakroom::MetricsObserver;
    ///
    /// assert_eq!(format!("{:?}", MetricsObserver::new()), "MetricsObserver");
    /// ```
    pub fn new() -> Self {
        for (name, text, label, values) in COUNTERS {
            describe_counter!(name, text);
            for &value in values {
                // A counter that begins with its first event seems never to have grown.
                counter!(name, label => value).increment(0);
            }
        }
        describe_histogram!(STORE, Unit::Seconds, "Time that commands of the session store took");
        Self
    }
}

impl Default for MetricsObserver {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for MetricsObserver {
    fn session(&self, event: &SessionEvent) {
        counter!(SESSIONS, "event" => event.change.name()).increment(1);
        if let SessionChange::Ended(by) = event.change {
            counter!(ENDED, "by" => by.name()).increment(1);
        }
    }

    fn cookie_refused(&self, event: &CookieRefused) {
        counter!(REFUSED, "why" => event.why.name()).increment(1);
    }

    fn conflict(&self, event: &Conflict) {
        counter!(CONFLICTS, "outcome" => event.outcome.name()).increment(1);
    }

    fn command(&self, event: &StoreCommand) {
        let (command, outcome) = (event.command.name(), event.outcome.name());
        histogram!(STORE, "command" => command, "outcome" => outcome)
            .record(event.took.as_secs_f64());
    }

    fn outage(&self, event: &Outage) {
        counter!(OUTAGES, "phase" => event.name()).increment(1);
    }
}
