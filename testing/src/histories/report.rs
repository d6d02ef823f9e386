//! The numbers of a run, and what it has to have had to be a test.

use std::collections::BTreeSet;
use std::fmt;

use super::recorder::{Doubt, Moment, Recorded};
use super::violation::{Kind, Violation};

/// A fault that was there, until every node served again.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) names: Vec<String>,
    pub(super) began: Moment,
    pub(super) ended: Moment,
}

impl Window {
    fn meets(&self, call: &impl Recorded) -> bool {
        call.began() <= self.ended && self.began <= call.ended()
    }
}

/// The part of a run in which a call is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    Anytime,
    DuringAFault,
    AfterTheLastFault,
}

/// A call that a history has to have to be a test.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<C> {
    name: &'static str,
    when: When,
    is_it: fn(&C) -> bool,
}

impl<C: Recorded> Wanted<C> {
    pub fn new(name: &'static str, when: When, is_it: fn(&C) -> bool) -> Self {
        Self { name, when, is_it }
    }

    fn is_in(&self, history: &[C], windows: &[Window]) -> bool {
        let last = windows.last().map(|window| window.ended);
        let is_in_time = |call: &C| match self.when {
            When::Anytime => true,
            When::DuringAFault => met(windows, call),
            When::AfterTheLastFault => last.is_some_and(|last| call.began() > last),
        };
        history.iter().any(|call| (self.is_it)(call) && is_in_time(call))
    }
}

/// Returns the first call that a history lacks to be a test, and when it is wanted.
pub(super) fn missing<C: Recorded>(
    wanted: &[Wanted<C>],
    history: &[C],
    windows: &[Window],
) -> Option<(&'static str, When)> {
    let missing = wanted.iter().find(|wanted| !wanted.is_in(history, windows))?;
    Some((missing.name, missing.when))
}

pub(super) fn met(windows: &[Window], call: &impl Recorded) -> bool {
    windows.iter().any(|window| window.meets(call))
}

/// The result of a run.
#[derive(Debug)]
pub struct Report<C> {
    pub(super) name: String,
    pub(super) seed: u64,
    pub(super) history: Vec<C>,
    pub(super) windows: Vec<Window>,
    pub(super) violations: Vec<Violation<C>>,
    /// The example's own numbers.
    pub(super) numbers: String,
    /// The first thing that the run lacks to be a test.
    pub(super) missing: Option<(&'static str, When)>,
    /// Losses that the store's guide tells of. They are counted.
    pub(super) documented: BTreeSet<Kind>,
}

impl<C: Recorded> Report<C> {
    /// Asserts that nothing happened that the store's guide does not tell of, and that the run was a test: calls
    /// were acknowledged and left open during faults, and acknowledged after them.
    #[track_caller]
    pub fn holds(&self) {
        println!("{self}");
        for known in self.violations.iter().take(5) {
            println!("{known}");
        }
        let bad = self.violations.iter().filter(|it| !self.documented.contains(&it.kind));
        let bad: Vec<_> = bad.map(ToString::to_string).collect();
        let first = bad[..bad.len().min(10)].join("\n");
        assert!(bad.is_empty(), "{self}\n{} violations:\n{first}", bad.len());
        assert_eq!(self.missing, None, "{self}");
    }

    /// Returns the kinds of all violations.
    pub fn kinds(&self) -> BTreeSet<Kind> {
        self.violations.iter().map(|violation| violation.kind).collect()
    }

    fn count(&self, is_counted: impl Fn(Doubt) -> bool) -> usize {
        self.history.iter().filter(|call| call.doubt().is_some_and(&is_counted)).count()
    }
}

impl<C: Recorded> fmt::Display for Report<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |doubt| self.count(|of_call| of_call == doubt);
        let seconds = self.history.iter().map(C::ended).max().unwrap_or_default();
        writeln!(
            f,
            "{}, HISTORY_SEED={}: {:.0} s, {} calls",
            self.name,
            self.seed,
            seconds.as_secs_f64(),
            self.history.len(),
        )?;
        f.write_str(&self.numbers)?;
        let is_unknown = |call: &&C| call.doubt().is_some() && met(&self.windows, *call);
        writeln!(
            f,
            "  unknown: {} (503: {}, broken: {}, hung up: {}), {} of them during {} faults",
            self.count(|_| true),
            of(Doubt::Unavailable),
            of(Doubt::Broken),
            of(Doubt::HungUp),
            self.history.iter().filter(is_unknown).count(),
            self.windows.len(),
        )?;
        let mut names: Vec<_> = self.windows.iter().map(|it| it.names.join(" + ")).collect();
        names.sort_unstable();
        for same in names.chunk_by(|one, other| one == other) {
            writeln!(f, "  {} times: {}", same.len(), same[0])?;
        }
        for kind in self.kinds() {
            let number = self.violations.iter().filter(|it| it.kind == kind).count();
            let told = if self.documented.contains(&kind) { "documented" } else { "A FAULT" };
            writeln!(f, "  {number} times {kind:?}: {told}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::cart::{Answer, Call, Cart, Item, Operation, Shop};
    use super::super::scene::Scene;
    use super::*;

    fn call(operation: Operation, second: u64, answer: Answer) -> Call {
        let (began, ended) = (Moment::from_secs(second), Moment::from_millis(1_000 * second + 500));
        Call { client: 0, node: 0, session: 1, ticket: 0, operation, began, ended, answer }
    }

    #[test]
    fn a_run_without_any_of_these_is_no_test() {
        let (began, ended) = (Moment::from_secs(10), Moment::from_secs(20));
        let windows = [Window { names: vec!["killed".into()], began, ended }];
        let (add, shown) = (Operation::Add(Item::Owner), Answer::Shown(Cart::new()));
        let whole = [
            call(add, 15, shown.clone()),
            call(add, 15, Answer::Unknown(Doubt::Broken)),
            call(add, 30, shown.clone()),
            call(Operation::LogOut, 30, Answer::LoggedOut),
            call(Operation::LogIn, 30, shown),
            call(Operation::Read, 30, Answer::Absent),
        ];
        let wanted = Shop::wanted();
        assert_eq!(missing(&wanted, &whole, &windows), None);
        for left_out in 0..whole.len() {
            let mut history = whole.to_vec();
            history.remove(left_out);
            assert!(missing(&wanted, &history, &windows).is_some(), "{:?}", whole[left_out]);
        }
        assert!(missing(&wanted, &whole, &[]).is_some(), "no fault");
    }
}
