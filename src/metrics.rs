//! The events of an observer as metrics.

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use crate::events::{Conflict, CookieRefused, Outage, SessionChange, SessionEvent, StoreCommand};
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

/// A metric: its name, its unit, and the text that describes it.
type Described = (&'static str, &'static str);

const SESSIONS: Described = ("cloakroom_sessions_total", "What happened to sessions");
const ENDED: Described = ("cloakroom_sessions_ended_total", "Sessions that were ended");
const REFUSED: Described = ("cloakroom_cookies_refused_total", "Requests without a good cookie");
const CONFLICTS: Described = ("cloakroom_conflicts_total", "Conflicts between two requests");
const OUTAGES: Described = ("cloakroom_outages_total", "Outages of the session store");
const STORE: Described = ("cloakroom_store_seconds", "Time that store commands took");

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

    /// Creates the observer, and describes the metrics to the exporter that is installed.
    ///
    /// ```
    /// use cloakroom::MetricsObserver;
    ///
    /// assert_eq!(format!("{:?}", MetricsObserver::new()), "MetricsObserver");
    /// ```
    pub fn new() -> Self {
        for (name, text) in [SESSIONS, ENDED, REFUSED, CONFLICTS, OUTAGES] {
            describe_counter!(name, text);
        }
        describe_histogram!(STORE.0, Unit::Seconds, STORE.1);
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
        counter!(SESSIONS.0, "event" => event.change.name()).increment(1);
        if let SessionChange::Ended(by) = event.change {
            counter!(ENDED.0, "by" => by.name()).increment(1);
        }
    }

    fn cookie_refused(&self, event: &CookieRefused) {
        counter!(REFUSED.0, "why" => event.why.name()).increment(1);
    }

    fn conflict(&self, event: &Conflict) {
        counter!(CONFLICTS.0, "outcome" => event.outcome.name()).increment(1);
    }

    fn command(&self, event: &StoreCommand) {
        let (command, outcome) = (event.command.name(), event.outcome.name());
        histogram!(STORE.0, "command" => command, "outcome" => outcome)
            .record(event.took.as_secs_f64());
    }

    fn outage(&self, event: &Outage) {
        counter!(OUTAGES.0, "phase" => event.name()).increment(1);
    }
}
