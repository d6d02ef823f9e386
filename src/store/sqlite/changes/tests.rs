//! The statements of each command, counted by SQLite.

use rusqlite::Connection;

use super::*;
use crate::id::CommitId;
use crate::store::sqlite::prepare::TABLE;

const NOW: Timestamp = Timestamp::from_millis(1_000);
const LATER: Timestamp = Timestamp::from_millis(2_000);

fn table(connection: &Connection) -> Table<'_> {
    connection.execute_batch(TABLE).unwrap();
    Table::prepare(connection).unwrap()
}

fn entry(commit: u8) -> NewEntry {
    NewEntry::new(CommitId::from_bytes([commit; 8]), LATER, "a coat")
}

/// Returns the answer and the number of statements.
fn counted<C: Change>(table: &mut Table<'_>, change: &C) -> (C::Output, i32) {
    let before = table.statements_run();
    let answer = change.apply(table, NOW).unwrap().unwrap();
    (answer, table.statements_run() - before)
}

#[test]
fn a_command_is_one_statement_and_one_that_changes_nothing_is_two() {
    let connection = Connection::open_in_memory().unwrap();
    let mut table = table(&connection);
    let (key, other) = (StoreKey::from_bytes([1; 32]), StoreKey::from_bytes([2; 32]));
    let (first, second) = (Version::from(entry(1).commit), Version::from(entry(2).commit));
    let far = LATER.saturating_add(Duration::from_secs(1));

    let created = counted(&mut table, &Create(key, entry(1)));
    assert_eq!(created, (Created::Done(first), 1));
    assert_eq!(counted(&mut table, &Create(key, entry(2))), (Created::Exists, 2));
    let replaced = counted(&mut table, &Replace(key, first, entry(2)));
    assert_eq!(replaced, (Replaced::Done(second), 1));
    let (conflict, statements) = counted(&mut table, &Replace(key, first, entry(3)));
    assert!(matches!(conflict, Replaced::Conflict(there) if there.version == second));
    assert_eq!(statements, 2);
    assert_eq!(counted(&mut table, &Replace(other, first, entry(3))), (Replaced::Gone, 2));
    assert_eq!(counted(&mut table, &Touch(key, second, far)), (Touched::Done, 1));
    assert_eq!(counted(&mut table, &Touch(key, second, far)), (Touched::Skipped, 2));
    assert_eq!(counted(&mut table, &Touch(other, second, far)), (Touched::Gone, 2));
    assert_eq!(counted(&mut table, &Delete(key)), ((), 1));
    assert_eq!(counted(&mut table, &Delete(key)), ((), 2));
}

/// Otherwise every command would read the whole table.
#[test]
fn no_statement_scans_the_table() {
    let connection = Connection::open_in_memory().unwrap();
    let _table = table(&connection);
    for (sql, plan) in Table::plans(&connection).unwrap() {
        assert!(plan.contains("USING INDEX") || plan.contains("PRIMARY KEY"), "{sql}: {plan}");
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
    }
}
