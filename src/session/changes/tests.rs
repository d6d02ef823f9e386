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
    let log = [append(None, "1"), append(Some("1"), "2"), Change::Clear, set("k", "3", Some(None))];
    assert_eq!(applied(&log[..2], &[]), Some(record(&[("k", "2")])));
    assert_eq!(applied(&log[..2], &[("k", "y")]), Some(record(&[("k", "y++")])));
    assert_eq!(applied(&log, &[("k", "y"), ("z", "1")]), Some(record(&[("k", "3")])));
}

#[test]
fn the_latest_operation_on_a_key_is_what_the_handler_reads() {
    let log = [set("a", "1", None), set("b", "2", None), Change::Clear, set("a", "3", None)];
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
    assert_eq!(renewal(&[Change::Clear]), None);
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
            0 => Change::Clear,
            1 | 3 => Change::Remove { key: text(keys[n % 5]), read: None },
            4 => append(Some("x"), "y"),
            _ => set(keys[n * 7 % 5], ["1", "2", "3"][n % 3], None),
        })
        .collect();
    let mut whole = record(&[("k", "x"), ("z", "0")]);
    let mut parts = whole.clone();
    apply(&many, &mut whole, CheckReads::Yes).unwrap();
    many.chunks(FEW).for_each(|few| apply(few, &mut parts, CheckReads::Yes).unwrap());
    assert_eq!(whole, parts);
}
