use std::sync::Mutex;

use super::*;

fn text(key: &str) -> Text {
    Text::new(key).unwrap()
}

fn bytes(value: &'static str) -> Bytes {
    Bytes::from_static(value.as_bytes())
}

fn record(fields: &[(&str, &'static str)]) -> Record {
    let mut record = Record::new(Timestamp::default(), Duration::ZERO, Duration::ZERO);
    for (key, value) in fields {
        record.fields.set(text(key), bytes(value));
    }
    record
}

const CLEAR: Change = Change::Clear { known: None };

fn set(key: &str, value: &'static str, read: Option<ReadValue>) -> Change {
    Change::Set { key: text(key), value: bytes(value), read }
}

fn append(input: Option<&'static str>, output: &'static str) -> Change {
    Change::Update {
        key: text("k"),
        input: input.map(bytes),
        output: bytes(output),
        rerun: Arc::new(|current| {
            let current = current.map_or(&b""[..], |current| current);
            Ok(Bytes::from([current, b"+"].concat()))
        }),
    }
}

fn take(taken: &Arc<Mutex<Vec<Option<Bytes>>>>) -> Change {
    let taken = Arc::clone(taken);
    Change::Take {
        key: text("k"),
        receive: Arc::new(move |current| {
            taken.lock().unwrap().push(current.cloned());
            Ok(())
        }),
    }
}

#[test]
fn a_take_hands_over_what_is_there_at_every_attempt() {
    let taken = Arc::default();
    let changes = [append(Some("x"), "x+"), take(&taken)];
    assert!(matches!(outcome_for("k", &changes), Outcome::Removed));
    assert_eq!(applied(&changes, &[("k", "x"), ("l", "y")]), Some(record(&[("l", "y")])));
    assert_eq!(applied(&changes, &[("k", "z")]), Some(record(&[])));
    assert_eq!(applied(&[take(&taken)], &[]), Some(record(&[])));
    let expected = [Some(bytes("x+")), Some(bytes("z+")), None];
    assert_eq!(*taken.lock().unwrap(), expected);
}

fn applied(changes: &[Change], fields: &[(&str, &'static str)]) -> Option<Record> {
    let mut record = record(fields);
    apply(changes, &mut record, CheckReads::Yes).ok().map(|()| record)
}

#[test]
fn a_set_of_an_unread_key_overwrites() {
    assert_eq!(applied(&[set("k", "new", None)], &[("k", "x")]), Some(record(&[("k", "new")])));
}

#[test]
fn a_set_of_a_read_key_wants_it_as_it_was_read() {
    let read_x = || set("k", "new", Some(Some(bytes("x"))));
    let read_absent = || set("k", "new", Some(None));
    assert!(applied(&[read_x()], &[("k", "x")]).is_some());
    assert!(applied(&[read_x()], &[("k", "y")]).is_none());
    assert!(applied(&[read_x()], &[]).is_none());
    assert!(applied(&[read_absent()], &[]).is_some());
    assert!(applied(&[read_absent()], &[("k", "x")]).is_none());
}

#[test]
fn a_remove_of_a_read_key_wants_it_as_it_was_read() {
    let remove = |read| Change::Remove { key: text("k"), read };
    assert_eq!(applied(&[remove(None)], &[("k", "x")]), Some(record(&[])));
    assert!(applied(&[remove(Some(Some(bytes("x"))))], &[("k", "y")]).is_none());
    assert!(applied(&[remove(Some(None))], &[("k", "y")]).is_none());
}

#[test]
fn the_conflict_names_the_key() {
    let error =
        apply(&[set("cart", "new", Some(None))], &mut record(&[("cart", "x")]), CheckReads::Yes);
    assert!(matches!(error, Err(SessionError::Conflict { key }) if &*key == "cart"));
}

#[test]
fn an_update_runs_again_only_on_something_else() {
    let update = || append(Some("x"), "from the handler");
    let same = applied(&[update()], &[("k", "x")]);
    assert_eq!(same, Some(record(&[("k", "from the handler")])));
    assert_eq!(applied(&[update()], &[("k", "y")]), Some(record(&[("k", "y+")])));
    assert_eq!(applied(&[update()], &[]), Some(record(&[("k", "+")])));
}

#[test]
fn each_operation_sees_what_the_ones_before_it_left() {
    let log = [append(None, "1"), append(Some("1"), "2"), CLEAR, set("k", "3", Some(None))];
    assert_eq!(applied(&log[..2], &[]), Some(record(&[("k", "2")])));
    assert_eq!(applied(&log[..2], &[("k", "y")]), Some(record(&[("k", "y++")])));
    assert_eq!(applied(&log, &[("k", "y"), ("z", "1")]), Some(record(&[("k", "3")])));
}

#[test]
fn the_latest_operation_on_a_key_is_what_the_handler_reads() {
    let log = [set("a", "1", None), set("b", "2", None), CLEAR, set("a", "3", None)];
    assert!(matches!(outcome_for("a", &log), Outcome::Value(value) if value == "3"));
    assert!(matches!(outcome_for("b", &log), Outcome::Removed));
    assert!(matches!(outcome_for("c", &log[..1]), Outcome::Untouched));
}

#[test]
fn the_last_remembering_decides_the_lifetime() {
    let remember = |hours: u64| Change::Renew {
        remember: Some((Duration::from_secs(60), Duration::from_secs(hours * 3600))),
    };
    let renew = || Change::Renew { remember: None };
    let hours = |hours: u64| Some(Renewal { lifetime: Some(Duration::from_secs(hours * 3600)) });
    let usual = Some(Renewal { lifetime: None });
    let at = Timestamp::default();
    let (principal, assurance) = (Some(text("ada")), Default::default());
    let login = Change::Principal { principal, at, assurance, known: None };
    assert_eq!(renewal(&[CLEAR]), None);
    assert_eq!(renewal(&[renew()]), usual);
    assert_eq!(renewal(std::slice::from_ref(&login)), usual);
    assert_eq!(renewal(&[remember(1), login]), hours(1));
    assert_eq!(renewal(&[remember(1), renew()]), hours(1));
    assert_eq!(renewal(&[remember(1), remember(2)]), hours(2));
}

#[test]
fn many_changes_come_to_the_same_as_few_at_a_time() {
    let keys = ["a", "b", "c", "d", "e"];
    let many: Vec<Change> = (0..200)
        .map(|n| match n * n % 11 {
            0 => CLEAR,
            1 | 3 => Change::Remove { key: text(keys[n % 5]), read: None },
            4 => append(Some("x"), "y"),
            _ => set(keys[n * 7 % 5], ["1", "2", "3"][n % 3], None),
        })
        .collect();
    for len in 0..many.len() {
        let mut whole = record(&[("k", "x"), ("z", "0")]);
        let mut parts = whole.clone();
        apply(&many[..len], &mut whole, CheckReads::Yes).unwrap();
        many[..len].chunks(FEW).for_each(|few| apply(few, &mut parts, CheckReads::Yes).unwrap());
        assert_eq!(whole, parts, "{len}");
    }
}

fn principal(name: Option<&str>) -> Change {
    let (at, assurance) = (Timestamp::from_millis(7), Assurance::default());
    Change::Principal { principal: name.map(text), at, assurance, known: None }
}

#[test]
fn the_next_user_gets_the_layers_timeouts_and_not_those_of_the_one_before() {
    const HOUR: Duration = Duration::from_secs(3600);
    for (before, remembered, after, expected) in [
        (None, false, Some("bob"), (false, Duration::MAX)),
        // "Remember me" was asked for in the request of the login.
        (None, true, Some("bob"), (true, HOUR)),
        (Some("ada"), false, Some("bob"), (false, HOUR)),
        (Some("ada"), true, Some("bob"), (false, Duration::MAX)),
        (Some("ada"), true, Some("ada"), (true, HOUR)),
        (Some("ada"), true, None, (false, Duration::MAX)),
    ] {
        let mut record = record(&[]);
        (record.principal, record.remembered, record.idle) = (before.map(text), remembered, HOUR);
        record.handle = Some(crate::id::SessionHandle::from_bytes([6; 8]));
        apply(&[principal(after)], &mut record, CheckReads::Yes).unwrap();
        assert_eq!((record.remembered, record.idle), expected, "{before:?} to {after:?}");
        assert_eq!(record.principal.as_ref().map(Text::as_str), after);
        assert_eq!(record.authenticated.is_some(), after.is_some());
        assert_eq!(record.handle.is_some(), before == after, "a handle is of one login");
    }
}

#[test]
fn remembering_counts_before_and_after_the_login() {
    let remember = || Change::Renew { remember: Some((Duration::from_secs(60), Duration::MAX)) };
    for log in [[remember(), principal(Some("bob"))], [principal(Some("bob")), remember()]] {
        for before in [None, Some("ada")] {
            let mut record = record(&[]);
            record.principal = before.map(text);
            apply(&log, &mut record, CheckReads::Yes).unwrap();
            assert_eq!((record.remembered, record.idle), (true, Duration::from_secs(60)));
        }
    }
}

#[test]
fn closed_values_cannot_be_changed_and_hinder_no_login() {
    let closed = || Record { closed: Bytes::from_static(&[0; 32]), ..record(&[]) };
    let values = [
        set("k", "v", None),
        Change::Remove { key: text("k"), read: None },
        append(None, "v"),
        take(&Arc::default()),
        CLEAR,
    ];
    for change in values {
        let refused = apply(&[principal(None), change], &mut closed(), CheckReads::Yes);
        assert!(matches!(refused, Err(SessionError::Sealed)));
    }
    let mut record = closed();
    let login = [principal(Some("bob")), Change::Renew { remember: None }];
    apply(&login, &mut record, CheckReads::Yes).unwrap();
    assert!(record.principal.is_some());
}

#[test]
fn of_a_login_that_begins_anew_only_the_login_is_applied() {
    let log = [set("k", "v", Some(None)), principal(Some("bob")), CLEAR];
    let mut record = record(&[("k", "x")]);
    apply_login(&log, &mut record).unwrap();
    assert_eq!(record.principal, Some(text("bob")));
    assert_eq!(record.fields.get("k"), Some(&bytes("x")));
    // Its handler has read another record, so reads are not checked here.
    apply(&log[..1], &mut record, CheckReads::No).unwrap();
    assert_eq!(record.fields.get("k"), Some(&bytes("v")));
}

#[test]
fn the_last_login_or_logout_decides_who_is_logged_in() {
    let (login, logout) = (|| principal(Some("bob")), || principal(None));
    assert!(logs_in(&[logout(), login(), CLEAR]));
    assert!(!logs_in(&[login(), logout()]));
    assert!(!logs_in(&[CLEAR]));
}

#[test]
fn the_roster_of_the_last_login_counts() {
    let login = |key: Option<u8>| Change::Principal {
        principal: Some(text("bob")),
        at: Timestamp::default(),
        assurance: Assurance::default(),
        known: key.map(|key| {
            Arc::new(KnownRoster {
                key: crate::id::StoreKey::from_bytes([key; 32]),
                version: None,
                roster: Default::default(),
                damage: None,
                asked: tokio::time::Instant::now(),
            })
        }),
    };
    let found = |log: &[Change]| known_roster(log).map(|known| known.key.as_bytes()[0]);
    assert_eq!(found(&[login(Some(1)), login(Some(2)), CLEAR]), Some(2));
    assert_eq!(found(&[login(Some(1)), login(None)]), None);
    assert_eq!(found(&[CLEAR]), None);
}

#[test]
fn debug_names_the_operation_and_shows_no_value() {
    let log = [set("k", "secret", None), append(None, "secret"), CLEAR];
    assert_eq!(format!("{log:?}"), "[Set, Update, Clear]");
}

#[test]
fn changes_that_are_taken_back_leave_what_was_known_before_them() {
    let mut reads = Reads::default();
    let known = |reads: &Reads, key| reads.last(&text(key)).cloned();
    reads.note(text("a"), Some(bytes("0")));
    reads.note(text("k"), None);
    let first = [
        set("a", "1", Some(Some(bytes("0")))),
        set("b", "1", None),
        append(None, "1"),
        set("a", "2", Some(Some(bytes("1")))),
        set("of an ended session", "1", Some(Some(bytes("0")))),
    ];
    for (key, value) in [("a", "2"), ("b", "1"), ("k", "1")] {
        reads.note(text(key), Some(bytes(value)));
    }
    let cleared =
        [Change::Clear { known: Some(Arc::new(reads.clone())) }, set("b", "3", Some(None)), CLEAR];
    reads.clear_values();
    reads.note(text("c"), None);
    take_back(&cleared, &mut reads);
    assert_eq!(["a", "b", "k"].map(|key| known(&reads, key).unwrap().unwrap()), ["2", "1", "1"]);
    assert_eq!(known(&reads, "c"), None);
    take_back(&first, &mut reads);
    assert_eq!(known(&reads, "a"), Some(Some(bytes("0"))));
    assert_eq!((known(&reads, "b"), known(&reads, "k")), (None, Some(None)));
    assert_eq!(known(&reads, "of an ended session"), None);
}
