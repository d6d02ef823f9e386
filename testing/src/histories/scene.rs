//! An example as a run sees it: its nodes, the calls of its clients, and their check.

use std::sync::Arc;

use super::crowd::Crowd;
use super::recorder::{Recorded, Recorder};
use super::report::Wanted;
use super::violation::Violation;
use crate::random::Random;

/// The clients' side of an example on several nodes.
pub trait Scene: Sized + Send + Sync + 'static {
    type Call: Recorded;
    /// Proves a session to a node.
    type Ticket: Send + Sync + 'static;

    /// The example that the nodes run, with the environment variables that this scene needs.
    const EXAMPLE: (&'static str, &'static [(&'static str, &'static str)]);

    fn at(urls: Vec<String>) -> Self;

    /// Returns the number of nodes.
    fn nodes(&self) -> usize;

    fn recorder(&self) -> &Recorder<Self::Call>;

    fn enter(self: &Arc<Self>, random: &mut Random) -> Crowd<Self::Ticket>;

    /// Reads with every ticket that there ever was, at some node, until each has an answer: what is left of all
    /// sessions when the faults are over.
    fn look_again(&self, tickets: &[Self::Ticket], random: &mut Random)
    -> impl Future<Output = ()>;

    /// Returns what no correct session layer could have answered.
    fn check(history: &[Self::Call]) -> Vec<Violation<Self::Call>>;

    /// Lists what a history has to have to be a test.
    fn wanted() -> Vec<Wanted<Self::Call>>;

    /// Describes the numbers of a history, in indented lines. `meets` tells whether a call met a fault.
    fn describe(history: &[Self::Call], meets: &dyn Fn(&Self::Call) -> bool) -> String;
}
