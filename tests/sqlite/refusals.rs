//! Files and folders that the store refuses, and files that go away under it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use cloakroom::store::{SessionStore, SqliteStore, StoreError, StoreErrorKind};
use cloakroom::{ManualClock, connect};
use cloakroom_testing::processes::wait_until;

use crate::database::{Database, START, created, entry, key, live, options, other};

async fn refused(path: &Path) -> StoreError {
    SqliteStore::open(path).await.unwrap_err()
}

/// Checks the kind, and that the text names the database and contains `says`.
#[track_caller]
fn is(error: &StoreError, kind: StoreErrorKind, says: &str) {
    let text = format!("{error:?}");
    let named = text.contains("the SQLite database /");
    assert!(error.kind() == kind && named && text.contains(says), "{:?}: {text}", error.kind());
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_missing_folder_is_refused_and_not_made() {
    let database = Database::new();
    let missing = database.beside("data");
    let error = refused(&missing.join("sessions.db")).await;
    is(&error, StoreErrorKind::Misconfigured, "Is the disk mounted?");
    assert!(!missing.exists());
}

#[tokio::test]
async fn what_is_not_a_database_is_refused_and_left_alone() {
    let database = Database::new();
    let misconfigured = StoreErrorKind::Misconfigured;
    fs::create_dir(database.path()).unwrap();
    is(&refused(&database.path()).await, misconfigured, "it is not a file");
    let thesis = database.beside("thesis.tex");
    fs::write(&thesis, "\\documentclass{article}".repeat(100)).unwrap();
    is(&refused(&thesis).await, misconfigured, "not a SQLite database");
    assert!(fs::read_to_string(&thesis).unwrap().starts_with("\\document"));
    symlink(database.beside("nowhere"), database.beside("link.db")).unwrap();
    is(&refused(&database.beside("link.db")).await, misconfigured, "leads nowhere");
    assert!(!database.beside("nowhere").exists());
    is(&refused(&thesis.join("sessions.db")).await, misconfigured, "look at it");
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_alone() {
    for foreign in [
        "CREATE TABLE users (name)",
        "PRAGMA application_id = 252006673",
        "PRAGMA user_version = 7",
    ] {
        let database = Database::new();
        database.other().execute_batch(foreign).unwrap();
        is(&refused(&database.path()).await, StoreErrorKind::Misconfigured, "another program");
        let tables = "SELECT count(*) FROM sqlite_master WHERE name = 'cloakroom'";
        assert_eq!(crate::database::number(&database.other(), tables), 0);
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let (database, clock) = (Database::new(), ManualClock::at(START));
    let store = database.open(&clock).await;
    created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    drop(store);
    database.other().execute_batch("PRAGMA user_version = 2").unwrap();
    is(&refused(&database.path()).await, StoreErrorKind::Misconfigured, "a newer release");
}

#[tokio::test]
async fn an_empty_file_and_a_link_to_a_database_are_accepted() {
    let (database, clock) = (Database::new(), ManualClock::at(START));
    fs::write(database.path(), "").unwrap();
    let store = database.open(&clock).await;
    created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    symlink(database.path(), database.beside("link.db")).unwrap();
    let by_link = options().clock(clock).open(database.beside("link.db")).await.unwrap();
    assert_eq!(live(&by_link, &key(1)).await.bytes, "a coat");
}

/// Whoever can write to the file can make a session of any user.
#[tokio::test]
async fn a_file_or_folder_that_all_may_write_to_is_refused() {
    let database = Database::new();
    allow(database.folder(), 0o777);
    let error = refused(&database.path()).await;
    is(&error, StoreErrorKind::Misconfigured, "all users may write to its folder");
    allow(database.folder(), 0o775);
    drop(SqliteStore::open(database.path()).await.unwrap());
    allow(&database.path(), 0o666);
    let error = refused(&database.path()).await;
    is(&error, StoreErrorKind::Misconfigured, "all users may write to it");
}

#[tokio::test]
async fn a_damaged_database_is_refused() {
    let (database, clock) = (Database::new(), ManualClock::at(START));
    drop(database.open(&clock).await);
    wait_until("it is closed", || !database.beside("sessions.db-wal").exists());
    let mut bytes = fs::read(database.path()).unwrap();
    bytes[100..4_000].fill(0xff);
    fs::write(database.path(), bytes).unwrap();
    is(&refused(&database.path()).await, StoreErrorKind::Corrupt, "from a backup");
}

#[test]
#[ignore = "needs a user other than root, or setpriv"]
fn a_missing_permission_is_refused_at_open() {
    crate::child::unprivileged("permissions");
}

pub(crate) async fn permissions(root: &Path) {
    let path = root.join("sessions.db");
    allow(root, 0o500);
    is(&refused(&path).await, StoreErrorKind::Denied, "cannot create it");
    allow(root, 0o700);
    let store = SqliteStore::open(&path).await.unwrap();
    drop(store);
    wait_until("it is closed", || !root.join("sessions.db-wal").exists());
    // SQLite needs a log beside the file.
    allow(root, 0o500);
    is(&refused(&path).await, StoreErrorKind::Misconfigured, "to read and write the file");
    allow(root, 0o700);
    allow(&path, 0o000);
    is(&refused(&path).await, StoreErrorKind::Misconfigured, "to read and write the file");
    allow(&path, 0o400);
    is(&refused(&path).await, StoreErrorKind::Misconfigured, "to read and write the file");
}

#[test]
#[ignore = "needs the right to mount a file system (root, or user namespaces)"]
fn a_read_only_mount_is_refused_at_open_and_applies_nothing_later() {
    crate::child::on_a_file_system_of_its_own("read_only", "size=4m,mode=700");
}

pub(crate) async fn read_only(root: &Path) {
    let path = root.join("sessions.db");
    let store = options().clock(ManualClock::at(START)).open(&path).await.unwrap();
    created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    drop(store);
    wait_until("it is closed", || !root.join("sessions.db-wal").exists());
    remount(root, "ro");
    is(&refused(&path).await, StoreErrorKind::Misconfigured, "mounted read-write");
    let missing = root.join("other.db");
    is(&refused(&missing).await, StoreErrorKind::Misconfigured, "cannot create it");
    remount(root, "rw");
    let store = options().clock(ManualClock::at(START)).open(&path).await.unwrap();
    assert_eq!(live(&store, &key(1)).await.bytes, "a coat");
}

fn remount(root: &Path, how: &str) {
    let mut mount = std::process::Command::new("mount");
    let status = mount.args(["-o", &format!("remount,{how}")]).arg(root).status().unwrap();
    assert!(status.success(), "remount {how}");
}

/// Otherwise writes would be acknowledged that are on no disk, as far as anybody can find them.
#[tokio::test]
async fn p08_when_the_file_is_removed_nothing_is_acknowledged() {
    let (database, clock) = (Database::new(), ManualClock::at(START));
    let store = database.open(&clock).await;
    let version = created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    live(&store, &key(1)).await;
    fs::rename(database.path(), database.beside("away.db")).unwrap();
    let errors = [
        store.load(&key(1)).await.map(drop).unwrap_err(),
        store.create(&key(2), &entry(2, 60, b"")).await.map(drop).unwrap_err(),
        store.replace(&key(1), &version, &entry(3, 60, b"")).await.map(drop).unwrap_err(),
        store.delete(&key(1)).await.unwrap_err(),
    ];
    for error in errors {
        is(&error, StoreErrorKind::Unavailable, "its file is gone");
    }
    assert!(!database.path().exists(), "it is not made anew");
    fs::rename(database.beside("away.db"), database.path()).unwrap();
    assert_eq!(live(&store, &key(1)).await.version, version);
    created(&store, &key(2), &entry(2, 60, b"")).await;
}

/// For example by a backup that was put back. What counts is the file that other processes would open.
#[tokio::test]
async fn p08_a_file_that_was_replaced_is_opened_anew() {
    let (database, clock) = (Database::new(), ManualClock::at(START));
    let store = database.open(&clock).await;
    created(&store, &key(1), &entry(1, 60, b"old")).await;
    let backup = database.beside("backup.db");
    database.other().execute_batch(&format!("VACUUM INTO '{}'", backup.display())).unwrap();
    let changed = other(&backup);
    changed.execute_batch("UPDATE cloakroom SET bytes = x'6e6577'").unwrap();
    drop(changed);
    for name in ["sessions.db", "sessions.db-wal", "sessions.db-shm"] {
        fs::remove_file(database.beside(name)).unwrap();
    }
    fs::rename(&backup, database.path()).unwrap();
    assert_eq!(live(&store, &key(1)).await.bytes, "new");
    created(&store, &key(2), &entry(2, 60, b"after")).await;
    let rows = "SELECT count(*) FROM cloakroom";
    assert_eq!(crate::database::number(&database.other(), rows), 2);
    // Closing the old file has not removed the log of the new one.
    assert!(database.beside("sessions.db-wal").exists());
}

#[tokio::test]
async fn a_file_that_was_replaced_by_another_programs_is_left_alone() {
    let (database, clock) = (Database::new(), ManualClock::at(START));
    let store = database.open(&clock).await;
    created(&store, &key(1), &entry(1, 60, b"old")).await;
    for name in ["sessions.db", "sessions.db-wal", "sessions.db-shm"] {
        fs::remove_file(database.beside(name)).unwrap();
    }
    let errors = async || {
        [
            store.load(&key(1)).await.map(drop).unwrap_err(),
            store.create(&key(2), &entry(2, 60, b"")).await.map(drop).unwrap_err(),
        ]
    };
    fs::write(database.path(), "").unwrap();
    for error in errors().await {
        is(&error, StoreErrorKind::Misconfigured, "replaced by an empty one");
    }
    database.other().execute_batch("CREATE TABLE cloakroom (key, bytes)").unwrap();
    for error in errors().await {
        is(&error, StoreErrorKind::Misconfigured, "another program");
    }
}

#[tokio::test]
async fn no_time_at_all_is_refused() {
    let database = Database::new();
    let refused = options().command_timeout(std::time::Duration::ZERO).open(database.path()).await;
    is(&refused.unwrap_err(), StoreErrorKind::Misconfigured, "longer than zero");
}

#[tokio::test]
async fn a_url_makes_the_database_and_names_what_is_wrong() {
    let database = Database::new();
    let url = format!("sqlite://{}?sweep_secs=0&readers=1", database.path().display());
    connect(&url).await.unwrap();
    assert!(database.path().exists());
    let error = connect("sqlite:///not-mounted/sessions.db").await.unwrap_err();
    assert!(format!("{error:?}").contains("its folder does not exist"), "{error:?}");
}
