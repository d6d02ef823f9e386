use proptest::prelude::*;

use super::*;
use crate::record::AuthLevel;

fn text(text: &str) -> Text {
    Text::new(text).unwrap()
}

/// A record that uses every part of the format.
fn full() -> Record {
    let mut record = Record::new(
        Timestamp::from_millis(1_700_000_000_000),
        Duration::from_secs(1800),
        Duration::from_secs(43_200),
    );
    record.authenticated = Some(Timestamp::from_millis(1_700_000_001_000));
    record.principal = Some(text("alice"));
    record.remembered = true;
    (1..=9).for_each(|n| record.commits.push(CommitId::from_bytes([n; 8])));
    record.fields.set(text("cart"), Bytes::from_static(&[0x81, 0xA1, b'a', 2]));
    record.fields.set(text(""), Bytes::from_static(&[0xC0]));
    record.fields.set(text("größe"), Bytes::new());
    record
}

/// The same record, with a handle.
fn listed() -> Record {
    Record { handle: Some(SessionHandle::from_bytes([6; 8])), ..full() }
}

/// The same record, whose login has a level and was proved before the time from which it counts.
fn assured() -> Record {
    let counts_from = Timestamp::from_millis(1_700_000_001_000);
    let proved = Timestamp::from_millis(1_700_000_000_500);
    Record { assurance: Assurance::new(AuthLevel::new(2), proved, counts_from), ..listed() }
}

/// The same record, whose ticket was renewed three times, and the last one used.
fn turned(record: Record) -> Record {
    let at = |seconds: u64| Timestamp::from_millis(1_700_000_002_000 + 1_000 * seconds);
    let used = |turn: Turn, number, seconds| {
        turn.after_use_of(number, at(0), Duration::from_secs(60), at(seconds))
    };
    // The store had lost the first two.
    let turn = used(used(used(Turn::default(), 2, 60), 2, 180), 3, 181);
    Record { turn, ..record }
}

/// Reads any bytes as the library does: `None` for a mark.
fn decode(bytes: &Bytes) -> Result<Option<Box<Record>>, RecordError> {
    match Mark::decode(bytes)? {
        Some(_) => Ok(None),
        None => Record::decode(bytes).map(Some),
    }
}

fn live(bytes: &Bytes) -> Box<Record> {
    assert_eq!(Mark::find(bytes), Ok(None));
    Record::decode(bytes).unwrap()
}

fn golden(name: &str) -> Bytes {
    let path = format!("{}/src/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap().into()
}

/// Every version ever released stays readable, and the current one is written unchanged.
#[test]
fn golden_files_read_and_write_the_same() {
    assert_eq!(*live(&golden("record-v1.bin")), full());
    assert_eq!(full().encode(), golden("record-v1.bin"));
    assert_eq!(*live(&golden("record-v2.bin")), listed());
    assert_eq!(listed().encode(), golden("record-v2.bin"));
    assert_eq!(*live(&golden("record-v3.bin")), assured());
    assert_eq!(assured().encode(), golden("record-v3.bin"));
    assert_eq!(*live(&golden("record-v3-turned.bin")), turned(assured()));
    assert_eq!(turned(assured()).encode(), golden("record-v3-turned.bin"));
    for (name, mark) in marks() {
        assert_eq!(mark.encode(), golden(name));
        assert_eq!(Mark::find(&golden(name)), Ok(Some(mark)));
    }
}

fn marks() -> [(&'static str, Mark); 2] {
    let commit = CommitId::from_bytes([7; 8]);
    [
        (
            "moved-v1.bin",
            Mark::Moved {
                commit,
                to: StoreKey::from_bytes([8; 32]),
                at: Timestamp::from_millis(1_700_000_000_123),
            },
        ),
        ("ended-v1.bin", Mark::Ended { commit }),
    ]
}

#[test]
fn only_the_last_eight_commits_are_kept() {
    let listed: Vec<u8> = full().commits.as_slice().iter().map(|id| id.as_bytes()[0]).collect();
    assert_eq!(listed, [2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(full().commits.last(), Some(CommitId::from_bytes([9; 8])));
}

#[test]
fn a_session_ends_after_its_idle_timeout_or_its_lifetime() {
    let start = Timestamp::from_millis(1_700_000_000_000);
    let record = Record::new(start, Duration::from_secs(1800), Duration::from_secs(43_200));
    let after = |seconds| start.saturating_add(Duration::from_secs(seconds));
    assert_eq!(record.deadline(after(10)), after(1810));
    assert_eq!(record.deadline(after(43_000)), after(43_200));
}

#[test]
fn a_moved_mark_lives_as_its_session_from_a_minute_to_an_hour() {
    for (idle, lifetime) in [(0, 60), (59, 60), (1800, 1800), (3600, 3600), (86_400, 3600)] {
        let marked = Record::moved_mark_lifetime(Duration::from_secs(idle));
        assert_eq!(marked, Duration::from_secs(lifetime));
    }
}

#[test]
fn a_session_is_empty_without_a_value_and_a_principal() {
    let empty = Record { principal: None, fields: Fields::default(), ..full() };
    assert!(empty.is_empty());
    assert!(!Record { principal: full().principal, ..empty.clone() }.is_empty());
    assert!(!Record { fields: full().fields, ..empty.clone() }.is_empty());
    assert!(!Record { closed: Bytes::from_static(&[0; 32]), ..empty }.is_empty());
}

#[test]
fn values_and_login_are_kept_whatever_the_times_and_commits() {
    let record = assured();
    let later = Timestamp::from_millis(1_800_000_000_000);
    let same = [
        Record { created: later, expires: later, idle: Duration::MAX, ..record.clone() },
        Record { remembered: false, commits: Commits::default(), ..record.clone() },
        turned(record.clone()),
    ];
    assert!(same.iter().all(|other| record.keeps_same(other)));
    let different = [
        Record { fields: Fields::default(), ..record.clone() },
        Record { closed: Bytes::from_static(&[0; 32]), ..record.clone() },
        Record { principal: Some(text("bob")), ..record.clone() },
        Record { authenticated: Some(later), ..record.clone() },
        Record { assurance: Assurance::default(), ..record.clone() },
        Record { handle: None, ..record.clone() },
    ];
    for other in &different {
        assert!(!record.keeps_same(other) && !other.keeps_same(&record), "{other:?}");
    }
}

#[test]
fn values_are_slices_of_the_buffer_that_was_read() {
    let bytes = full().encode();
    let record = live(&bytes);
    let value = record.fields.get("cart").unwrap();
    assert!(bytes.as_ptr_range().contains(&value.as_ptr()));
}

#[test]
fn a_newer_format_is_told_from_damage() {
    let mut bytes = full().encode().to_vec();
    bytes[1] = 5;
    let newer = Bytes::from(bytes);
    assert_eq!(decode(&newer).unwrap_err(), RecordError::Newer(5));
    assert_eq!(Mark::find(&newer), Err(RecordError::Newer(5)));
    let zero = Bytes::from_static(&[MAGIC, 0, LIVE]);
    assert!(matches!(decode(&zero), Err(RecordError::Corrupt(_))));
}

/// So that every record has one encoding, and a release without rosters or levels reads what it wrote.
#[test]
fn each_format_is_of_the_records_that_need_it_and_of_no_others() {
    let thirds = [assured(), turned(full()), turned(listed()), turned(assured())];
    let thirds = thirds.map(|record| (record, 3));
    for (record, own) in [(full(), 1), (listed(), 2)].into_iter().chain(thirds) {
        for format in (1..=3).filter(|format| *format != own) {
            let mut bytes = record.encode().to_vec();
            assert_eq!(bytes[1], own);
            bytes[1] = format;
            let bytes = Bytes::from(bytes);
            assert_eq!(decode(&bytes), Err(RecordError::Corrupt("malformed record")));
        }
    }
    for format in [2, 3] {
        let mut mark = marks()[1].1.encode().to_vec();
        mark[1] = format;
        assert!(matches!(decode(&mark.into()), Err(RecordError::Corrupt(_))));
    }
}

/// A level of zero that was proved when the login counts from is what every record without them says.
#[test]
fn an_assurance_that_says_nothing_is_corrupt() {
    let record = assured();
    let mut bytes = record.encode().to_vec();
    let counts_from = record.authenticated.unwrap().to_six_bytes();
    // Behind the head, three times, the time of the login, the principal and the handle.
    let at = 4 + 18 + 6 + (2 + 5) + 8;
    bytes[at] = 0;
    assert!(decode(&Bytes::from(bytes.clone())).is_ok(), "proved at another time");
    bytes[at + 1..at + 7].copy_from_slice(&counts_from);
    assert_eq!(decode(&bytes.into()), Err(RecordError::Corrupt("malformed record")));
}

#[test]
fn every_truncation_is_corrupt() {
    let [moved, ended] = marks().map(|(_, mark)| mark.encode());
    let records = [full(), listed(), assured(), turned(assured())].map(|record| record.encode());
    for bytes in records.into_iter().chain([moved, ended]) {
        for len in 0..bytes.len() {
            assert!(
                matches!(decode(&bytes.slice(..len)), Err(RecordError::Corrupt(_))),
                "{len} of {} bytes",
                bytes.len()
            );
        }
        let longer = Bytes::from([&bytes[..], &[0]].concat());
        assert!(matches!(decode(&longer), Err(RecordError::Corrupt(_))));
    }
}

#[test]
fn a_logout_follows_a_mark_that_has_bytes_after_its_end() {
    for (_, mark) in marks() {
        let longer = Bytes::from([&mark.encode()[..], &[0]].concat());
        assert_eq!(Mark::find(&longer), Ok(Some(mark)));
    }
}

#[test]
fn a_count_larger_than_the_bytes_reserves_nothing() {
    let mut record = full();
    record.fields.clear();
    let mut bytes = record.encode().to_vec();
    let count = bytes.len() - 4;
    bytes[count..].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(matches!(decode(&bytes.into()), Err(RecordError::Corrupt(_))));
}

#[test]
fn keys_out_of_order_or_twice_are_corrupt() {
    let mut record = full();
    record.fields.clear();
    record.fields.set(text("a"), Bytes::from_static(&[1]));
    record.fields.set(text("b"), Bytes::from_static(&[1]));
    let good = record.encode().to_vec();
    for swapped in [[b'b', b'a'], [b'a', b'a']] {
        let mut bad = good.clone();
        let first = good.len() - 1 - 8 - 1;
        (bad[first], bad[good.len() - 2]) = (swapped[0], swapped[1]);
        assert!(matches!(decode(&bad.into()), Err(RecordError::Corrupt(_))));
    }
}

#[test]
fn text_holds_at_most_what_its_length_can_say() {
    assert!(Text::new(&"k".repeat(65_535)).is_some());
    assert!(Text::new(&"k".repeat(65_536)).is_none());
}

proptest! {
    #[test]
    fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes.into());
    }

    #[test]
    fn any_bytes_behind_a_good_head_get_an_answer(
        format in 1u8..4,
        kind in 0u8..4,
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let bytes: Bytes = [&[MAGIC, format, kind], &bytes[..]].concat().into();
        if let Ok(record) = Record::decode(&bytes) {
            // Bytes that are accepted have one encoding only.
            prop_assert_eq!(record.encode(), bytes);
        }
    }

    #[test]
    fn records_survive_the_trip(
        millis in prop::collection::vec(0u64..(1 << 48), 4),
        principal in prop::option::of(".{0,20}"),
        remembered: bool,
        level: u8,
        turn: u16,
        fields in prop::collection::btree_map(".{0,12}", prop::collection::vec(any::<u8>(), 0..40), 0..8),
        commits in 0u8..12,
    ) {
        let mut record = Record::new(Timestamp::from_millis(millis[0]), Duration::from_millis(millis[1]), Duration::ZERO);
        record.expires = Timestamp::from_millis(millis[2]);
        record.authenticated = (millis[3] % 2 == 0).then_some(Timestamp::from_millis(millis[3]));
        if let Some(counts_from) = record.authenticated {
            let proved = Timestamp::from_millis(millis[2]);
            record.assurance = Assurance::new(AuthLevel::new(level), proved, counts_from);
        }
        record.turn = record.turn.after_use_of(turn, record.created, Duration::MAX, Timestamp::MAX);
        record.principal = principal.map(|principal| text(&principal));
        record.remembered = remembered;
        (0..commits).for_each(|n| record.commits.push(CommitId::from_bytes([n; 8])));
        for (key, value) in fields {
            record.fields.set(text(&key), value.into());
        }
        let bytes = record.encode();
        prop_assert_eq!(bytes.len(), record.encoded_len());
        prop_assert_eq!(*live(&bytes), record);
    }
}
