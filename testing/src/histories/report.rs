//! The numbers of a run, and what it has to have had to be a test.

use std::collections::BTreeSet;
use std::fmt;

use super::checker::{Kind, Violation};
use super::recorder::{Answer, Call, Doubt, Moment, Operation};

/// A fault that was there, until every node served again.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) names: Vec<String>,
    pub(super) began: Moment,
    pub(super) ended: Moment,
}

impl Window {
    fn meets(&self, call: &Call) -> bool {
        call.began <= self.ended && self.began <= call.ended
    }
}

/// The result of a run.
#[derive(Debug)]
pub struct Report {
    pub(super) name: String,
    pub(super) seed: u64,
    pub(super) history: Vec<Call>,
    pub(super) windows: Vec<Window>,
    pub(super) violations: Vec<Violation>,
    /// Losses that the store's guide tells of. They are counted.
    pub(super) documented: BTreeSet<Kind>,
}

impl Report {
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
        assert_eq!(missing(&self.history, &self.windows), None, "{self}");
    }

    /// Returns the kinds of all violations.
    pub fn kinds(&self) -> BTreeSet<Kind> {
        self.violations.iter().map(|violation| violation.kind).collect()
    }

    fn count(&self, is_counted: impl Fn(&Call) -> bool) -> usize {
        self.history.iter().filter(|call| is_counted(call)).count()
    }

    /// Counts calls that were under way during a fault.
    fn during(&self, is_counted: impl Fn(&Call) -> bool) -> usize {
        self.count(|call| is_counted(call) && met(&self.windows, call))
    }

    /// Returns the number of sessions that were opened.
    fn sessions(&self) -> usize {
        let opened = self.history.iter().filter(|call| call.cart().is_some());
        opened.map(|call| call.session).collect::<BTreeSet<_>>().len()
    }
}

fn met(windows: &[Window], call: &Call) -> bool {
    windows.iter().any(|window| window.meets(call))
}

/// Returns the first thing that a history lacks to be a test.
pub(super) fn missing(history: &[Call], windows: &[Window]) -> Option<&'static str> {
    let last = windows.last().map(|window| window.ended);
    let is_after = |call: &Call| last.is_some_and(|last| call.began > last);
    let has = |is_wanted: &dyn Fn(&Call) -> bool| history.iter().any(is_wanted);
    let wanted = [
        (
            "an addition acknowledged during a fault",
            has(&|call| call.is_acknowledged_add() && met(windows, call)),
        ),
        ("an unknown answer during a fault", has(&|call| call.is_unknown() && met(windows, call))),
        (
            "an addition acknowledged after the last fault",
            has(&|call| call.is_acknowledged_add() && is_after(call)),
        ),
        ("an acknowledged logout", has(&|call| call.answer == Answer::LoggedOut)),
        ("an acknowledged login", has(&is_acknowledged_login)),
        ("an answer to a ticket that is over", has(&|call| call.answer == Answer::Absent)),
    ];
    wanted.iter().find(|(_, is_there)| !is_there).map(|&(what, _)| what)
}

fn is_acknowledged_login(call: &Call) -> bool {
    call.operation == Operation::LogIn && call.cart().is_some()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |doubt| self.count(|call| call.answer == Answer::Unknown(doubt));
        let seconds = self.history.iter().map(|call| call.ended).max().unwrap_or_default();
        writeln!(
            f,
            "{}, HISTORY_SEED={}: {:.0} s, {} calls of {} sessions, {} additions, {} logins and {} logouts \
             acknowledged",
            self.name,
            self.seed,
            seconds.as_secs_f64(),
            self.history.len(),
            self.sessions(),
            self.count(Call::is_acknowledged_add),
            self.count(is_acknowledged_login),
            self.count(|call| call.answer == Answer::LoggedOut),
        )?;
        writeln!(
            f,
            "  unknown: {} (503: {}, broken: {}, hung up: {}); not sent: {}; 409: {}; over: {}",
            self.count(Call::is_unknown),
            of(Doubt::Unavailable),
            of(Doubt::Broken),
            of(Doubt::HungUp),
            self.count(|call| call.answer == Answer::NotSent),
            self.count(|call| call.answer == Answer::Gone),
            self.count(|call| call.answer == Answer::Absent),
        )?;
        writeln!(
            f,
            "  during {} faults: {} additions acknowledged, {} calls unknown",
            self.windows.len(),
            self.during(Call::is_acknowledged_add),
            self.during(Call::is_unknown),
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
    use super::super::recorder::{Cart, Item};
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
        assert_eq!(missing(&whole, &windows), None);
        for left_out in 0..whole.len() {
            let mut history = whole.to_vec();
            history.remove(left_out);
            assert!(missing(&history, &windows).is_some(), "{:?}", whole[left_out]);
        }
        assert!(missing(&whole, &[]).is_some(), "no fault");
    }
}
