use super::*;
use crate::id::StoreKey;

const BOTH: [bool; 2] = [false, true];

/// Every combination of facts, with the rules written the other way round: by outcome.
#[test]
fn the_decision_has_this_truth_table() {
    let mut rows = 0;
    for found in [Found::Nothing, Found::Moved, Found::Live] {
        for bits in 0..64u8 {
            let bit = |n: u8| bits & (1 << n) != 0;
            let facts = Facts {
                found,
                asked: bit(0),
                changed: bit(1),
                empty: bit(2),
                renew: bit(3),
                slide: bit(4),
                head_sent: bit(5),
            };
            assert_eq!(decide(facts), expected(facts), "{facts:?}");
            rows += 1;
        }
    }
    assert_eq!(rows, 192);
}

fn expected(facts: Facts) -> Decision {
    let Facts { found, asked, changed, empty, renew, slide, head_sent } = facts;
    let live = found == Found::Live;
    let lost = found == Found::Moved && asked && !renew;
    let new_ticket = if live { renew } else { !empty && !lost };
    let outcomes = [
        (Decision::RefuseGone, lost),
        (Decision::RefuseTooLate, new_ticket && head_sent),
        (Decision::Renew, live && new_ticket && !head_sent),
        (Decision::Create, !live && new_ticket && !head_sent),
        (Decision::Replace, live && !renew && changed),
        (Decision::Touch, live && !renew && !changed && slide),
    ];
    let mut true_ones = outcomes.iter().filter(|(_, holds)| *holds);
    let decision = true_ones.next().map_or(Decision::Nothing, |(decision, _)| *decision);
    assert!(true_ones.next().is_none(), "the rules overlap: {facts:?}");
    decision
}

const OURS: CommitId = CommitId::from_bytes([1; 8]);
const BASE: CommitId = CommitId::from_bytes([2; 8]);
const OTHER: CommitId = CommitId::from_bytes([3; 8]);

#[test]
fn the_verdict_has_this_truth_table() {
    let expected = Version::from(BASE);
    let newer = Version::from(OTHER);
    let mark = |commit| Current::Mark(Mark::Moved { commit, to: StoreKey::from_bytes([0; 32]) });
    let live = |version, commits| Current::Live { version, commits };
    for (current, certain, doubtful) in [
        (Current::Absent, Verdict::Gone, Verdict::Unknown),
        (Current::Mark(Mark::Ended { commit: OTHER }), Verdict::Gone, Verdict::Unknown),
        (Current::Mark(Mark::Ended { commit: OURS }), Verdict::Gone, Verdict::Unknown),
        (mark(OTHER), Verdict::Gone, Verdict::Unknown),
        (live(newer, &[BASE, OTHER]), Verdict::Merge, Verdict::Merge),
        (live(newer, &[OTHER]), Verdict::Merge, Verdict::Unknown),
        (live(newer, &[]), Verdict::Merge, Verdict::Unknown),
    ] {
        for is_doubtful in BOTH {
            let sent = sent(expected, is_doubtful);
            let verdict = verdict(sent, current);
            assert_eq!(verdict, if is_doubtful { doubtful } else { certain }, "{current:?}");
        }
    }
    for current in [mark(OURS), live(newer, &[BASE, OURS]), live(newer, &[OURS, OTHER])] {
        assert_eq!(verdict(sent(expected, true), current), Verdict::Applied, "{current:?}");
    }
    assert_eq!(verdict(sent(expected, true), live(expected, &[BASE])), Verdict::SendAgain);
}

/// A record without commits, as only a foreign hand could have written it, proves nothing.
#[test]
fn without_a_base_commit_nothing_can_be_ruled_out() {
    let sent = Sent { base_commit: None, ..sent(Version::from(BASE), true) };
    let current = Current::Live { version: Version::from(OTHER), commits: &[OTHER] };
    assert_eq!(verdict(sent, current), Verdict::Unknown);
}

fn sent(expected: Version, doubtful: bool) -> Sent {
    Sent { commit: OURS, expected, base_commit: Some(BASE), doubtful }
}
