//! Faults that begin and end, and a plan of them that follows from a seed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::random::Random;

/// The part of the system that a fault concerns. Two faults of one place are never there together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// The store's server.
    Store,
    /// The way of one node to the store.
    Way,
    /// The clock of one node.
    Clock,
    /// One node. Faults of this place end last: a node that starts needs its store.
    Node,
}

type Act = Box<dyn Fn(usize) + Send + Sync>;

/// Something that breaks, and is mended.
pub struct Fault {
    pub(super) name: String,
    pub(super) place: Place,
    begin: Act,
    end: Act,
    is_once: bool,
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Fault {
    /// Makes a fault from what begins and what ends it. Both get the number of a node, for a fault that
    /// concerns one.
    pub fn new(
        name: &str,
        place: Place,
        begin: impl Fn(usize) + Send + Sync + 'static,
        end: impl Fn(usize) + Send + Sync + 'static,
    ) -> Self {
        let (begin, end) = (Box::new(begin), Box::new(end));
        Self { name: name.to_owned(), place, begin, end, is_once: false }
    }

    /// Makes a fault of the store's server.
    pub fn of_server<S: Send + Sync + 'static>(
        name: &str,
        server: &Arc<S>,
        begin: fn(&S),
        end: fn(&S),
    ) -> Self {
        let (here, there) = (server.clone(), server.clone());
        Self::new(name, Place::Store, move |_| begin(&here), move |_| end(&there))
    }

    /// Has the fault once in a run, after all others have been there: it cannot be undone.
    pub fn once(self) -> Self {
        Self { is_once: true, ..self }
    }

    pub(super) fn begin(&self, node: usize) {
        (self.begin)(node);
    }

    pub(super) fn end(&self, node: usize) {
        (self.end)(node);
    }
}

/// One fault of a run, or two at once. The numbers are indices of the list of faults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Step {
    /// In the order in which they begin.
    pub(super) faults: Vec<usize>,
    pub(super) node: usize,
    /// The time without a fault before.
    pub(super) calm: Duration,
    pub(super) lasts: Duration,
}

/// Draws one step after the other. Each fault is there once before any is there again.
#[derive(Debug)]
pub(super) struct Plan {
    random: Random,
    nodes: usize,
    places: Vec<Place>,
    is_once: Vec<bool>,
    left: Vec<usize>,
    rounds: usize,
}

impl Plan {
    pub(super) fn new(faults: &[Fault], nodes: usize, random: Random) -> Self {
        let places = faults.iter().map(|fault| fault.place).collect();
        let is_once = faults.iter().map(|fault| fault.is_once).collect();
        let mut plan = Self { random, nodes, places, is_once, left: vec![], rounds: 0 };
        plan.deal();
        plan
    }

    /// Puts all faults into a new order. The first one is at the end.
    fn deal(&mut self) {
        let first = self.rounds == 0;
        let mut repeated: Vec<_> = (0..self.places.len()).collect();
        repeated.retain(|&fault| !self.is_once[fault]);
        self.random.shuffle(&mut repeated);
        let once = (0..self.places.len()).filter(|&fault| first && self.is_once[fault]);
        self.left = once.chain(repeated).collect();
    }

    /// Returns whether every fault has been there.
    pub(super) fn is_played(&self) -> bool {
        self.rounds > 0 || self.left.is_empty()
    }

    pub(super) fn next(&mut self) -> Step {
        if self.left.is_empty() {
            self.rounds += 1;
            self.deal();
        }
        let first = self.left.pop().expect("a fault");
        let mut faults = vec![first];
        let second = self.random.index(self.places.len());
        let apart = self.places[first] != self.places[second];
        if self.random.chance(25) && apart && !self.is_once[first] && !self.is_once[second] {
            faults.push(second);
        }
        // Some are longer than a store waits for its server, so that they are noticed at every level.
        let (from, to) = if self.random.chance(30) { (1_600, 2_600) } else { (50, 800) };
        let lasts = self.random.millis(from, to);
        let (node, calm) = (self.random.index(self.nodes), self.random.millis(50, 300));
        Step { faults, node, calm, lasts }
    }

    /// Returns the step's faults in the order in which they end.
    pub(super) fn ends(&self, step: &Step) -> Vec<usize> {
        let mut faults = step.faults.clone();
        faults.sort_by_key(|&fault| self.places[fault]);
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults() -> Vec<Fault> {
        let fault = |name, place| Fault::new(name, place, |_| {}, |_| {});
        vec![
            fault("promoted", Place::Store).once(),
            fault("killed", Place::Node),
            fault("frozen", Place::Store),
            fault("cut", Place::Way),
        ]
    }

    fn steps(seed: u64, number: usize) -> Vec<Step> {
        let mut plan = Plan::new(&faults(), 3, Random::new(seed));
        (0..number).map(|_| plan.next()).collect()
    }

    #[test]
    fn a_seed_repeats_its_plan() {
        assert_eq!(steps(3, 40), steps(3, 40));
        assert_ne!(steps(3, 40), steps(4, 40));
    }

    #[test]
    fn each_fault_is_there_once_before_any_is_there_again() {
        for seed in 0..50 {
            let mut plan = Plan::new(&faults(), 3, Random::new(seed));
            let mut first: Vec<_> = Vec::new();
            while !plan.is_played() {
                first.push(plan.next().faults[0]);
            }
            assert_eq!(first.pop(), Some(0), "what cannot be undone comes last");
            first.sort_unstable();
            assert_eq!(first, [1, 2, 3]);
            let again = (0..100).map(|_| plan.next());
            assert!(again.flat_map(|step| step.faults).all(|fault| fault != 0));
        }
    }

    #[test]
    fn faults_at_once_have_different_places_and_those_of_a_node_end_last() {
        let faults = faults();
        let mut plan = Plan::new(&faults, 3, Random::new(1));
        let mut pairs = 0;
        for _ in 0..1_000 {
            let step = plan.next();
            let places: Vec<_> = plan.ends(&step).iter().map(|&it| faults[it].place).collect();
            assert!(places.is_sorted_by(|one, other| one < other), "{places:?}");
            assert!(step.node < 3);
            pairs += usize::from(places.len() == 2);
        }
        assert!(pairs > 50, "{pairs}");
    }
}
