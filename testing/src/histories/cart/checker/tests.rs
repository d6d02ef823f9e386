//! Histories made by hand: each rule passes what may happen, and catches what may not.

use super::*;
use crate::histories::recorder::{Doubt, Moment};

const APPLE: Item = Item::Counter(0);
const PEAR: Item = Item::Counter(1);
const UNKNOWN: Answer = Answer::Unknown(Doubt::Unavailable);

/// A session is opened by its owner from 0 to 1. Further calls follow.
fn history(calls: &[Call]) -> Vec<Call> {
    let opened = call(Operation::Add(Item::Owner), 0, 1, shown(&[]));
    [&[opened], calls].concat()
}

fn call(operation: Operation, began: u64, ended: u64, answer: Answer) -> Call {
    let (began, ended) = (Moment::from_millis(began), Moment::from_millis(ended));
    Call { client: 0, node: 0, session: 7, ticket: 0, operation, began, ended, answer }
}

fn add(item: Item, began: u64, ended: u64, answer: Answer) -> Call {
    call(Operation::Add(item), began, ended, answer)
}

fn read(began: u64, ended: u64, answer: Answer) -> Call {
    call(Operation::Read, began, ended, answer)
}

fn log_in(began: u64, ended: u64, answer: Answer) -> Call {
    call(Operation::LogIn, began, ended, answer)
}

fn log_out(began: u64, ended: u64, answer: Answer) -> Call {
    call(Operation::LogOut, began, ended, answer)
}

fn with_ticket(ticket: u32, call: Call) -> Call {
    Call { ticket, ..call }
}

fn shown(items: &[(Item, u32)]) -> Answer {
    let owner = (Item::Owner, 1);
    Answer::Shown(items.iter().copied().chain([owner]).collect())
}

fn apples(number: u32) -> Answer {
    shown(&[(APPLE, number)])
}

fn kinds(calls: &[Call]) -> Vec<Kind> {
    check(&history(calls)).iter().map(|violation| violation.kind).collect()
}

#[track_caller]
fn is_good(calls: &[Call]) {
    let violations = check(&history(calls));
    assert_eq!(violations, [], "{}", violations[0]);
}

#[test]
fn an_ordinary_history_is_good() {
    is_good(&[
        add(APPLE, 2, 5, apples(1)),
        add(APPLE, 3, 6, apples(2)),
        read(4, 5, apples(1)),
        add(Item::Key(1), 7, 8, shown(&[(APPLE, 2), (Item::Key(1), 1)])),
        log_in(9, 10, shown(&[(APPLE, 2), (Item::Key(1), 1)])),
        read(11, 12, Answer::Absent),
        with_ticket(1, read(11, 12, shown(&[(APPLE, 2), (Item::Key(1), 1)]))),
        with_ticket(1, log_out(13, 14, Answer::LoggedOut)),
        with_ticket(1, read(15, 16, Answer::Absent)),
        with_ticket(1, add(APPLE, 15, 16, Answer::Absent)),
    ]);
}

#[test]
fn a_lost_update_is_caught() {
    let both = [add(APPLE, 2, 9, apples(1)), add(APPLE, 3, 8, apples(1))];
    assert_eq!(kinds(&both), [Kind::OutOfOrder]);
    let overwritten = [&both[..], &[read(10, 11, apples(1))]].concat();
    assert_eq!(kinds(&overwritten), [Kind::Lost]);
    let missing_at_the_end = [add(APPLE, 2, 3, apples(1)), read(4, 5, apples(0))];
    assert_eq!(kinds(&missing_at_the_end), [Kind::Lost]);
    let missing_in_its_own_answer = [add(APPLE, 2, 3, shown(&[]))];
    assert_eq!(kinds(&missing_in_its_own_answer), [Kind::OutOfOrder]);
}

#[test]
fn a_missing_item_and_an_item_of_nobody_are_caught() {
    let key = Item::Key(3);
    let lost = [add(key, 2, 9, shown(&[(key, 1)])), read(10, 11, shown(&[]))];
    assert_eq!(kinds(&lost), [Kind::Lost]);
    assert_eq!(kinds(&[read(2, 3, shown(&[(key, 1)]))]), [Kind::Invented]);
    let twice = [add(key, 2, 3, UNKNOWN), read(4, 5, shown(&[(key, 2)]))];
    assert_eq!(kinds(&twice), [Kind::Invented]);
}

#[test]
fn an_unknown_addition_excuses_both_and_a_refused_one_none() {
    for number in [0, 1] {
        is_good(&[add(APPLE, 2, 3, UNKNOWN), read(4, 5, apples(number))]);
    }
    is_good(&[add(APPLE, 2, 3, UNKNOWN), read(4, 5, apples(0)), read(900, 901, apples(1))]);
    let back = [add(APPLE, 2, 3, UNKNOWN), read(4, 5, apples(1)), read(6, 7, apples(0))];
    assert_eq!(kinds(&back), [Kind::WentBack]);
    for refused in [Answer::Gone, Answer::NotSent] {
        let over = log_out(2, 3, UNKNOWN);
        let history = [over, add(APPLE, 2, 3, refused), read(2, 5, apples(1))];
        assert_eq!(kinds(&history), [Kind::Invented]);
    }
}

/// An addition with a ticket that is over goes into a new session, and is not counted in the old one.
#[test]
fn an_addition_for_a_new_visitor_counts_elsewhere() {
    let out = log_out(2, 3, Answer::LoggedOut);
    is_good(&[out.clone(), add(APPLE, 4, 5, Answer::Absent)]);
    let counted = [out, read(1, 6, apples(1)), add(APPLE, 4, 5, Answer::Absent)];
    assert_eq!(kinds(&counted), [Kind::Invented]);
}

#[test]
fn carts_of_which_neither_came_first_are_caught() {
    let additions = [add(APPLE, 2, 20, UNKNOWN), add(PEAR, 2, 20, UNKNOWN)];
    let carts = [read(3, 10, apples(1)), read(3, 10, shown(&[(PEAR, 1)]))];
    assert_eq!(kinds(&[&additions[..], &carts[..]].concat()), [Kind::Torn]);
    let later = [read(3, 10, apples(1)), read(3, 10, shown(&[(APPLE, 1), (PEAR, 1)]))];
    is_good(&[&additions[..], &later[..]].concat());
    // Each item by itself is possible, their sum is not: both were acknowledged as the only one.
    let alone = [add(APPLE, 2, 9, apples(1)), add(PEAR, 2, 9, shown(&[(PEAR, 1)]))];
    assert_eq!(kinds(&alone), [Kind::OutOfOrder, Kind::Torn]);
}

#[test]
fn a_session_that_returns_after_a_logout_is_caught() {
    let out = log_out(2, 5, Answer::LoggedOut);
    assert_eq!(kinds(&[out.clone(), read(6, 7, apples(0))]), [Kind::Returned]);
    // Years later too, by any call, and with any of its tickets.
    let late = add(APPLE, 1 << 40, 1 << 41, apples(1));
    assert_eq!(kinds(&[out.clone(), late]), [Kind::Returned]);
    let other = with_ticket(1, read(6, 7, apples(0)));
    assert_eq!(kinds(&[log_in(1, 2, apples(0)), out.clone(), other]), [Kind::Returned]);
    // A call that had begun before the logout was answered may have been earlier.
    is_good(&[out, read(4, 9, apples(0))]);
}

#[test]
fn a_logout_without_an_answer_leaves_either() {
    let out = log_out(2, 5, UNKNOWN);
    is_good(&[out.clone(), read(6, 7, apples(0))]);
    is_good(&[out.clone(), read(6, 7, Answer::Absent)]);
    is_good(&[out.clone(), read(6, 7, apples(0)), read(8, 9, Answer::Absent)]);
    // A client that was told that it is over is not shown it afterwards.
    for over in [Answer::Absent, Answer::Gone] {
        let back = [out.clone(), add(APPLE, 6, 7, over), read(8, 9, apples(0))];
        assert_eq!(kinds(&back), [Kind::Reappeared]);
    }
}

#[test]
fn an_old_ticket_that_works_after_a_login_is_caught() {
    let login = log_in(2, 5, apples(0));
    assert_eq!(kinds(&[login.clone(), read(6, 7, apples(0))]), [Kind::Returned]);
    is_good(&[login.clone(), read(4, 7, apples(0)), with_ticket(1, read(6, 7, apples(0)))]);
    is_good(&[log_in(2, 5, UNKNOWN), read(6, 7, apples(0)), read(8, 9, Answer::Absent)]);
}

#[test]
fn a_session_that_nobody_has_ended_and_that_is_absent_is_caught() {
    for over in [Answer::Absent, Answer::Gone] {
        assert_eq!(kinds(&[add(APPLE, 2, 3, over.clone())]), [Kind::Vanished]);
        // An end that begins later is no excuse, and neither is one that was refused.
        let later = log_out(4, 5, Answer::LoggedOut);
        assert_eq!(kinds(&[add(APPLE, 2, 3, over.clone()), later]), [Kind::Vanished]);
        let refused = log_out(2, 3, Answer::NotSent);
        assert_eq!(kinds(&[refused, add(APPLE, 2, 3, over.clone())]), [Kind::Vanished]);
        for excuse in [Answer::LoggedOut, UNKNOWN] {
            is_good(&[log_out(2, 9, excuse), add(APPLE, 2, 3, over.clone())]);
        }
        is_good(&[log_in(2, 9, UNKNOWN), add(APPLE, 2, 3, over.clone())]);
    }
    // A login ends its own ticket only.
    let fresh = with_ticket(1, read(11, 12, Answer::Absent));
    assert_eq!(kinds(&[log_in(2, 9, apples(0)), fresh]), [Kind::Vanished]);
}

#[test]
fn what_belongs_to_another_session_is_caught() {
    let foreign = Item::parse("owner-8", 7).unwrap_err();
    assert_eq!(kinds(&[read(2, 3, Answer::Wrong(foreign))]), [Kind::Wrong]);
}

#[test]
fn sessions_are_told_apart() {
    let other = |call: Call| Call { session: 8, ..call };
    is_good(&[
        other(add(Item::Owner, 2, 3, shown(&[]))),
        other(add(APPLE, 4, 5, apples(1))),
        log_out(4, 5, Answer::LoggedOut),
        other(read(6, 7, apples(1))),
        read(6, 7, Answer::Absent),
    ]);
}

#[test]
fn a_violation_shows_its_calls() {
    let lost = [add(APPLE, 2, 3, apples(1)), read(4, 5, apples(0))];
    let text = check(&history(&lost))[0].to_string();
    assert!(text.starts_with("Lost\n    client 0 at node 0, session 7"), "{text}");
    assert!(text.contains("Read from 0.004000 to 0.005000 s"), "{text}");
}
