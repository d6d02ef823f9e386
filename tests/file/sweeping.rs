//! The sweeper: which files it removes, which it leaves, and when it runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use cloakroom::ManualClock;
use cloakroom::store::{SessionStore, StoreErrorKind, StoreKey, Version};

use crate::folder::{Folder, START, created, entry, key, live, names};

#[tokio::test]
async fn expired_sessions_are_removed_and_live_ones_stay() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = folder.open(&clock).await;
    for number in 0..200 {
        let lifetime = if number % 2 == 0 { 60 } else { 3_600 };
        created(&store, &key(number), &entry(1, lifetime, b"a coat")).await;
    }
    clock.advance(Duration::from_secs(90));
    let swept = store.sweep().await.unwrap();
    assert_eq!(
        (swept.inspected, swept.removed),
        (200, 0),
        "the clocks of other servers may be behind"
    );
    clock.advance(Duration::from_secs(60));
    let swept = store.sweep().await.unwrap();
    assert_eq!((swept.inspected, swept.removed, swept.set_aside), (200, 100, 0));
    for number in 0..200 {
        assert_eq!(folder.session(&key(number)).exists(), number % 2 == 1);
    }
    live(&store, &key(1)).await;
}

/// One batch is 64 files.
#[tokio::test]
async fn a_shard_of_several_batches_is_swept_to_its_end() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = folder.open(&clock).await;
    for number in 0..300_u16 {
        let mut bytes = [7; 32];
        bytes[1..3].copy_from_slice(&number.to_be_bytes());
        created(&store, &StoreKey::from_bytes(bytes), &entry(1, 60, b"a coat")).await;
    }
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(store.sweep().await.unwrap().removed, 300);
    assert_eq!(folder.beside(&key(7)), [""; 0]);
}

#[tokio::test]
async fn foreign_files_stay() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = folder.open(&clock).await;
    let foreign = [".nfs0000000000a4f300000001", "README", ".x.next", "ABCD"];
    for name in foreign {
        fs::write(folder.shard(&key(1)).join(name), "not ours").unwrap();
    }
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(store.sweep().await.unwrap(), cloakroom::store::Swept::default());
    assert_eq!(folder.beside(&key(1)).len(), foreign.len());
}

/// The sweep goes on with the files behind it.
#[tokio::test]
async fn a_file_that_cannot_be_opened_is_counted_and_does_not_end_the_sweep() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = folder.open(&clock).await;
    created(&store, &key(9), &entry(1, 60, b"a coat")).await;
    symlink(folder.session(&key(9)), folder.session(&key(1))).unwrap();
    symlink("/nowhere", folder.session(&key(2))).unwrap();
    // The path of a socket may not be as long as that of a session.
    let socket = folder.path().join("locks/socket");
    let _listening = UnixListener::bind(&socket).unwrap();
    fs::rename(socket, folder.session(&key(3))).unwrap();
    clock.advance(Duration::from_secs(3_600));
    let swept = store.sweep().await.unwrap();
    assert_eq!((swept.removed, swept.set_aside, swept.foreign, swept.failed), (1, 0, 3, 0));
    for number in 1..=3 {
        assert!(fs::symlink_metadata(folder.session(&key(number))).is_ok(), "it stays");
    }
}

/// A lock that is busy delays a sweep and does not end it.
#[tokio::test]
async fn a_session_whose_lock_is_busy_is_left_for_the_next_sweep() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let options = folder.options().clock(clock.clone()).command_timeout(Duration::from_millis(50));
    let store = options.open().await.unwrap();
    for number in 1..=2 {
        created(&store, &key(number), &entry(1, 60, b"a coat")).await;
    }
    clock.advance(Duration::from_secs(3_600));
    let busy = folder.lock(&key(1));
    let swept = store.sweep().await.unwrap();
    assert_eq!((swept.inspected, swept.removed, swept.failed), (2, 1, 1));
    drop(busy);
    let patient = folder.open(&clock).await;
    assert_eq!(patient.sweep().await.unwrap().removed, 1);
}

/// The files were cut, emptied, changed, swapped, and overwritten by another program.
#[tokio::test]
async fn damaged_sessions_are_set_aside_and_kept() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = folder.open(&clock).await;
    for number in 1..=5 {
        created(&store, &key(number), &entry(1, 60, b"a coat")).await;
    }
    let whole = fs::read(folder.session(&key(1))).unwrap();
    let mut flipped = fs::read(folder.session(&key(3))).unwrap();
    *flipped.last_mut().unwrap() ^= 4;
    for (number, bytes) in
        [(1, &whole[..40]), (2, &[]), (3, &flipped), (4, &whole[..]), (5, b"\x7fELF and so on")]
    {
        fs::write(folder.session(&key(number)), bytes).unwrap();
        let error = store.load(&key(number)).await.unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{number}");
        assert!(source.contains(&key(number).to_string()), "no fingerprint: {source}");
    }
    clock.advance(Duration::from_secs(3_600));
    let swept = store.sweep().await.unwrap();
    assert_eq!((swept.removed, swept.set_aside), (0, 5));
    let aside = names(&folder.path().join("damaged"));
    assert_eq!(aside.len(), 5);
    let kept = aside.iter().find(|name| name.starts_with("0101")).unwrap();
    assert_eq!(fs::read(folder.path().join("damaged").join(kept)).unwrap(), &whole[..40]);
    assert_eq!(store.load(&key(1)).await.unwrap(), None);
}

async fn kinds_of_every_command(
    store: &dyn SessionStore,
    version: &Version,
) -> [StoreErrorKind; 5] {
    let new = entry(2, 60, b"");
    [
        store.load(&key(1)).await.map(drop).unwrap_err().kind(),
        store.create(&key(1), &new).await.map(drop).unwrap_err().kind(),
        store.replace(&key(1), version, &new).await.map(drop).unwrap_err().kind(),
        store.touch(&key(1), version, START).await.map(drop).unwrap_err().kind(),
        store.delete(&key(1)).await.unwrap_err().kind(),
    ]
}

/// There may be personal data in them.
#[tokio::test]
async fn a_session_that_was_set_aside_is_removed_after_30_days() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = folder.open(&clock).await;
    created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    fs::write(folder.session(&key(1)), "damaged").unwrap();
    assert_eq!(store.sweep().await.unwrap().set_aside, 1);
    let damaged = folder.path().join("damaged");
    fs::write(damaged.join("notes.txt"), "I look into it").unwrap();

    clock.advance(29 * DAY);
    assert_eq!(store.sweep().await.unwrap().discarded, 0);
    assert_eq!(names(&damaged).len(), 2);
    clock.advance(DAY);
    assert_eq!(store.sweep().await.unwrap().discarded, 1);
    assert_eq!(names(&damaged), ["notes.txt"]);
}

/// A process that is killed while it opens the store leaves them.
#[tokio::test]
async fn the_files_of_an_open_that_was_killed_are_removed_after_an_hour() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = folder.open(&clock).await;
    let left = [
        "sessions/00/.probe.0123456789abcdef.1",
        "sessions/00/.probe.0123456789abcdef.2",
        ".cloakroom-store.0123456789abcdef",
    ]
    .map(|name| folder.path().join(name));
    let foreign = folder.path().join(".cloakroom-store.backup");
    for path in left.iter().chain([&foreign]) {
        fs::write(path, "").unwrap();
    }
    assert_eq!(store.sweep().await.unwrap().abandoned, 0, "a process may still be opening it");
    let hours_ago = std::time::SystemTime::now() - Duration::from_secs(2 * 3_600);
    for path in left.iter().chain([&foreign]) {
        fs::File::options().write(true).open(path).unwrap().set_modified(hours_ago).unwrap();
    }
    assert_eq!(store.sweep().await.unwrap().abandoned, 3);
    assert!(left.iter().all(|path| !path.exists()) && foreign.exists());
}

/// A delete would take a session from the servers that can read it.
#[tokio::test]
async fn a_newer_format_is_an_error_of_its_own_for_every_command_and_stays() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = folder.open(&clock).await;
    let version = created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    let newer = make_newer(&folder.session(&key(1)));
    assert_eq!(kinds_of_every_command(&store, &version).await, [StoreErrorKind::NewerFormat; 5]);
    clock.advance(Duration::from_secs(3_600));
    store.sweep().await.unwrap();
    assert_eq!(fs::read(folder.session(&key(1))).unwrap(), newer);
    assert_eq!(folder.beside(&key(1)).len(), 1);
}

/// A newer release was killed between the steps of a write. Only a newer one can complete it.
#[tokio::test]
async fn an_interrupted_write_of_a_newer_format_is_not_a_missing_session_and_stays() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = folder.open(&clock).await;
    let version = created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    let newer = make_newer(&folder.session(&key(1)));
    let hex = crate::folder::hex(key(1).as_bytes());
    let next = folder.shard(&key(1)).join(format!(".{hex}.next"));
    fs::rename(folder.session(&key(1)), &next).unwrap();
    let hours_ago = std::time::SystemTime::now() - Duration::from_secs(2 * 3_600);
    fs::File::options().write(true).open(&next).unwrap().set_modified(hours_ago).unwrap();

    let kinds = [
        store.load(&key(1)).await.map(drop).unwrap_err().kind(),
        store.replace(&key(1), &version, &entry(2, 60, b"")).await.map(drop).unwrap_err().kind(),
        store.touch(&key(1), &version, START).await.map(drop).unwrap_err().kind(),
        store.delete(&key(1)).await.unwrap_err().kind(),
    ];
    assert_eq!(kinds, [StoreErrorKind::NewerFormat; 4]);
    assert_eq!(store.sweep().await.unwrap().abandoned, 0);
    assert_eq!(fs::read(next).unwrap(), newer);
}

/// Marks the file as one of the next format, and returns its bytes.
fn make_newer(path: &Path) -> Vec<u8> {
    let mut newer = fs::read(path).unwrap();
    newer[4] += 1;
    fs::write(path, &newer).unwrap();
    newer
}

/// Eight servers sweep at once while a writer touches sessions. Each expired session is removed once, and
/// no session that was touched in time.
#[tokio::test(flavor = "multi_thread")]
async fn many_servers_can_sweep_at_once() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let writer = folder.open(&clock).await;
    let mut versions = Vec::new();
    for number in 0..200 {
        versions.push(created(&writer, &key(number), &entry(1, 60, b"a coat")).await);
    }
    clock.advance(Duration::from_secs(55));
    let touching = {
        let (writer, clock) = (writer.clone(), clock.clone());
        tokio::spawn(async move {
            for number in (0..200).step_by(2) {
                let later = entry(0, 3_600, b"").deadline;
                let key = key(number);
                writer.touch(&key, &versions[usize::from(number)], later).await.unwrap();
            }
            clock.advance(Duration::from_secs(120));
        })
    };
    let mut sweeps = Vec::new();
    for _ in 0..8 {
        let store = folder.open(&clock).await;
        sweeps.push(tokio::spawn(async move { store.sweep().await.unwrap().removed }));
    }
    touching.await.unwrap();
    let mut removed = writer.sweep().await.unwrap().removed;
    for sweep in sweeps {
        removed += sweep.await.unwrap();
    }
    assert_eq!(removed, 100);
    for number in 0..200 {
        assert_eq!(writer.load(&key(number)).await.unwrap().is_some(), number % 2 == 0);
    }
}

/// With `sweep_every`, one server sweeps for all, until its store is dropped.
#[tokio::test(flavor = "multi_thread")]
async fn the_sweeper_runs_until_the_store_is_dropped() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let interval = Duration::from_millis(50);
    let options = || folder.options().clock(clock.clone()).sweep_every(interval);
    let (store, other) = (options().open().await.unwrap(), options().open().await.unwrap());
    created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    // A sweep that has looked before the file was there may note its end at any moment, and is the last one if
    // the clock stands still then.
    is_soon(|| {
        clock.advance(Duration::from_secs(600));
        !folder.session(&key(1)).exists()
    })
    .await;

    drop((store.clone(), store, other));
    let quiet = folder.open(&clock).await;
    tokio::time::sleep(interval * 4).await;
    created(&quiet, &key(2), &entry(1, 600, b"a coat")).await;
    clock.advance(Duration::from_secs(6_000));
    tokio::time::sleep(interval * 8).await;
    assert!(folder.session(&key(2)).exists());
}

/// A server whose clock was ahead may have written the time, or another program may have overwritten it.
/// Neither stops the sweeps.
#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_or_future_time_of_the_last_sweep_is_ignored() {
    for note in ["99999999999999\n".to_owned(), "not a number ".repeat(40), String::new()] {
        let (folder, clock) = (Folder::new(), ManualClock::at(START));
        let record = folder.path().join("locks/sweep");
        created(&folder.open(&clock).await, &key(1), &entry(1, 60, b"a coat")).await;
        fs::write(&record, &note).unwrap();
        clock.advance(Duration::from_secs(600));
        let options = folder.options().clock(clock.clone());
        let _store = options.sweep_every(Duration::from_millis(10)).open().await.unwrap();
        is_soon(|| !folder.session(&key(1)).exists()).await;
        let now = format!("{:020}\n", clock.now().as_millis());
        is_soon(|| fs::read_to_string(&record).is_ok_and(|noted| noted == now)).await;
    }
}

async fn is_soon(condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "it did not happen within half a minute"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
