//! The check of a counter to which calls add one.
//!
//! A search through all orders of the calls, as Wing and Gong describe it, would do for any object. For a
//! counter that only grows three rules are exact, and they take no search:
//!
//! 1. A look shows no more than the number of additions that began before it ended.
//! 2. No look shows less than another one that ended before it began.
//! 3. Every acknowledged addition has a place. The k-th addition to the counter happened before the end of
//!    each look that shows k or more, and after the beginning of each look that shows less. So the k-th place
//!    is a span of time, and an addition fits into the places whose spans meet its own.
//!
//! They are necessary: each follows from an order of the calls in which every answer is right. They are
//! sufficient: by the second rule no span is empty, and both ends of the spans only move forwards, so the places
//! into which an addition fits are consecutive. If every acknowledged addition has a place, and there are enough
//! additions for the places that looks have seen filled (the first rule), then there is one assignment that
//! does both; in the order of the places, each addition takes effect as early as its own beginning, its span and
//! the addition before it permit. The test below compares the rules with a search.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::histories::recorder::Moment;

/// A call that adds one, and was not refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addition {
    pub(super) began: Moment,
    /// The end, and the number that the answer shows. `None` if the answer is unknown: such an addition may
    /// happen at any later time, or never.
    pub(super) acknowledged: Option<(Moment, u32)>,
}

/// A number that an answer shows; that of an acknowledged addition too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) began: Moment,
    pub(super) ended: Moment,
    pub(super) number: u32,
}

/// A broken rule. The numbers are indices of the lists that were checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// The look shows more than was added.
    TooMany { look: usize },
    /// The look shows less than the number of additions that were acknowledged before it began; this is the
    /// last of them.
    Lost { addition: usize, look: usize },
    /// The counter shows less than before. What is gone was not acknowledged.
    WentBack { earlier: usize, later: usize },
    /// No order explains the answers, because the acknowledged addition has no place.
    NoPlace { addition: usize },
}

pub(super) fn check(additions: &[Addition], looks: &[Look]) -> Result<(), Fault> {
    no_look_shows_too_many(additions, looks)?;
    no_look_shows_too_few(additions, looks)?;
    no_look_goes_back(looks)?;
    every_addition_has_a_place(additions, looks)
}

fn no_look_shows_too_many(additions: &[Addition], looks: &[Look]) -> Result<(), Fault> {
    let mut begun: Vec<_> = additions.iter().map(|addition| addition.began).collect();
    begun.sort_unstable();
    let most = |look: &Look| begun.partition_point(|&began| began <= look.ended);
    match looks.iter().position(|look| look.number as usize > most(look)) {
        Some(look) => Err(Fault::TooMany { look }),
        None => Ok(()),
    }
}

/// Follows from the other rules. What breaks it has lost what was acknowledged, and that is the worst.
fn no_look_shows_too_few(additions: &[Addition], looks: &[Look]) -> Result<(), Fault> {
    let ends = additions.iter().enumerate();
    let mut ends: Vec<_> = ends.filter_map(|(at, it)| Some((it.acknowledged?.0, at))).collect();
    ends.sort_unstable();
    for (look, shown) in looks.iter().enumerate() {
        let before = ends.partition_point(|&(ended, _)| ended < shown.began);
        if before > shown.number as usize {
            return Err(Fault::Lost { addition: ends[before - 1].1, look });
        }
    }
    Ok(())
}

fn no_look_goes_back(looks: &[Look]) -> Result<(), Fault> {
    let mut by_end: Vec<_> = (0..looks.len()).collect();
    let mut by_beginning = by_end.clone();
    by_end.sort_unstable_by_key(|&look| looks[look].ended);
    by_beginning.sort_unstable_by_key(|&look| looks[look].began);
    let mut ended = by_end.into_iter().peekable();
    let mut highest: Option<usize> = None;
    for later in by_beginning {
        while let Some(look) = ended.next_if(|&look| looks[look].ended < looks[later].began) {
            if highest.is_none_or(|highest| looks[highest].number < looks[look].number) {
                highest = Some(look);
            }
        }
        if let Some(earlier) = highest.filter(|&it| looks[it].number > looks[later].number) {
            return Err(Fault::WentBack { earlier, later });
        }
    }
    Ok(())
}

/// The span of each place: the k-th has the index k - 1.
#[derive(Debug)]
struct Places {
    /// The place is filled after this.
    opens: Vec<Moment>,
    /// The place is filled before this.
    closes: Vec<Moment>,
}

impl Places {
    /// Makes as many places as the looks have seen filled, and `more`.
    fn seen_by(looks: &[Look], more: usize) -> Self {
        let seen = looks.iter().map(|look| look.number as usize).max().unwrap_or_default();
        let (mut opens, mut closes) =
            (vec![Moment::ZERO; seen + more], vec![Moment::MAX; seen + more]);
        for look in looks {
            let number = look.number as usize;
            if let Some(opens) = opens.get_mut(number) {
                *opens = look.began.max(*opens);
            }
            if number > 0 {
                closes[number - 1] = look.ended.min(closes[number - 1]);
            }
        }
        for at in 1..opens.len() {
            opens[at] = opens[at].max(opens[at - 1]);
        }
        for at in (1..closes.len()).rev() {
            closes[at - 1] = closes[at - 1].min(closes[at]);
        }
        Self { opens, closes }
    }

    /// Returns the first place that an acknowledged addition fits into, and the one behind the last.
    fn of(&self, began: Moment, (ended, shows): (Moment, u32)) -> (usize, usize) {
        let first = self.closes.partition_point(|&closes| closes < began);
        let end = self.opens.partition_point(|&opens| opens <= ended);
        (first, end.min(shows as usize))
    }
}

/// Fills the places in turn, each with that addition that fits into the fewest further ones. If any
/// assignment has a place for every addition, then this one has (Glover 1967).
fn every_addition_has_a_place(additions: &[Addition], looks: &[Look]) -> Result<(), Fault> {
    let acknowledged = additions.iter().filter(|addition| addition.acknowledged.is_some()).count();
    let places = Places::seen_by(looks, acknowledged);
    let fits = |(at, addition): (usize, &Addition)| {
        let (first, end) = places.of(addition.began, addition.acknowledged?);
        Some((first, Reverse((end, at))))
    };
    let mut waiting: Vec<_> = additions.iter().enumerate().filter_map(fits).collect();
    waiting.sort_unstable_by_key(|&(first, _)| Reverse(first));
    let mut fitting = BinaryHeap::new();
    for place in 0..places.opens.len() {
        while let Some((_, addition)) = waiting.pop_if(|&mut (first, _)| first <= place) {
            fitting.push(addition);
        }
        if let Some(Reverse((end, addition))) = fitting.pop()
            && end <= place
        {
            return Err(Fault::NoPlace { addition });
        }
    }
    match fitting.pop() {
        Some(Reverse((_, addition))) => Err(Fault::NoPlace { addition }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::random::Random;

    fn at(time: u64) -> Moment {
        Moment::from_millis(time)
    }

    fn acknowledged(began: u64, ended: u64, shows: u32) -> Addition {
        Addition { began: at(began), acknowledged: Some((at(ended), shows)) }
    }

    fn unknown(began: u64) -> Addition {
        Addition { began: at(began), acknowledged: None }
    }

    fn look(began: u64, ended: u64, number: u32) -> Look {
        Look { began: at(began), ended: at(ended), number }
    }

    /// Checks with the looks that the additions themselves are.
    fn fault(additions: &[Addition], looks: &[Look]) -> Option<Fault> {
        check(additions, &all_looks(additions, looks)).err()
    }

    fn all_looks(additions: &[Addition], looks: &[Look]) -> Vec<Look> {
        let own = |addition: &Addition| {
            let (ended, number) = addition.acknowledged?;
            Some(Look { began: addition.began, ended, number })
        };
        looks.iter().copied().chain(additions.iter().filter_map(own)).collect()
    }

    #[test]
    fn good_histories_pass() {
        let good: [(&[Addition], &[Look]); 7] = [
            (&[], &[look(0, 1, 0)]),
            (&[acknowledged(0, 1, 1), acknowledged(2, 3, 2)], &[look(4, 5, 2)]),
            // Both at once, in either order; a look beside them may see none, one or both.
            (&[acknowledged(0, 9, 1), acknowledged(0, 9, 2)], &[look(1, 2, 0), look(3, 4, 1)]),
            // Each shows the other one too: it was read after both.
            (&[acknowledged(0, 9, 2), acknowledged(0, 9, 2)], &[]),
            // An unknown addition happens at once, late, or never.
            (&[unknown(0)], &[look(1, 2, 1), look(3, 4, 1)]),
            (&[unknown(0)], &[look(1, 2, 0), look(30, 40, 1)]),
            (&[unknown(0), acknowledged(1, 2, 1)], &[look(3, 4, 1)]),
        ];
        for (additions, looks) in good {
            assert_eq!(fault(additions, looks), None, "{additions:?} {looks:?}");
        }
    }

    #[test]
    fn an_acknowledged_addition_that_a_later_look_misses_is_lost() {
        let both = [acknowledged(0, 3, 1), acknowledged(1, 2, 1)];
        let lost = Some(Fault::Lost { addition: 0, look: 0 });
        assert_eq!(fault(&both, &[look(4, 5, 1)]), lost);
        assert_eq!(fault(&[acknowledged(0, 1, 1)], &[look(2, 3, 0)]), lost);
    }

    #[test]
    fn an_acknowledged_addition_without_a_place_is_noticed() {
        let has_no_place = |additions: &[Addition], looks: &[Look]| {
            let found = fault(additions, looks);
            assert!(matches!(found, Some(Fault::NoPlace { .. })), "{found:?}");
        };
        // Its own answer does not show it.
        has_no_place(&[acknowledged(0, 1, 0)], &[]);
        // Both were acknowledged as the first one.
        has_no_place(&[acknowledged(0, 3, 1), acknowledged(1, 2, 1)], &[]);
        // The second overwrote the first.
        has_no_place(&[acknowledged(0, 1, 1), acknowledged(2, 3, 1)], &[]);
        // An unknown addition is not there to replace an acknowledged one: the look before both
        // acknowledged ones has seen it, so three were made, and the last answer shows two.
        let additions = [unknown(0), acknowledged(3, 4, 2), acknowledged(5, 6, 2)];
        has_no_place(&additions, &[look(1, 2, 1)]);
    }

    #[test]
    fn a_number_that_shrinks_is_noticed() {
        let looks = [look(0, 1, 1), look(3, 4, 0), look(1, 2, 0)];
        let later = Some(Fault::WentBack { earlier: 0, later: 1 });
        assert_eq!(fault(&[unknown(0)], &looks), later);
        assert_eq!(fault(&[unknown(0)], &[look(0, 5, 1), look(4, 6, 0)]), None, "at once");
    }

    #[test]
    fn an_addition_that_nobody_made_or_that_counts_twice_is_noticed() {
        let too_many = |look| Some(Fault::TooMany { look });
        assert_eq!(fault(&[], &[look(0, 1, 0), look(2, 3, 1)]), too_many(1));
        assert_eq!(fault(&[unknown(0)], &[look(1, 2, 2)]), too_many(0), "applied twice");
        assert_eq!(fault(&[unknown(5)], &[look(1, 2, 1)]), too_many(0), "before it was sent");
        assert_eq!(fault(&[acknowledged(0, 1, 7)], &[]), too_many(0));
        let most = look(0, 1, u32::MAX);
        assert_eq!(fault(&[unknown(0)], &[most]), too_many(0), "without much memory");
    }

    /// A step of the search: an addition or a look happens.
    #[derive(Clone, Copy)]
    struct Step {
        began: Moment,
        ended: Moment,
        /// The number that it shows, unless it is an addition.
        number: Option<u32>,
        /// Whether it may be left out.
        optional: bool,
        /// The step that has to come before: a look of an addition's own answer comes after it.
        after: Option<usize>,
    }

    fn steps(additions: &[Addition], looks: &[Look]) -> Vec<Step> {
        let mut steps = Vec::new();
        for &Addition { began, acknowledged } in additions {
            let ended = acknowledged.map_or(Moment::MAX, |(ended, _)| ended);
            let optional = acknowledged.is_none();
            let after = Some(steps.len());
            steps.push(Step { began, ended, number: None, optional, after: None });
            if let Some((ended, shows)) = acknowledged {
                let number = Some(shows);
                steps.push(Step { began, ended, number, optional: false, after });
            }
        }
        steps.extend(looks.iter().map(|&Look { began, ended, number }| Step {
            began,
            ended,
            number: Some(number),
            optional: false,
            after: None,
        }));
        steps
    }

    /// Searches for an order in which every answer is right, by Wing and Gong's method.
    fn is_possible(steps: &[Step], done: u32, count: u32, seen: &mut HashSet<u32>) -> bool {
        let is_done = |step: usize| done & (1 << step) != 0;
        if (0..steps.len()).all(|step| is_done(step) || steps[step].optional) {
            return true;
        }
        // The count follows from the steps that are done.
        if !seen.insert(done) {
            return false;
        }
        (0..steps.len()).any(|at| {
            let step = steps[at];
            let others = steps.iter().enumerate();
            let overtakes = others
                .filter(|&(other, _)| other != at && !is_done(other))
                .any(|(_, other)| other.ended < step.began);
            !is_done(at)
                && !overtakes
                && step.after.is_none_or(is_done)
                && step.number.is_none_or(|number| number == count)
                && {
                    let count = count + u32::from(step.number.is_none());
                    is_possible(steps, done | (1 << at), count, seen)
                }
        })
    }

    #[test]
    fn the_rules_agree_with_a_search_on_random_histories() {
        let mut random = Random::new(1);
        let mut impossible = 0;
        const HISTORIES: u32 = 40_000;
        for _ in 0..HISTORIES {
            let length = 4 + random.below(20);
            let span = |random: &mut Random| {
                let began = random.below(length);
                (began, began + random.below(6))
            };
            let mut additions = Vec::new();
            for _ in 0..random.below(5) {
                let (began, ended) = span(&mut random);
                additions.push(match random.below(3) {
                    0 => unknown(began),
                    // Often a number that is possible.
                    _ => acknowledged(began, ended, u32::try_from(random.below(4)).unwrap() + 1),
                });
            }
            let mut looks = Vec::new();
            for _ in 0..random.below(4) {
                let (began, ended) = span(&mut random);
                looks.push(look(began, ended, u32::try_from(random.below(4)).unwrap()));
            }
            let steps = steps(&additions, &looks);
            let possible = is_possible(&steps, 0, 0, &mut HashSet::new());
            let found = fault(&additions, &looks);
            assert_eq!(found.is_none(), possible, "{found:?}: {additions:?} {looks:?}");
            impossible += u32::from(!possible);
        }
        assert!((HISTORIES / 10..HISTORIES * 9 / 10).contains(&impossible), "{impossible}");
    }
}
