//! Histories made by hand: each rule passes what may happen, and catches what may not.

use super::*;

const UNKNOWN: Answer = Answer::Unknown(Doubt::Unavailable);
const HUNG_UP: Answer = Answer::Unknown(Doubt::HungUp);

/// Alice has logged in as session 1 from 0 to 1, and as session 2 from 2 to 3; mallory as session 3. Each
/// session has its number as its handle. Further calls follow.
fn history(calls: &[Call]) -> Vec<Call> {
    let logins = [log_in(1, 0, 1), log_in(2, 2, 3), of(User::Mallory, log_in(3, 2, 3))];
    [&logins, calls].concat()
}

fn call(session: u32, operation: Operation, began: u64, ended: u64, answer: Answer) -> Call {
    let (began, ended) = (Moment::from_millis(began), Moment::from_millis(ended));
    let (client, node, user, ticket, held) = (0, 0, User::Alice, 0, Duration::ZERO);
    Call { client, node, user, session, ticket, operation, held, began, ended, answer }
}

fn of(user: User, call: Call) -> Call {
    Call { user, ..call }
}

fn log_in(session: u32, began: u64, ended: u64) -> Call {
    let answer = Answer::LoggedIn(Handle(session.into()));
    call(session, Operation::LogIn, began, ended, answer)
}

fn read(session: u32, began: u64, ended: u64) -> Call {
    call(session, Operation::Read, began, ended, Answer::LoggedIn(Handle(session.into())))
}

/// Logs in again with this ticket of a session.
fn renew(session: u32, ticket: u32, began: u64, ended: u64, answer: Answer) -> Call {
    with(ticket, call(session, Operation::Renew, began, ended, answer))
}

fn renewed(session: u32, ticket: u32, began: u64, ended: u64) -> Call {
    renew(session, ticket, began, ended, Answer::LoggedIn(Handle(session.into())))
}

fn with(ticket: u32, call: Call) -> Call {
    Call { ticket, ..call }
}

fn held(held: u64, login: Call) -> Call {
    Call { held: Duration::from_millis(held), ..login }
}

fn read_nobody(session: u32, began: u64, ended: u64) -> Call {
    call(session, Operation::Read, began, ended, Answer::NotLoggedIn)
}

fn list(session: u32, began: u64, ended: u64, handles: &[u64]) -> Call {
    let handles = handles.iter().copied().map(Handle).collect();
    call(session, Operation::List, began, ended, Answer::Listed(handles))
}

fn log_out(session: u32, began: u64, ended: u64, answer: Answer) -> Call {
    call(session, Operation::LogOut, began, ended, answer)
}

/// Session 2 ends another one.
fn end(handle: u64, began: u64, ended: u64, answer: Answer) -> Call {
    call(2, Operation::End(Handle(handle)), began, ended, answer)
}

/// Session 2 ends all others.
fn end_others(began: u64, ended: u64, answer: Answer) -> Call {
    call(2, Operation::EndOthers, began, ended, answer)
}

/// An administrator ends all sessions of alice.
fn end_all(began: u64, ended: u64, answer: Answer) -> Call {
    let end_all = Operation::EndAll(User::Alice);
    of(User::Root, call(9, end_all, began, ended, answer))
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
        list(1, 4, 5, &[1, 2]),
        of(User::Mallory, list(3, 4, 5, &[3])),
        end(1, 6, 7, Answer::Ended),
        read_nobody(1, 8, 9),
        list(2, 8, 9, &[2]),
        end(1, 10, 11, Answer::NoneOfThisHandle),
        log_in(4, 10, 11),
        list(4, 12, 13, &[2, 4]),
        end_others(14, 15, Answer::Ended),
        read_nobody(4, 16, 17),
        read(2, 16, 17),
        end_all(18, 19, Answer::Ended),
        call(2, Operation::List, 20, 21, Answer::NotLoggedIn),
        log_out(2, 22, 23, Answer::Ended),
        of(User::Mallory, read(3, 24, 25)),
    ]);
}

#[test]
fn a_session_that_shows_after_any_acknowledged_end_is_caught() {
    let ends = [
        log_out(1, 4, 6, Answer::Ended),
        end(1, 4, 6, Answer::Ended),
        end_others(4, 6, Answer::Ended),
        end_all(4, 6, Answer::Ended),
    ];
    for end in ends {
        for shows in [
            read(1, 7, 8),
            list(1, 7, 8, &[1, 2]),
            list(2, 7, 8, &[1, 2]),
            call(1, Operation::EndOthers, 7, 8, Answer::Ended),
            call(1, Operation::End(Handle(5)), 7, 8, Answer::NoneOfThisHandle),
            call(2, Operation::End(Handle(1)), 7, 8, Answer::Ended),
        ] {
            let found = kinds(&[end.clone(), shows]);
            assert!(found.contains(&Kind::Returned), "{end}: {found:?}");
        }
        // Calls that began before the end was answered may have come before it.
        is_good(&[end, read(1, 5, 9), list(1, 5, 9, &[1, 2])]);
    }
}

#[test]
fn an_end_of_all_covers_what_was_acknowledged_before_it_and_spares_the_caller() {
    is_good(&[end_others(4, 6, Answer::Ended), read(2, 7, 8), list(2, 7, 8, &[2])]);
    for end in [end_others(4, 6, Answer::Ended), end_all(4, 6, Answer::Ended)] {
        // A login that was under way may be refused, be over or live on.
        let refused = call(4, Operation::LogIn, 3, 5, Answer::Gone);
        is_good(&[end.clone(), refused]);
        is_good(&[end.clone(), log_in(4, 3, 5), read(4, 7, 8)]);
        is_good(&[end.clone(), log_in(4, 3, 5), read_nobody(4, 7, 8)]);
        is_good(&[end.clone(), log_in(4, 5, 8), read_nobody(4, 9, 10)]);
        // A later one works.
        is_good(&[end.clone(), log_in(4, 7, 8), read(4, 9, 10)]);
        assert_eq!(kinds(&[end, log_in(4, 7, 8), read_nobody(4, 9, 10)]), [Kind::Vanished]);
    }
    // Those of another user are not concerned.
    let nobody = of(User::Mallory, read_nobody(3, 7, 8));
    assert_eq!(kinds(&[end_all(4, 6, Answer::Ended), nobody]), [Kind::Vanished]);
    let own = [end_others(4, 6, Answer::Ended), read_nobody(2, 7, 8)];
    assert_eq!(kinds(&own), [Kind::Vanished]);
}

#[test]
fn an_end_without_an_answer_leaves_either() {
    let ends = [log_out(1, 4, 6, UNKNOWN), end(1, 4, 6, UNKNOWN), end_others(4, 6, HUNG_UP)];
    for end in ends {
        is_good(&[end.clone(), read(1, 7, 8), list(2, 7, 8, &[1, 2])]);
        is_good(&[end.clone(), read_nobody(1, 7, 8), list(2, 7, 8, &[2])]);
        is_good(&[end.clone(), read(1, 7, 8), read_nobody(1, 9, 10)]);
        // A session that was answered to be over is not shown afterwards.
        let back = [end.clone(), read_nobody(1, 7, 8), read(1, 9, 10)];
        assert_eq!(kinds(&back), [Kind::Reappeared]);
        let back = [end.clone(), list(2, 7, 8, &[2]), list(2, 9, 10, &[1, 2])];
        assert_eq!(kinds(&back), [Kind::Reappeared]);
        let back = [end, self::end(1, 7, 8, Answer::NoneOfThisHandle), read(1, 9, 10)];
        assert_eq!(kinds(&back), [Kind::Reappeared]);
    }
}

/// An end whose client has hung up goes on until its node answers again, and a while longer. One that was answered
/// 503 does not.
#[test]
fn an_end_without_an_answer_concerns_later_logins_for_a_while() {
    let after = |end: &Call, list: &Call, began| {
        let login = [log_in(4, began, began + 1), read_nobody(4, began + 2, began + 3)];
        kinds(&[&[end.clone(), list.clone()][..], &login].concat())
    };
    let listed = of(User::Mallory, list(3, 4_000, 5_000, &[3]));
    let hung_up = end_all(4, 6, HUNG_UP);
    assert_eq!(after(&hung_up, &listed, 20), []);
    assert_eq!(after(&hung_up, &listed, 20_000), []);
    assert_eq!(after(&hung_up, &listed, 20_001), [Kind::Vanished]);
    // A list of another node, or one that was under way, says nothing of that one.
    let elsewhere = Call { node: 1, ..listed.clone() };
    let under_way = Call { began: Moment::from_millis(5), ..listed.clone() };
    assert_eq!(after(&hung_up, &elsewhere, 20_001), []);
    assert_eq!(after(&hung_up, &under_way, 20_001), []);
    let unavailable = end_all(4, 6, UNKNOWN);
    assert_eq!(after(&unavailable, &listed, 5), []);
    assert_eq!(after(&unavailable, &listed, 20), [Kind::Vanished]);
}

/// The session is shown when nothing of the end can be on its way any more, so it has ended nothing.
#[test]
fn an_end_without_an_answer_is_no_excuse_once_the_session_is_shown_later() {
    let nobody = read_nobody(1, 20_000, 20_001);
    for end in [log_out(1, 4, 6, UNKNOWN), end(1, 4, 6, HUNG_UP), end_all(4, 6, UNKNOWN)] {
        let listed = list(2, 7, 8, &[1, 2]);
        let early = [end.clone(), listed.clone(), read(1, 15_000, 15_001), nobody.clone()];
        is_good(&early);
        let late = [end.clone(), listed, read(1, 15_009, 15_010), nobody.clone()];
        assert_eq!(kinds(&late), [Kind::Vanished], "{end}");
        // The node has not answered since.
        is_good(&[end, read(1, 15_009, 15_010), nobody.clone()]);
    }
}

/// A node that holds a login back has let `log_in` return, so an end that began since covers it.
#[test]
fn an_end_covers_a_login_that_is_held_back() {
    for end in [end_others(5, 6, Answer::Ended), end_all(5, 6, Answer::Ended)] {
        for (login, is_covered) in
            [(held(6, log_in(4, 3, 10)), true), (held(5, log_in(4, 3, 10)), false)]
        {
            is_good(&[end.clone(), login.clone(), read_nobody(4, 12, 13)]);
            let shown = kinds(&[end.clone(), login.clone(), read(4, 12, 13)]);
            assert_eq!(shown.contains(&Kind::Returned), is_covered, "{login}");
            let listed = kinds(&[end.clone(), login, list(4, 12, 13, &[4])]);
            assert_eq!(listed.contains(&Kind::Returned), is_covered, "{end}");
        }
        is_good(&[end, held(6, call(4, Operation::LogIn, 3, 10, Answer::Gone))]);
    }
}

#[test]
fn a_renewal_makes_the_former_ticket_worthless_and_keeps_the_session() {
    let renewed = renewed(1, 0, 4, 8);
    is_good(&[
        renewed.clone(),
        read(1, 7, 9),
        read_nobody(1, 7, 9),
        list(2, 5, 6, &[1, 2]),
        with(1, read(1, 10, 11)),
        call(1, Operation::EndOthers, 10, 11, Answer::Gone),
        with(1, list(1, 12, 13, &[1, 2])),
    ]);
    assert_eq!(kinds(&[renewed.clone(), read(1, 9, 10)]), [Kind::Returned]);
    let twice = [renewed.clone(), self::renewed(1, 1, 9, 10)];
    assert_eq!(kinds(&[&twice[..], &[read(1, 11, 12)]].concat()), [Kind::Returned]);
    is_good(&[&twice[..], &[with(2, read(1, 11, 12)), with(1, read_nobody(1, 11, 12))]].concat());
    // The session is there all the time.
    let nobody = with(1, read_nobody(1, 9, 10));
    assert_eq!(kinds(&[renewed.clone(), nobody]), [Kind::Vanished]);
    assert_eq!(kinds(&[renewed.clone(), list(2, 5, 6, &[2])]), [Kind::Unlisted]);
    let after_its_end = [read_nobody(1, 4, 5), self::renewed(1, 0, 6, 8)];
    assert_eq!(kinds(&after_its_end), [Kind::Reappeared, Kind::Vanished]);
    // An end by the handle ends it whatever ticket it has.
    let after = |call| kinds(&[renewed.clone(), end(1, 5, 9, Answer::Ended), with(1, call)]);
    assert_eq!(after(read_nobody(1, 10, 11)), []);
    assert_eq!(after(read(1, 10, 11)), [Kind::Returned]);
}

#[test]
fn a_renewal_without_an_answer_leaves_either() {
    let doubtful = renew(1, 0, 4, 6, UNKNOWN);
    is_good(&[doubtful.clone(), read(1, 7, 8), list(2, 7, 8, &[1, 2])]);
    is_good(&[doubtful.clone(), read_nobody(1, 7, 8), list(2, 7, 8, &[1, 2])]);
    let back = [doubtful.clone(), read_nobody(1, 7, 8), read(1, 9, 10)];
    assert_eq!(kinds(&back), [Kind::Reappeared]);
    // The session stays in all lists, and may stay there as one that nobody has a ticket for.
    assert_eq!(kinds(&[doubtful.clone(), list(2, 7, 8, &[2])]), [Kind::Unlisted]);
    let ended = end(1, 7, 8, Answer::Ended);
    is_good(&[doubtful.clone(), ended.clone(), list(2, 9, 10, &[1, 2])]);
    assert_eq!(kinds(&[doubtful.clone(), ended, read(1, 9, 10)]), [Kind::Returned]);
    // It did nothing if its ticket still works when it has settled.
    let later = |from| {
        let listed = list(2, 7, 8, &[1, 2]);
        let (shown, nobody) = (read(1, from, from + 1), read_nobody(1, 20_000, 20_001));
        kinds(&[doubtful.clone(), listed, shown, nobody])
    };
    assert_eq!(later(15_008), []);
    assert_eq!(later(15_009), [Kind::Vanished]);
    // One that was not sent leaves everything as it was.
    let not_sent = renew(1, 0, 4, 6, Answer::NotSent);
    assert_eq!(kinds(&[not_sent, read_nobody(1, 7, 8)]), [Kind::Vanished]);
}

#[test]
fn a_renewal_that_is_refused_without_an_end_is_caught() {
    let refused = renew(2, 0, 10, 11, Answer::Gone);
    assert_eq!(kinds(std::slice::from_ref(&refused)), [Kind::Refused]);
    for excuse in [end_all(4, 10, Answer::Ended), end_others(4, 10, UNKNOWN)] {
        is_good(&[excuse, refused.clone()]);
    }
    for no_excuse in
        [end_all(12, 13, Answer::Ended), end(2, 4, 12, UNKNOWN), renew(2, 0, 4, 6, Answer::NotSent)]
    {
        assert_eq!(kinds(&[no_excuse, refused.clone()]), [Kind::Refused]);
    }
}

#[test]
fn a_session_that_nobody_has_ended_and_that_is_over_is_caught() {
    for denial in [
        read_nobody(1, 4, 5),
        call(1, Operation::List, 4, 5, Answer::NotLoggedIn),
        call(1, Operation::EndOthers, 4, 5, Answer::Gone),
        end(1, 4, 5, Answer::NoneOfThisHandle),
    ] {
        assert_eq!(kinds(std::slice::from_ref(&denial)), [Kind::Vanished], "{denial}");
        // An end that begins later is no excuse, and neither is one that was not sent or found nothing.
        for no_excuse in [
            log_out(1, 6, 7, Answer::Ended),
            log_out(1, 2, 3, Answer::NotSent),
            end_others(2, 3, Answer::Gone),
            end_all(2, 3, Answer::NotLoggedIn),
            end(3, 2, 3, Answer::Ended),
        ] {
            let found = kinds(&[no_excuse.clone(), denial.clone()]);
            assert!(found.contains(&Kind::Vanished), "{no_excuse}: {found:?}");
        }
        for excuse in [end(1, 3, 9, Answer::Ended), end_others(3, 9, UNKNOWN)] {
            is_good(&[excuse, denial.clone()]);
        }
    }
}

#[test]
fn a_list_that_lacks_a_live_session_is_caught() {
    assert_eq!(kinds(&[list(2, 4, 5, &[2])]), [Kind::Unlisted]);
    // Its own session too.
    assert_eq!(kinds(&[list(2, 4, 5, &[1])]), [Kind::Unlisted]);
    // A session that somebody ends while it is listed, or whose login was not answered yet, may be missing.
    is_good(&[list(2, 4, 9, &[2]), end(1, 5, 12, UNKNOWN)]);
    is_good(&[log_in(4, 4, 9), list(2, 8, 12, &[1, 2])]);
    is_good(&[log_in(4, 4, 9), list(2, 8, 12, &[1, 2, 4])]);
    let later = [log_in(4, 4, 9), list(2, 10, 12, &[1, 2])];
    assert_eq!(kinds(&later), [Kind::Unlisted]);
    // Mallory's is in no list of alice.
    is_good(&[of(User::Mallory, list(3, 4, 5, &[3])), list(1, 4, 5, &[1, 2])]);
}

#[test]
fn a_session_of_another_user_or_of_nobody_in_a_list_is_caught() {
    assert_eq!(kinds(&[list(2, 4, 5, &[1, 2, 3])]), [Kind::Wrong, Kind::Invented]);
    assert_eq!(kinds(&[list(2, 4, 5, &[1, 2, 77])]), [Kind::Invented]);
    // A handle that no acknowledged login explains, and two users see it.
    let in_doubt = |user, session| of(user, call(session, Operation::LogIn, 3, 4, UNKNOWN));
    let logins = [in_doubt(User::Alice, 4), in_doubt(User::Mallory, 5)];
    let lists = [list(2, 5, 6, &[1, 2, 8]), of(User::Mallory, list(3, 5, 6, &[3, 8]))];
    assert_eq!(kinds(&[&logins[..], &lists[..1]].concat()), []);
    assert_eq!(kinds(&[&logins[..], &lists[..]].concat()), [Kind::Wrong]);
    // Two logins have one handle.
    let doubled = call(4, Operation::LogIn, 4, 5, Answer::LoggedIn(Handle(1)));
    assert_eq!(kinds(&[doubled]), [Kind::Wrong]);
    let foreign = Answer::Wrong("another user".into());
    assert_eq!(kinds(&[call(1, Operation::Read, 4, 5, foreign)]), [Kind::Wrong]);
}

#[test]
fn a_login_without_an_answer_explains_one_session() {
    let doubtful = call(4, Operation::LogIn, 4, 9, UNKNOWN);
    is_good(&[doubtful.clone(), list(2, 5, 6, &[1, 2, 77]), list(2, 7, 8, &[1, 2, 77])]);
    is_good(&[doubtful.clone(), list(2, 5, 6, &[1, 2])]);
    // Not two, at once or one after the other, and none before it began or if it was refused for certain.
    assert_eq!(kinds(&[doubtful.clone(), list(2, 5, 6, &[1, 2, 77, 78])]), [Kind::Invented]);
    let two = [list(2, 5, 6, &[1, 2, 77]), list(2, 7, 8, &[1, 2, 78])];
    let one = std::slice::from_ref(&doubtful);
    assert_eq!(kinds(&[one, &two[..]].concat()), [Kind::Invented]);
    let later = call(4, Operation::LogIn, 7, 9, UNKNOWN);
    assert_eq!(kinds(&[later, list(2, 5, 6, &[1, 2, 77])]), [Kind::Invented]);
    let not_sent = call(4, Operation::LogIn, 4, 9, Answer::NotSent);
    assert_eq!(kinds(&[not_sent, list(2, 5, 6, &[1, 2, 77])]), [Kind::Invented]);
    let others = of(User::Mallory, doubtful.clone());
    assert_eq!(kinds(&[others, list(2, 5, 6, &[1, 2, 77])]), [Kind::Invented]);
    // A list without the session that began after the login has settled shows that it is not that one.
    let settled = list(2, 10, 11, &[1, 2]);
    let shown = |from| {
        [
            doubtful.clone(),
            settled.clone(),
            list(2, from, from + 1, &[1, 2]),
            list(2, 30_000, 30_001, &[1, 2, 77]),
        ]
    };
    is_good(&shown(15_011));
    assert_eq!(kinds(&shown(15_012)), [Kind::Invented]);
}

/// The login that settles first explains the first session, so that the other one is left for the second.
#[test]
fn logins_without_an_answer_explain_as_many_sessions_as_they_can() {
    let logins =
        [call(4, Operation::LogIn, 4, 9, UNKNOWN), call(5, Operation::LogIn, 4, 20_000, UNKNOWN)];
    let lists = [
        list(2, 10, 11, &[1, 2]),
        list(2, 12, 13, &[1, 2, 77]),
        list(2, 21_000, 21_001, &[1, 2, 77]),
        list(2, 22_000, 22_001, &[1, 2, 77, 78]),
    ];
    is_good(&[&logins[..], &lists].concat());
    assert_eq!(kinds(&[&logins[..1], &lists].concat()), [Kind::Invented]);
}

/// Nobody has its ticket, so nothing but its handle ends it, or an end of all.
#[test]
fn a_session_that_only_lists_show_stays_ended() {
    let shown = [call(4, Operation::LogIn, 4, 9, UNKNOWN), list(2, 5, 6, &[1, 2, 77])];
    for end in [end(77, 10, 11, Answer::Ended), end_others(10, 11, Answer::Ended)] {
        let after =
            |handles| kinds(&[&shown[..], &[end.clone(), list(2, 12, 13, handles)]].concat());
        assert!(!after(&[2]).contains(&Kind::Returned));
        assert!(after(&[2, 77]).contains(&Kind::Returned));
    }
    // It may be undone by the server that could not answer.
    is_good(&[&shown[..], &[list(2, 12, 13, &[1, 2])]].concat());
}

#[test]
fn a_login_that_is_refused_without_an_end_is_caught() {
    let refused = call(4, Operation::LogIn, 30_000, 30_001, Answer::Gone);
    assert_eq!(kinds(std::slice::from_ref(&refused)), [Kind::Refused]);
    let settled = of(User::Mallory, list(3, 6, 7, &[3]));
    for (end, is_excuse) in [
        (end_all(30_000, 30_002, Answer::Ended), true),
        (end_all(29_000, 29_001, UNKNOWN), true),
        (end_all(29_000, 29_001, HUNG_UP), true),
        (end_all(29_000, 29_001, Answer::Ended), false),
        (end_all(30_002, 30_003, Answer::Ended), false),
        (end_all(4, 5, UNKNOWN), false),
        (end_all(30_000, 30_002, Answer::NotSent), false),
        (end(1, 30_000, 30_002, Answer::Ended), false),
    ] {
        let found = kinds(&[end.clone(), settled.clone(), refused.clone()]);
        assert_eq!(found.is_empty(), is_excuse, "{end}: {found:?}");
    }
}

#[test]
fn a_violation_shows_its_calls() {
    let text = check(&history(&[read_nobody(1, 4, 5)]))[0].to_string();
    assert!(
        text.starts_with(
            "Vanished\n    client 0 at node 0, alice, session 1, ticket 0: LogIn from"
        ),
        "{text}"
    );
    assert!(text.contains("Read from 0.004000 to 0.005000 s"), "{text}");
}
