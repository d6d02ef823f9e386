//! Rows that the store cannot have written, and rows of a newer format (P12).

use cloakroom::store::{CommitId, SessionStore, SqliteStore, StoreErrorKind, StoreKey, Version};
use cloakroom::{ManualClock, SessionLayer, Timestamp};
use cloakroom_testing::{Visitor, patient, respond};
use rusqlite::types::Value;

use crate::database::{Database, START, created, entry, key, number};

/// Returns the kinds of the errors of all five commands on one key.
async fn errors(store: &SqliteStore, key: &StoreKey) -> [Option<StoreErrorKind>; 5] {
    let version = Version::from(CommitId::from_bytes(1_u64.to_be_bytes()));
    let errors = [
        store.load(key).await.map(drop).err(),
        store.create(key, &entry(2, 60, b"new")).await.map(drop).err(),
        store.replace(key, &version, &entry(2, 60, b"new")).await.map(drop).err(),
        store.touch(key, &version, Timestamp::MAX).await.map(drop).err(),
        store.delete(key).await.err(),
    ];
    errors.map(|error| error.map(|error| error.kind()))
}

fn row(database: &Database) -> Option<Vec<Value>> {
    let connection = database.other();
    let mut all = connection.prepare("SELECT * FROM cloakroom").unwrap();
    let mut rows = all.query([]).unwrap();
    let row = rows.next().unwrap()?;
    Some((0..5).map(|column| row.get(column).unwrap()).collect())
}

#[tokio::test]
async fn p12_a_damaged_row_is_corrupt_for_every_command_and_only_a_delete_removes_it() {
    let (database, clock) = (Database::new(), ManualClock::at(START));
    let store = database.open(&clock).await;
    for damage in [
        "version = x''",
        "version = x'00000000000001'",
        "version = x'000000000000000001'",
        "version = '00000001'",
        "version = 1",
        "deadline = -1",
        "deadline = 'soon'",
        "deadline = 1.5",
        "deadline = deadline - 0.5",
        "deadline = x'00'",
        "deadline = 281474976710656",
        "bytes = 'text'",
        "bytes = 7",
        "format = 0",
        "format = -2",
        "format = 'one'",
        "format = x'02'",
        // Damaged and past its deadline.
        "version = x'00', deadline = 1",
        "bytes = '', deadline = 1",
    ] {
        created(&store, &key(1), &entry(1, 60, b"a coat")).await;
        database.other().execute_batch(&format!("UPDATE cloakroom SET {damage}")).unwrap();
        let before = row(&database);
        let corrupt = Some(StoreErrorKind::Corrupt);
        let found = errors(&store, &key(1)).await;
        assert_eq!(found, [corrupt, corrupt, corrupt, corrupt, None], "{damage} {before:?}");
        assert_eq!(row(&database), None, "{damage}");
    }
}

/// A version that happens to be the damaged one is no proof that the row is whole.
#[tokio::test]
async fn p12_a_damaged_row_is_not_replaced_by_somebody_who_expects_it() {
    let (database, clock) = (Database::new(), ManualClock::at(START));
    let store = database.open(&clock).await;
    created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    database.other().execute_batch("UPDATE cloakroom SET version = x'0102'").unwrap();
    let expected = Version::new(&[1, 2]).unwrap();
    let replaced = store.replace(&key(1), &expected, &entry(2, 60, b"new")).await.unwrap_err();
    let touched = store.touch(&key(1), &expected, Timestamp::MAX).await.unwrap_err();
    assert_eq!([replaced.kind(), touched.kind()], [StoreErrorKind::Corrupt; 2]);
}

#[tokio::test]
async fn p12_a_row_of_a_newer_format_stays_whatever_is_done_to_it() {
    let (database, clock) = (Database::new(), ManualClock::at(START));
    let store = database.open(&clock).await;
    created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    for newer in
        ["format = 2", "format = 9, version = x'', deadline = 'later'", "format = 3, deadline = 1"]
    {
        database.other().execute_batch(&format!("UPDATE cloakroom SET {newer}")).unwrap();
        let before = row(&database);
        assert_eq!(
            errors(&store, &key(1)).await,
            [Some(StoreErrorKind::NewerFormat); 5],
            "{newer}"
        );
        assert_eq!(store.sweep().await.unwrap(), 0, "what its deadline means is not known");
        assert_eq!(row(&database), before, "{newer}");
    }
    let shown = format!("{:?}", store.load(&key(1)).await.unwrap_err());
    assert!(shown.contains("newer format") && shown.contains("sessions.db"), "{shown}");
    assert!(!shown.contains(&"01".repeat(16)), "the key is not shown: {shown}");
}

#[tokio::test]
async fn p12_a_logout_leaves_a_session_of_a_newer_format() {
    let (database, clock) = (Database::new(), ManualClock::at(START));
    let store = database.open(&clock).await;
    let key = cloakroom::Key::from_bytes(&[7; 32]).unwrap();
    let guest = Visitor::new(patient(SessionLayer::new(store, key).clock(clock)));
    guest.visit(async |session| session.insert("k", &1)).await.is_ok();
    database.other().execute_batch("UPDATE cloakroom SET format = 2").unwrap();
    let answer = guest.ask(async |lazy| respond(lazy.destroy().await)).await;
    assert_eq!((answer.status.as_u16(), answer.set_cookies()), (503, vec![]));
    assert!(format!("{:?}", answer.error).contains("newer format"), "{answer:?}");
    assert_eq!(number(&database.other(), "SELECT count(*) FROM cloakroom WHERE format = 2"), 1);
}
