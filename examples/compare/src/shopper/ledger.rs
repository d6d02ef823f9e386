//! A shopper's list of what is in the cart, and the comparison with what the shop shows.
//!
//! A request without a clear answer may have been carried out or may still be. So a quantity has
//! bounds.

use std::collections::BTreeMap;

use super::client::{Answer, Question, SessionView};
use crate::results::Audit;

#[derive(Clone, Copy, Debug, Default)]
struct Line {
    acknowledged: u64,
    /// How many more may be in the cart, or may still get into it.
    unanswered: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(BTreeMap<String, Line>);

impl Ledger {
    pub(crate) fn note(&mut self, question: &Question, answer: &Answer) {
        let Question::Add(sku, _) = question else { return };
        let line = self.0.entry((*sku).to_owned()).or_default();
        match answer {
            Answer::Acknowledged(_) => line.acknowledged += 1,
            // The request was refused and changed nothing.
            Answer::Conflict | Answer::Other(400..500) => {}
            Answer::Unavailable | Answer::Broken | Answer::Other(_) => line.unanswered += 1,
        }
    }

    /// Counts what is missing in the cart and what is too much. From here on the list is what the
    /// shop shows, so that no loss is counted twice.
    ///
    /// A cart is lost if nothing is left of what was in it before, whatever was added meanwhile.
    /// Everything that was added meanwhile is from the `present` aisle.
    pub(crate) fn audit(&mut self, view: &SessionView, present: &[&str]) -> Audit {
        let acknowledged: u64 = self.0.values().map(|line| line.acknowledged).sum();
        let mut audit = Audit { adds_acknowledged: acknowledged, ..Audit::default() };
        audit.carts = u64::from(acknowledged > 0);
        let is_left = self.is_left(view, present);
        for sku in view.items.keys() {
            self.0.entry(sku.clone()).or_default();
        }
        for (sku, line) in &mut self.0 {
            let there = view.items.get(sku).copied().unwrap_or_default();
            audit.adds_missing += line.acknowledged.saturating_sub(there);
            audit.adds_too_many += there.saturating_sub(line.acknowledged + line.unanswered);
            line.settle(there);
        }
        audit.carts_lost = u64::from(audit.adds_missing > 0 && !is_left);
        audit.carts_shrunk = u64::from(audit.adds_missing > 0 && is_left);
        audit
    }

    /// Returns whether anything that was in the cart before is still there or, if nothing was,
    /// whether anything is.
    fn is_left(&self, view: &SessionView, present: &[&str]) -> bool {
        let is_there = |sku: &String| view.items.get(sku).is_some_and(|&there| there > 0);
        let is_of_before =
            |sku: &String, line: &Line| line.acknowledged > 0 && !present.contains(&sku.as_str());
        let mut before = self.0.iter().filter(|(sku, line)| is_of_before(sku, line)).peekable();
        match before.peek() {
            Some(_) => before.any(|(sku, _)| is_there(sku)),
            None => self.0.keys().any(is_there),
        }
    }
}

impl Line {
    fn settle(&mut self, there: u64) {
        // A late request may still add what is not there yet.
        self.unanswered -= self.unanswered.min(there.saturating_sub(self.acknowledged));
        self.acknowledged = there;
    }
}

/// Adds up the audits of several carts.
pub(crate) fn merged(audits: impl IntoIterator<Item = Audit>) -> Audit {
    audits.into_iter().fold(Audit::default(), |all, one| Audit {
        carts: all.carts + one.carts,
        carts_lost: all.carts_lost + one.carts_lost,
        carts_shrunk: all.carts_shrunk + one.carts_shrunk,
        adds_acknowledged: all.adds_acknowledged + one.adds_acknowledged,
        adds_missing: all.adds_missing + one.adds_missing,
        adds_too_many: all.adds_too_many + one.adds_too_many,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(adds: &[(&'static str, Answer)]) -> Ledger {
        let mut ledger = Ledger::default();
        for (sku, answer) in adds {
            ledger.note(&Question::Add(sku, None), answer);
        }
        ledger
    }

    fn view(items: &[(&str, u64)]) -> SessionView {
        let items = items.iter().map(|(sku, there)| ((*sku).to_owned(), *there)).collect();
        SessionView { user: None, items }
    }

    const ACKNOWLEDGED: Answer = Answer::Acknowledged(None);

    #[test]
    fn a_whole_cart_is_whole() {
        let mut ledger =
            ledger(&[("fig", ACKNOWLEDGED), ("fig", ACKNOWLEDGED), ("plum", ACKNOWLEDGED)]);
        let audit = ledger.audit(&view(&[("fig", 2), ("plum", 1)]), &[]);
        assert_eq!((audit.carts, audit.adds_acknowledged), (1, 3));
        assert_eq!((audit.carts_lost, audit.carts_shrunk), (0, 0));
        assert_eq!((audit.adds_missing, audit.adds_too_many), (0, 0));
    }

    #[test]
    fn an_empty_cart_is_lost_and_one_with_less_has_shrunk() {
        let adds = [("fig", ACKNOWLEDGED), ("fig", ACKNOWLEDGED), ("plum", ACKNOWLEDGED)];
        let lost = ledger(&adds).audit(&view(&[]), &[]);
        assert_eq!((lost.carts_lost, lost.carts_shrunk, lost.adds_missing), (1, 0, 3));
        let shrunk = ledger(&adds).audit(&view(&[("fig", 1), ("plum", 1)]), &[]);
        assert_eq!((shrunk.carts_lost, shrunk.carts_shrunk, shrunk.adds_missing), (0, 1, 1));
    }

    #[test]
    fn what_came_into_a_cart_after_it_was_lost_does_not_make_it_less_lost() {
        let adds = [("fig", ACKNOWLEDGED), ("plum", ACKNOWLEDGED), ("plum", ACKNOWLEDGED)];
        let lost = ledger(&adds).audit(&view(&[("plum", 1)]), &["plum"]);
        assert_eq!((lost.carts_lost, lost.carts_shrunk, lost.adds_missing), (1, 0, 2));
        let shrunk = ledger(&adds).audit(&view(&[("fig", 1), ("plum", 1)]), &["plum"]);
        assert_eq!((shrunk.carts_lost, shrunk.carts_shrunk, shrunk.adds_missing), (0, 1, 1));
        let first = ledger(&adds[1..]).audit(&view(&[("plum", 1)]), &["plum"]);
        assert_eq!((first.carts_lost, first.carts_shrunk, first.adds_missing), (0, 1, 1));
    }

    #[test]
    fn more_of_one_thing_does_not_make_up_for_less_of_another() {
        let audit = ledger(&[("fig", ACKNOWLEDGED)]).audit(&view(&[("plum", 1)]), &[]);
        assert_eq!((audit.adds_missing, audit.adds_too_many), (1, 1));
    }

    #[test]
    fn what_was_not_answered_may_be_there_or_not_or_come_later() {
        let doubtful =
            [("fig", ACKNOWLEDGED), ("fig", Answer::Unavailable), ("fig", Answer::Broken)];
        for there in 1..=3 {
            let audit = ledger(&doubtful).audit(&view(&[("fig", there)]), &[]);
            assert_eq!((audit.adds_missing, audit.adds_too_many), (0, 0), "{there}");
        }
        let mut ledger = ledger(&doubtful);
        ledger.audit(&view(&[("fig", 1)]), &[]);
        assert_eq!(ledger.audit(&view(&[("fig", 3)]), &[]).adds_too_many, 0);
        assert_eq!(ledger.audit(&view(&[("fig", 4)]), &[]).adds_too_many, 1);
    }

    #[test]
    fn a_refused_add_must_not_be_there() {
        let audit = ledger(&[("fig", Answer::Conflict)]).audit(&view(&[("fig", 1)]), &[]);
        assert_eq!((audit.carts, audit.adds_too_many), (0, 1));
    }

    #[test]
    fn a_loss_is_counted_once() {
        let mut ledger = ledger(&[("fig", ACKNOWLEDGED), ("fig", ACKNOWLEDGED)]);
        assert_eq!(ledger.audit(&view(&[("fig", 1)]), &[]).adds_missing, 1);
        assert_eq!(ledger.audit(&view(&[("fig", 1)]), &[]).adds_missing, 0);
    }

    #[test]
    fn audits_add_up() {
        let one = Audit { carts: 1, carts_lost: 1, adds_missing: 3, ..Audit::default() };
        let two = Audit { carts: 1, adds_acknowledged: 5, ..Audit::default() };
        let all = merged([one, two]);
        assert_eq!(
            (all.carts, all.carts_lost, all.adds_missing, all.adds_acknowledged),
            (2, 1, 3, 5)
        );
    }
}
