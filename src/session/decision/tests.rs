use std::time::Duration;

use super::*;
use crate::clock::Timestamp;
use crate::id::StoreKey;
use crate::record::Record;
use crate::session::found::Live;

/// Every combination of facts, with the rules written the other way round: by outcome.
#[test]
fn the_decision_has_this_truth_table() {
    let mut rows = 0;
    for (live, over) in [(false, false), (false, true), (true, false)] {
        for bits in 0..512u16 {
            let bit = |n: u16| bits & (1 << n) != 0;
            let facts = Facts {
                live,
                over,
                asked: bit(0),
                changed: bit(1),
                empty: bit(2),
                renew: bit(3),
                touch_due: bit(4),
                head_sent: bit(5),
                saving: bit(6),
                stale: bit(7),
                login: bit(8),
            };
            assert_eq!(decide(facts), expected(facts), "{facts:?}");
            rows += 1;
        }
    }
    assert_eq!(rows, 1_536);
}

fn expected(facts: Facts) -> Decision {
    let Facts { live, over, asked, saving, stale, changed, .. } = facts;
    let Facts { empty, renew, login, touch_due, head_sent, .. } = facts;
    let lost = over && if asked { !login } else { saving };
    let new_ticket = if live { renew } else { !empty && !lost };
    let replaces = changed || (asked && stale);
    let looks = !replaces && saving && stale;
    let outcomes = [
        (Decision::RefuseGone, lost),
        (Decision::RefuseTooLate, new_ticket && head_sent),
        (Decision::Renew, live && new_ticket && !head_sent),
        (Decision::LogInAnew, over && new_ticket && !head_sent),
        (Decision::Create, !live && !over && new_ticket && !head_sent),
        (Decision::Replace, live && !renew && replaces),
        (Decision::Look, live && !renew && looks),
        (Decision::Touch, live && !renew && !replaces && !looks && touch_due),
    ];
    let mut true_ones = outcomes.iter().filter(|(_, holds)| *holds);
    let decision = true_ones.next().map_or(Decision::Nothing, |(decision, _)| *decision);
    assert!(true_ones.next().is_none(), "the rules overlap: {facts:?}");
    decision
}

const OURS: CommitId = CommitId::from_bytes([1; 8]);
const BASE: CommitId = CommitId::from_bytes([2; 8]);
const OTHER: CommitId = CommitId::from_bytes([3; 8]);

const KEY: StoreKey = StoreKey::from_bytes([0; 32]);

fn ended(commit: CommitId) -> Found {
    Found::Mark { key: KEY, mark: Mark::Ended { commit }, left: None }
}

fn moved(commit: CommitId) -> Found {
    Found::Mark {
        key: KEY,
        mark: Mark::Moved { commit, to: StoreKey::from_bytes([1; 32]), at: Timestamp::default() },
        left: None,
    }
}

fn live(version: impl Into<Version>, commits: &[CommitId]) -> Found {
    let mut record = Record::new(Timestamp::default(), Duration::ZERO, Duration::MAX);
    commits.iter().for_each(|commit| record.commits.push(*commit));
    let known_at = Timestamp::default();
    Found::Live(Live::new(KEY.into(), version.into(), Timestamp::MAX, record.into(), known_at))
}

fn sent(doubtful: bool) -> Sent {
    Sent { commit: OURS, expected: BASE.into(), base_commit: Some(BASE), doubtful, renews: false }
}

/// Nothing replaces a mark, so another's mark proves that ours was never there.
#[test]
fn a_renewal_in_doubt_that_finds_anothers_mark_was_not_applied() {
    let sent = Sent { renews: true, ..sent(true) };
    assert_eq!(verdict(sent, &moved(OTHER)), Verdict::Gone);
    assert_eq!(verdict(sent, &ended(OTHER)), Verdict::Gone);
    assert_eq!(verdict(sent, &moved(OURS)), Verdict::Applied);
    assert_eq!(verdict(sent, &Found::Nothing), Verdict::Unclear);
    // A record that somebody has written since stands where ours would, whatever it lists.
    assert_eq!(verdict(sent, &live(OTHER, &[OTHER])), Verdict::Merge);
    assert_eq!(verdict(sent, &live(BASE, &[BASE])), Verdict::SendAgain);
    let without_base = Sent { base_commit: None, ..sent };
    assert_eq!(verdict(without_base, &live(BASE, &[])), Verdict::SendAgain);
}

#[test]
fn the_verdict_has_this_truth_table() {
    for (name, found, certain, doubtful) in [
        ("nothing", Found::Nothing, Verdict::Gone, Verdict::Unclear),
        ("another's end", ended(OTHER), Verdict::Gone, Verdict::Unclear),
        ("an end by our id", ended(OURS), Verdict::Gone, Verdict::Unclear),
        ("another's renewal", moved(OTHER), Verdict::Gone, Verdict::Unclear),
        ("base, then another", live(OTHER, &[BASE, OTHER]), Verdict::Merge, Verdict::Merge),
        ("another alone", live(OTHER, &[OTHER]), Verdict::Merge, Verdict::Unclear),
        ("no commits", live(OTHER, &[]), Verdict::Merge, Verdict::Unclear),
    ] {
        assert_eq!(verdict(sent(false), &found), certain, "{name}");
        assert_eq!(verdict(sent(true), &found), doubtful, "{name}, in doubt");
    }
    for (name, found) in [
        ("our renewal", moved(OURS)),
        ("base, then ours", live(OTHER, &[BASE, OURS])),
        ("ours, then another", live(OTHER, &[OURS, OTHER])),
    ] {
        assert_eq!(verdict(sent(true), &found), Verdict::Applied, "{name}");
    }
    assert_eq!(verdict(sent(true), &live(BASE, &[BASE])), Verdict::SendAgain);
}

/// A record without commits, as only a foreign program could have written it, proves nothing.
#[test]
fn without_a_base_commit_nothing_can_be_ruled_out() {
    let sent = Sent { base_commit: None, ..sent(true) };
    assert_eq!(verdict(sent, &live(OTHER, &[OTHER])), Verdict::Unclear);
}
