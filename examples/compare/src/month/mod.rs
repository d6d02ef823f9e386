//! Estimates what a store costs in a month, hours, storage and traffic included, at any rate of
//! requests.
//!
//! Everything here is a pure function of four things: a [`Shop`] (the assumptions), a rate, the
//! prices, and the node types. Nothing of a run is in it, so that the tables in the documentation
//! can be computed again by anybody. The commands are those that the library promises (and its tests
//! count): a load is one, a new session one, and a change a load and a write.

mod bill;
mod curves;
mod databases;
mod nodes;
mod setup;
mod sizes;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::near;

pub use bill::{Bill, Part};
pub use curves::{Crossing, DECADES, FEWEST, MOST, Rival, cheapest, crossings, rates, rival};
pub use databases::Databases;
pub use nodes::{Engine, NodeTypes, Nodes};
pub use setup::{NFS_CREATION, Setup};
pub use sizes::{Place, SESSIONS};

/// The hours of a month, as AWS's own calculator counts them: 365 × 24 ÷ 12.
pub const HOURS: f64 = 730.0;
const SECONDS: f64 = HOURS * 3600.0;

/// What is assumed of the shop and its visitors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Shop {
    /// The size of a session as it is stored, in bytes.
    pub session_bytes: f64,
    /// How many requests of a visit use the session. The first one begins it.
    pub requests_per_visit: f64,
    /// How many of these change the session, the first one included.
    pub changes_per_visit: f64,
    /// How long a visit takes, from its first request to its last.
    pub minutes_per_visit: f64,
    /// How long a session lives after its last change.
    pub idle_minutes: f64,
    /// The availability zones over which the app's servers are spread evenly.
    pub zones: f64,
}

impl Default for Shop {
    fn default() -> Self {
        Self {
            session_bytes: 2048.0,
            requests_per_visit: near::REQUESTS,
            changes_per_visit: near::CHANGES,
            minutes_per_visit: 10.0,
            idle_minutes: 30.0,
            zones: 2.0,
        }
    }
}

/// What reaches the store at a rate of requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Loads in a month: one for each request but the first of a visit, which has no session yet.
    pub loads: f64,
    /// New sessions in a month.
    pub creations: f64,
    /// Writes in a month to sessions that exist.
    pub replacements: f64,
    /// Visits that begin in a second.
    pub visits_per_second: f64,
    /// Sessions that are live at any moment: those that began while one of them lives.
    pub live: f64,
}

impl Shop {
    /// Computes the load of so many requests a second that use their session.
    pub fn load(&self, requests_per_second: f64) -> Load {
        let requests = requests_per_second * SECONDS;
        let visits = requests / self.requests_per_visit;
        let visits_per_second = requests_per_second / self.requests_per_visit;
        Load {
            loads: requests - visits,
            creations: visits,
            replacements: visits * (self.changes_per_visit - 1.0),
            visits_per_second,
            live: visits_per_second * self.seconds_of_life(),
        }
    }

    fn seconds_of_life(&self) -> f64 {
        (self.minutes_per_visit + self.idle_minutes) * 60.0
    }
}

impl Load {
    /// Writes in a month.
    pub fn writes(&self) -> f64 {
        self.creations + self.replacements
    }

    /// Store commands in a month.
    pub fn commands(&self) -> f64 {
        self.loads + self.writes()
    }
}
