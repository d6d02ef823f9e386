//! A disk without space: writes are refused, reads go on, nothing is lost.

use std::fs;
use std::path::Path;
use std::time::Duration;

use cloakroom::ManualClock;
use cloakroom::store::{Created, Replaced, SessionStore, StoreErrorKind};
use cloakroom_testing::left_alone;

use crate::database::{START, created, entry, key, live, options, other};

#[test]
#[ignore = "needs the right to mount a file system (root, or user namespaces)"]
fn p08_a_full_disk_refuses_writes_and_loses_nothing() {
    crate::child::on_a_file_system_of_its_own("full", "size=4m,mode=700");
}

fn fill(filler: &Path, but_for: usize) {
    let mut bytes = vec![0; 8 << 20];
    while fs::write(filler, &bytes).is_err() {
        bytes.truncate(bytes.len() - 4_096);
    }
    bytes.truncate(bytes.len().saturating_sub(but_for));
    fs::write(filler, &bytes).unwrap();
}

pub(crate) async fn full(root: &Path) {
    let path = root.join("sessions.db");
    let options = || {
        let options = options().clock(ManualClock::at(START));
        options.command_timeout(Duration::from_secs(60))
    };
    let store = options().open(&path).await.unwrap();
    let version = created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    let filler = root.join("filler");
    fill(&filler, 0);
    let large = vec![7; 200_000];
    for number in 2..6 {
        let refused = store.create(&key(number), &entry(9, 60, &large)).await.unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::Unavailable, "{refused:?}");
        assert!(format!("{refused:?}").contains("free some space"), "{refused:?}");
    }
    let refused = store.replace(&key(1), &version, &entry(10, 60, &large)).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Unavailable, "{refused:?}");
    assert_eq!(live(&store, &key(1)).await.bytes, "a coat", "reads go on");
    let refused = store.delete(&key(1)).await.err().map(|error| error.kind());
    assert!(refused.is_none_or(|kind| kind == StoreErrorKind::Unavailable), "{refused:?}");
    one_large_session_takes_no_other_down(&store, &path, &filler).await;

    fs::remove_file(&filler).unwrap();
    for number in 2..6 {
        assert_eq!(store.load(&key(number)).await.unwrap(), None, "it was refused");
    }
    if let Some(found) = store.load(&key(1)).await.unwrap() {
        let replaced =
            store.replace(&key(1), &found.version, &entry(11, 60, b"new")).await.unwrap();
        assert!(matches!(replaced, Replaced::Done(_)));
    }
    let check: String =
        other(&path).query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

/// Of commands that wait together, one that does not fit fails alone.
async fn one_large_session_takes_no_other_down(
    store: &cloakroom::store::SqliteStore,
    path: &Path,
    filler: &Path,
) {
    fill(filler, 600_000);
    let lock = other(path);
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let entries: Vec<_> = (20..40)
        .map(|at| {
            let bytes = if at == 30 { vec![7; 900_000] } else { vec![7; 100] };
            (key(at), entry(at.into(), 60, &bytes))
        })
        .collect();
    let creates = left_alone(entries.iter().map(|(key, new)| store.create(key, new)));
    lock.execute_batch("ROLLBACK").unwrap();
    for (create, (key, _)) in creates.into_iter().zip(&entries) {
        let answer = create.await;
        match (key.as_bytes()[0], answer) {
            (30, Err(error)) => assert_eq!(error.kind(), StoreErrorKind::Unavailable),
            (_, answer) => assert!(matches!(answer, Ok(Created::Done(_))), "{answer:?}"),
        }
        let there = store.load(key).await.unwrap().is_some();
        assert_eq!(there, key.as_bytes()[0] != 30, "{key}");
    }
}
