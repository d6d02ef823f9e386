//! Compares the outcomes of a load with the promises.

use std::ops::Range;
use std::time::{Duration, Instant};

use cloakroom_testing::lag;

use super::load::{Guest, Outcome, Visit};
use super::panics::without_panics;

/// The time-outs of a load and of a commit, and a little more.
const LONGEST_WAIT: Duration = Duration::from_millis(2_000 + 5_000 + 100);
const LONGEST_RECOVERY: Duration = Duration::from_secs(5);
/// The age of the oldest acknowledgement that an asynchronous failover may lose.
const LOSS: Duration = Duration::from_secs(1);

/// Runs a scenario that returns how long its recovery took, and checks that no task of it panics. A recovery that is
/// too slow may be the machine's fault, so the scenario has three attempts at that, and at nothing else.
pub(super) fn recovers_soon(name: &str, scenario: impl AsyncFn() -> Duration) {
    let mut recoveries = Vec::new();
    for _ in 0..3 {
        let mut recovery = Duration::MAX;
        without_panics(name, async { recovery = scenario().await });
        if recovery <= LONGEST_RECOVERY {
            return;
        }
        recoveries.push(recovery);
    }
    panic!("{name}: back after {recoveries:?}");
}

#[derive(Debug)]
pub(super) struct Tally {
    name: &'static str,
    tasks: Vec<Vec<Visit>>,
}

impl Tally {
    pub(super) fn new(name: &'static str, tasks: Vec<Vec<Visit>>) -> Self {
        Self { name, tasks }
    }

    pub(super) fn visits(&self) -> impl Iterator<Item = &Visit> {
        self.tasks.iter().flatten()
    }

    fn visits_of(&self, guest: usize) -> impl Iterator<Item = &Visit> {
        self.visits().filter(move |visit| visit.guest == guest)
    }

    fn count(&self, which: impl Fn(&Visit) -> bool) -> usize {
        self.visits().filter(|visit| which(visit)).count()
    }

    /// Returns how many acknowledgements there were in a span of time.
    pub(super) fn served(&self, during: &Range<Instant>) -> usize {
        self.count(|visit| visit.is_counted() && during.contains(&visit.ended))
    }

    fn longest_wait(&self) -> Duration {
        self.visits().map(|visit| lag::net(visit.began, visit.ended)).max().unwrap_or_default()
    }

    /// Returns the time from `back` until every task had an acknowledgement.
    fn recovery(&self, back: Instant) -> Duration {
        let of_task = |visits: &Vec<Visit>| {
            let good = visits.iter().find(|visit| visit.is_counted() && visit.ended > back);
            good.map_or(Duration::MAX, |visit| lag::net(back, visit.ended))
        };
        self.tasks.iter().map(of_task).max().unwrap_or(Duration::MAX)
    }

    /// Prints the figures and checks the promises that always hold. `back` is the time at which the
    /// server was there again. Returns how long it took from then until every task was served.
    fn keeps_its_promises(&self, lost: u64, back: Instant) -> Duration {
        let (wait, recovery) = (self.longest_wait(), self.recovery(back));
        let outages = self.count(Visit::is_outage);
        println!(
            "{}: {} acknowledged, {outages} answered 503, {lost} lost, longest wait {wait:.1?}, \
             back after {recovery:.1?}",
            self.name,
            self.count(Visit::is_counted),
        );
        for visit in self.visits() {
            if let Outcome::Wrong(answer) = &visit.outcome {
                panic!("{}: {answer}", self.name);
            }
        }
        assert!(self.tasks.len() >= 8 && self.tasks.iter().all(|visits| visits.len() > 10));
        assert!(wait <= LONGEST_WAIT, "{}: somebody waited {wait:?}", self.name);
        recovery
    }

    /// Checks that no acknowledged change is lost, and that none counts twice.
    pub(super) async fn is_exact(&self, guests: &[Guest], back: Instant) -> Duration {
        let recovery = self.keeps_its_promises(0, back);
        assert_eq!(self.count(Visit::is_gone), 0, "{}: nobody has logged out", self.name);
        for guest in guests {
            let counted = guest.counted().await;
            let (acknowledged, outages) = self.expected(guest.number);
            assert!(
                (acknowledged..=acknowledged + outages).contains(&counted),
                "{}: {counted} counted, {acknowledged} acknowledged, {outages} answered 503",
                self.name
            );
        }
        recovery
    }

    /// Checks the same, except for changes that were acknowledged within a second before the primary
    /// was `killed`. It was dead before `back`.
    pub(super) async fn survives_a_failover(
        &self,
        guests: &[Guest],
        killed: Instant,
        (dead, back): (Instant, Instant),
    ) -> Duration {
        let mut lost = 0;
        for guest in guests {
            let counted = guest.counted().await;
            let (acknowledged, outages) = self.expected(guest.number);
            lost += acknowledged.saturating_sub(counted);
            let counts = |visit: &&Visit| visit.is_counted();
            let of_guest = || self.visits_of(guest.number).filter(counts);
            let early = of_guest().filter(|visit| visit.ended + LOSS < killed).count();
            let late = of_guest().filter(|visit| visit.began > dead).count();
            assert!(
                counted >= (early + late) as u64 && counted <= acknowledged + outages,
                "{}: {counted} counted, {early} acknowledged long before the kill, {late} after \
                 it, {acknowledged} in all, {outages} answered 503",
                self.name
            );
        }
        assert_eq!(self.count(Visit::is_gone), 0, "{}: nobody has logged out", self.name);
        self.keeps_its_promises(lost, back)
    }

    /// Checks a load after which the data are gone with the server. Each guest, who has one task, begins
    /// anew, and only later visits count.
    pub(super) async fn begins_anew(&self, guests: &[Guest], back: Instant) -> Duration {
        let recovery = self.keeps_its_promises(0, back);
        for guest in guests {
            let visits: Vec<_> = self.visits_of(guest.number).collect();
            let anew = visits.iter().rposition(|visit| {
                matches!(visit.outcome, Outcome::Counted { in_a_new_session: true })
            });
            let anew = anew.expect("the data were gone");
            assert!(visits[anew].ended > back);
            assert!(!visits[anew..].iter().any(|visit| visit.is_gone()), "{}", self.name);
            let acknowledged = visits[anew..].iter().filter(|visit| visit.is_counted()).count();
            let outages = visits[anew..].iter().filter(|visit| visit.is_outage()).count();
            let counted = guest.counted().await;
            assert!(
                (acknowledged as u64..=(acknowledged + outages) as u64).contains(&counted),
                "{}: {counted} counted, {acknowledged} acknowledged, {outages} answered 503",
                self.name
            );
        }
        recovery
    }

    /// Returns how many visits of a guest were acknowledged, and how many were answered 503.
    fn expected(&self, guest: usize) -> (u64, u64) {
        let count =
            |which: fn(&Visit) -> bool| self.visits_of(guest).filter(|visit| which(visit)).count();
        (count(Visit::is_counted) as u64, count(Visit::is_outage) as u64)
    }
}

impl Visit {
    pub(super) fn is_counted(&self) -> bool {
        matches!(self.outcome, Outcome::Counted { .. })
    }

    pub(super) fn is_outage(&self) -> bool {
        matches!(self.outcome, Outcome::Outage(_))
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self.outcome, Outcome::Gone)
    }
}
