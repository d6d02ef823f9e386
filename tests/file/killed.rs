//! Processes that are killed at any instruction, and locks that are held for long.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cloakroom::store::{CommitId, FileStore, NewEntry, Replaced, SessionStore, StoreKey, Version};
use cloakroom::{Clock, ManualClock};

use crate::child::{play, program};
use crate::folder::{Folder, START, created, entry, key, live, names};

/// How often a writer is killed.
const KILLS: u64 = 500;
const SESSIONS: u8 = 4;

pub(crate) fn start(part: &str, root: &Path) -> Child {
    let mut command = Command::new(program());
    play(&mut command, part, root);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

fn sessions() -> impl Iterator<Item = StoreKey> {
    (0..SESSIONS).map(|number| StoreKey::from_bytes([number; 32]))
}

fn far() -> cloakroom::Timestamp {
    Clock::system().now().saturating_add(Duration::from_secs(3_600))
}

/// Encodes a number several times over. The length depends on the number, so that a torn file is noticed.
fn coat(number: u64) -> Vec<u8> {
    number.to_be_bytes().repeat(1 + usize::try_from(number % 1_000).unwrap())
}

fn number(coat: &[u8]) -> u64 {
    let number = u64::from_be_bytes(*coat.first_chunk().unwrap());
    assert_eq!(coat, self::coat(number), "a torn session");
    number
}

/// The child: replaces and touches sessions and prints what was acknowledged, until it is killed.
pub(crate) async fn write_until_killed(root: &Path) {
    let store = FileStore::builder(root).sweep_every(None).open().await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for key in sessions() {
        writers.spawn(write_on(store.clone(), key));
    }
    writers.join_next().await.unwrap().unwrap();
}

async fn write_on(store: FileStore, key: StoreKey) {
    loop {
        let entry = live(&store, &key).await;
        let number = number(&entry.bytes) + 1;
        let replaced = store.replace(&key, &entry.version, &coat_entry(number)).await.unwrap();
        if let Replaced::Done(version) = replaced {
            println!("{} {number}", key.as_bytes()[0]);
            store.touch(&key, &version, far()).await.unwrap();
        }
    }
}

/// After each kill every session holds the last acknowledged value or the one that was under way, and it
/// can be changed at once, because no lock is left behind. Readers load the sessions all the time.
#[test]
#[ignore = "takes half a minute"]
fn a_killed_writer_leaves_the_old_session_or_the_new_one() {
    tokio::runtime::Runtime::new().unwrap().block_on(kill_writers());
}

async fn kill_writers() {
    let folder = Folder::new();
    let store = folder.options().command_timeout(Duration::from_secs(30)).open().await.unwrap();
    for key in sessions() {
        created(&store, &key, &coat_entry(0)).await;
    }
    let over = Arc::new(AtomicBool::new(false));
    let readers = [0, 1].map(|_| tokio::spawn(read_until(over.clone(), store.clone())));
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut written = 0;
    for _ in 0..KILLS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut writer = start("write", folder.path());
        let acknowledged = watch(&mut writer, random % 20_000);
        for (key, told) in sessions().zip(acknowledged) {
            inspect(&store, &key, told).await;
            written += u64::from(told > 0);
        }
    }
    over.store(true, Ordering::SeqCst);
    let mut reads = 0;
    for reader in readers {
        reads += reader.await.unwrap();
    }
    assert!(written > KILLS && reads > KILLS, "only {written} writes were seen, {reads} reads");
    println!("{KILLS} kills, {written} sessions written in between, {reads} reads");
}

fn coat_entry(number: u64) -> NewEntry {
    let commit = CommitId::from_bytes(number.to_be_bytes());
    NewEntry::new(commit, far(), coat(number))
}

/// Checks that loads return whole sessions, and never an older one after a newer.
async fn read_until(over: Arc<AtomicBool>, store: FileStore) -> u64 {
    let (mut reads, mut last) = (0, [0; SESSIONS as usize]);
    while !over.load(Ordering::SeqCst) {
        for (key, last) in sessions().zip(&mut last) {
            let found = number(&live(&store, &key).await.bytes);
            assert!(found >= *last, "{found} after {last}");
            *last = found;
            reads += 1;
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    reads
}

/// Checks that the session holds what the dead writer has acknowledged, and that its lock is free.
async fn inspect(store: &FileStore, key: &StoreKey, told: u64) {
    let entry = live(store, key).await;
    let found = number(&entry.bytes);
    assert!(found >= told, "{found} is there, {told} was acknowledged");
    // A lock that was left behind would stay, and the command would time out.
    let replaced = store.replace(key, &entry.version, &coat_entry(found + 1)).await.unwrap();
    assert!(matches!(replaced, Replaced::Done(_)), "{replaced:?}");
}

/// Kills the writer some microseconds after its first line, and returns the last number that it has
/// acknowledged for each session.
fn watch(writer: &mut Child, micros: u64) -> [u64; SESSIONS as usize] {
    use std::io::{BufRead, BufReader};
    let output = BufReader::new(writer.stdout.take().unwrap());
    let mut acknowledged = [0; SESSIONS as usize];
    let mut lines = output.lines().map_while(Result::ok);
    let mut note = |line: &str| {
        let Some((session, number)) = line.rsplit_once(' ') else { return false };
        let session = session.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or("");
        let (Ok(session), Ok(number)) = (session.parse::<usize>(), number.parse()) else {
            return false;
        };
        let Some(slot) = acknowledged.get_mut(session) else { return false };
        *slot = number;
        true
    };
    for line in lines.by_ref() {
        if note(&line) {
            break;
        }
    }
    std::thread::sleep(Duration::from_micros(micros));
    writer.kill().unwrap();
    writer.wait().unwrap();
    // The pipe keeps what was written before. A last line that is cut was not acknowledged.
    lines.for_each(|line| {
        note(&line);
    });
    acknowledged
}

/// A killed `create` leaves a staged file, a killed `replace` may leave a successor.
#[tokio::test]
async fn half_written_files_are_invisible_and_removed_after_an_hour() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = folder.open(&clock).await;
    let version = created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    let hex = crate::folder::hex(key(1).as_bytes());
    let new = folder.shard(&key(1)).join(format!(".{hex}.0000000000000009.new"));
    let next = folder.shard(&key(1)).join(format!(".{hex}.next"));
    for left in [&new, &next] {
        std::fs::write(left, "clkf half of i").unwrap();
    }
    assert_eq!(store.sweep().await.unwrap().abandoned, 0, "a process may still be writing them");
    let hours_ago = std::time::SystemTime::now() - Duration::from_secs(2 * 3_600);
    for left in [&new, &next] {
        std::fs::File::open(left).unwrap().set_modified(hours_ago).unwrap();
    }
    assert_eq!(store.sweep().await.unwrap().abandoned, 2);
    assert_eq!(folder.beside(&key(1)), [hex]);
    assert_eq!(live(&store, &key(1)).await.version, version);
}

/// A file that has the successor's name already does not stop a writer.
#[tokio::test]
async fn a_leftover_successor_is_overwritten() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = folder.open(&clock).await;
    let version = created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    let hex = crate::folder::hex(key(1).as_bytes());
    std::fs::write(folder.shard(&key(1)).join(format!(".{hex}.next")), "half").unwrap();
    store.replace(&key(1), &version, &entry(2, 60, b"a hat")).await.unwrap();
    assert_eq!(live(&store, &key(1)).await.bytes, "a hat");
    assert_eq!(folder.beside(&key(1)), [hex]);
}

/// A writer on an NFS client was killed after the client had moved the open file away and before it moved
/// the new one in.
#[tokio::test]
async fn a_successor_without_its_session_is_published() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = folder.open(&clock).await;
    let version = created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    store.replace(&key(1), &version, &entry(2, 60, b"a hat")).await.unwrap();
    let next =
        folder.shard(&key(1)).join(format!(".{}.next", crate::folder::hex(key(1).as_bytes())));
    std::fs::rename(folder.session(&key(1)), &next).unwrap();
    let entry = live(&store, &key(1)).await;
    assert_eq!(
        (&entry.bytes[..], entry.version),
        (&b"a hat"[..], Version::new(&2_u64.to_be_bytes()).unwrap())
    );
    assert!(!next.exists());
}

/// Otherwise the successor would pass for an interrupted write and bring the session back.
#[tokio::test]
async fn a_deleted_session_has_no_successor() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let store = folder.open(&clock).await;
    created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    let next =
        folder.shard(&key(1)).join(format!(".{}.next", crate::folder::hex(key(1).as_bytes())));
    std::fs::copy(folder.session(&key(1)), &next).unwrap();
    store.delete(&key(1)).await.unwrap();
    assert_eq!(store.load(&key(1)).await.unwrap(), None);
    assert_eq!(folder.beside(&key(1)), [""; 0]);
}

/// The child: takes all locks and holds them.
pub(crate) async fn hold_a_lock(root: &Path) {
    let locks: Vec<_> =
        names(&root.join("locks")).iter().map(|name| root.join("locks").join(name)).collect();
    let held: Vec<_> = locks.iter().map(|path| std::fs::File::open(path).unwrap()).collect();
    for file in &held {
        rustix::fs::flock(file, rustix::fs::FlockOperation::LockExclusive).unwrap();
    }
    println!("held");
    std::thread::sleep(Duration::from_secs(600));
}

/// While another process holds the lock, commands wait for a bounded time and take no thread, and loads are
/// served. When the holder dies the lock is free.
#[tokio::test]
async fn a_wait_for_a_lock_is_bounded_and_a_dead_holder_frees_it() {
    use std::io::{BufRead, BufReader};
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    // Long enough for a load on a busy machine, which needs the only worker too.
    let timeout = Duration::from_secs(5);
    let store =
        folder.options().clock(clock).command_timeout(timeout).workers(1).open().await.unwrap();
    let version = created(&store, &key(1), &entry(1, 60, b"a coat")).await;
    store.touch(&key(1), &version, START).await.unwrap();

    let mut holder = start("hold", folder.path());
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.ends_with("held")));
    let began = Instant::now();
    let waiting = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.delete(&key(1)).await.unwrap_err().kind() })
    });
    let waiting: Vec<_> = waiting.collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    // The only worker is free between two attempts at the lock.
    assert_eq!(live(&store, &key(1)).await.bytes, "a coat");
    for refused in waiting {
        assert_eq!(refused.await.unwrap(), cloakroom::store::StoreErrorKind::Unavailable);
    }
    let waited = began.elapsed();
    assert!(waited >= timeout && waited < timeout * 100, "waited {waited:?}");

    holder.kill().unwrap();
    holder.wait().unwrap();
    store.delete(&key(1)).await.unwrap();
}

/// However many stores of a folder a process has opened, one command at a time asks for the lock file, and
/// commands are served in the order in which they came.
#[tokio::test]
async fn stores_of_one_process_share_one_lock_queue() {
    let (folder, clock) = (Folder::new(), ManualClock::at(START));
    let link = folder.path().with_extension("link");
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink(folder.path(), &link).unwrap();
    let timeout = Duration::from_secs(600);
    let mut stores = Vec::new();
    for root in [folder.path(), &link, folder.path()] {
        let options = FileStore::builder(root).clock(clock.clone()).sweep_every(None);
        stores.push(options.command_timeout(timeout).open().await.unwrap());
    }
    let mut version = created(&stores[0], &key(1), &entry(0, 60, b"")).await;
    let others = folder.lock(&key(1));
    let mut waiting = tokio::task::JoinSet::new();
    for number in 1..=30 {
        // Each expects the version that the command before it will have written.
        let (store, new) = (stores[number % stores.len()].clone(), entry(number as u64, 60, b""));
        let before = std::mem::replace(&mut version, new.commit.into());
        waiting.spawn(async move { store.replace(&key(1), &before, &new).await.unwrap() });
        // There is one thread, so the command is in the queue now.
        tokio::task::yield_now().await;
    }
    drop(others);
    for replaced in waiting.join_all().await {
        assert!(matches!(replaced, Replaced::Done(_)), "{replaced:?}");
    }
    std::fs::remove_file(link).unwrap();
}
