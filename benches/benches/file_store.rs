//! Compares the file store with bare files in the same folder: a load with open, read, close, and a
//! replace with write, `fsync`, rename. Also measures whether a load takes longer among a million
//! sessions.
//!
//! The folder is `FILE_STORE_BENCH` (such as a mounted EFS), or else the machine's temporary
//! folder. Times are wall-clock times, because most of them is waiting. Lanes take turns, and the
//! median of the ratios counts.
//!
//! A load is compared with two ways to read the same file: on a thread of tokio's blocking pool,
//! which every async read of a file does (tokio's own too), and on the thread itself. A server
//! could not use the second way, because it would hang as a whole when its mount hangs. On a local
//! disk with cached pages, most of a load is the way to the other thread and back; on a network
//! that is little.

use std::fs;
use std::hint::black_box;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::Bytes;
use cloakroom::Timestamp;
use cloakroom::store::{Durability, FileStore, Replaced, SessionStore, Version};
use cloakroom_benches::is_quick;
use cloakroom_benches::sessions::{entry_of, key_of, record_with};
use sha2::{Digest, Sha256};
use tokio::runtime::{Builder, Runtime};

const GOAL: f64 = 1.3;

struct Bench {
    runtime: Runtime,
    root: PathBuf,
    record: Bytes,
    rounds: usize,
    batch: usize,
}

fn main() {
    let place = std::env::var_os("FILE_STORE_BENCH").map_or_else(std::env::temp_dir, Into::into);
    let root = place.join(format!("cloakroom-bench-{}", std::process::id()));
    fs::create_dir(&root).expect("a folder");
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (rounds, batch) = if is_quick() { (3, 8) } else { (60, 32) };
    let bench = Bench { runtime, root: root.clone(), record: record_with(512), rounds, batch };
    println!("in {}, one task, records of 512 bytes\n", place.display());
    bench.reads();
    bench.writes();
    bench.sizes();
    fs::remove_dir_all(root).expect("the folder can be removed");
}

impl Bench {
    fn store(&self, name: &str, durability: Durability) -> FileStore {
        let root = self.root.join(name);
        fs::create_dir(&root).expect("a folder");
        let open = FileStore::builder(root).durability(durability).sweep_every(None).open();
        self.runtime.block_on(open).expect("a store")
    }

    fn fill(&self, store: &FileStore, sessions: std::ops::Range<usize>) {
        self.runtime.block_on(async {
            for number in sessions {
                let entry = entry_of(number, &self.record, Timestamp::MAX);
                store.create(&key_of(number), &entry).await.expect("there is room");
            }
        });
    }

    /// Compares lanes that use the same files.
    fn reads(&self) {
        let store = self.store("reads", Durability::File);
        self.fill(&store, 0..1_000);
        let paths: Vec<_> = (0..1_000).map(|number| self.session("reads", number)).collect();
        let next = || {
            let mut numbers = (0..1_000).cycle();
            move || numbers.next().unwrap_or(0)
        };
        let (mut here, mut there, mut ours) = (next(), next(), next());
        let median = self.compare(&mut [
            &mut || self.times(|| drop(black_box(fs::read(&paths[here()]).expect("it is there")))),
            &mut || {
                self.on_another_thread(|| &paths[there()], |path| drop(black_box(fs::read(path))))
            },
            &mut || {
                self.awaited(async || {
                    store.load(&key_of(ours())).await.expect("a load").expect("a session");
                })
            },
        ]);
        report("load", "open, read, close", &median);
    }

    /// Returns the path where the store keeps a session.
    fn session(&self, store: &str, number: usize) -> PathBuf {
        let key: String = key_of(number).as_bytes().iter().map(|b| format!("{b:02x}")).collect();
        self.root.join(store).join("sessions").join(&key[..2]).join(key)
    }

    /// Writes many sessions in the store's format, one after the other on this thread. The store
    /// reads them later, and would notice a wrong format.
    fn write_plainly(&self, store: &str, sessions: std::ops::Range<usize>) {
        let mut head = [0xff; 32];
        head[..8].copy_from_slice(b"clkf\x01\0\0\0");
        head[24..32].copy_from_slice(&(self.record.len() as u64).to_be_bytes());
        for number in sessions {
            let hash = Sha256::new().chain_update(key_of(number).as_bytes()).chain_update(head);
            let hash: [u8; 32] = hash.chain_update(&self.record).finalize().into();
            let file = [&head[..], &hash, &self.record].concat();
            fs::write(self.session(store, number), file).expect("there is room");
        }
    }

    fn writes(&self) {
        let store = self.store("writes", Durability::File);
        self.fill(&store, 0..1);
        let folder = self.root.join("writes/sessions/00");
        let mut version = Version::from(entry_of(0, &self.record, Timestamp::MAX).commit);
        let mut number = 0;
        let median = self.compare(&mut [
            &mut || self.times(|| write(&folder)),
            &mut || self.on_another_thread(|| &folder, write),
            &mut || {
                self.awaited(async || {
                    number += 1;
                    let entry = entry_of(number, &self.record, Timestamp::MAX);
                    let replaced = store.replace(&key_of(0), &version, &entry).await;
                    assert!(matches!(replaced, Ok(Replaced::Done(_))), "nobody else writes");
                    version = entry.commit.into();
                })
            },
        ]);
        report("replace", "write, fsync, rename", &median);
    }

    /// Compares the same loads from a store with a thousand sessions and from one that grows.
    fn sizes(&self) {
        let (few, sizes): (_, &[usize]) =
            if is_quick() { (100, &[100, 1_000]) } else { (1_000, &[100_000, 1_000_000]) };
        let (small, large) =
            (self.store("small", Durability::None), self.store("large", Durability::None));
        self.write_plainly("small", 0..few);
        println!("\nsessions   a load, in multiples of one among {few}");
        let mut filled = 0;
        for &size in sizes {
            self.write_plainly("large", filled..size);
            filled = size;
            // All sessions are on the disk, and those that are loaded are cached whatever the size.
            let synced = std::process::Command::new("sync").status();
            assert!(synced.is_ok_and(|status| status.success()), "sync");
            for store in [&small, &large] {
                self.load_each(store, 0..few);
            }
            let (mut at, mut there) = (0_usize, 0_usize);
            let next = |at: &mut usize| {
                *at = (*at + 15_485_863) % few;
                *at..*at + 1
            };
            let median = self.compare(&mut [
                &mut || self.times(|| self.load_each(&small, next(&mut at))),
                &mut || self.times(|| self.load_each(&large, next(&mut there))),
            ]);
            let (ratio, seconds) = median[1];
            println!("{size:>8}   {ratio:>5.2} (goal: within 20 %), {:.1} µs", seconds * 1e6);
        }
    }

    fn load_each(&self, store: &FileStore, sessions: std::ops::Range<usize>) {
        self.runtime.block_on(async {
            for number in sessions {
                store.load(&key_of(number)).await.expect("a load").expect("a session");
            }
        });
    }

    /// Returns the median seconds of each lane's batch, as multiples of the first lane's and by
    /// themselves.
    fn compare(&self, lanes: &mut [&mut dyn FnMut() -> f64]) -> Vec<(f64, f64)> {
        let mut rounds = vec![Vec::new(); lanes.len()];
        for round in 0..=self.rounds {
            let seconds: Vec<f64> = lanes.iter_mut().map(|lane| lane()).collect();
            // The first round warms up.
            if round > 0 {
                for (lane, seconds_of_lane) in rounds.iter_mut().zip(&seconds) {
                    lane.push((seconds_of_lane / seconds[0], seconds_of_lane / self.batch as f64));
                }
            }
        }
        let median = |mut values: Vec<(f64, f64)>| {
            values.sort_by(|a, b| a.0.total_cmp(&b.0));
            let ratio = values[values.len() / 2].0;
            values.sort_by(|a, b| a.1.total_cmp(&b.1));
            (ratio, values[values.len() / 2].1)
        };
        rounds.into_iter().map(median).collect()
    }

    fn times(&self, mut work: impl FnMut()) -> f64 {
        let start = Instant::now();
        (0..self.batch).for_each(|_| work());
        start.elapsed().as_secs_f64()
    }

    fn on_another_thread<'p>(&self, mut path: impl FnMut() -> &'p PathBuf, work: fn(&Path)) -> f64 {
        self.awaited(async || {
            let path = path().clone();
            tokio::task::spawn_blocking(move || work(&path)).await.expect("no panic");
        })
    }

    fn awaited(&self, mut work: impl AsyncFnMut()) -> f64 {
        self.runtime.block_on(async {
            let start = Instant::now();
            for _ in 0..self.batch {
                work().await;
            }
            start.elapsed().as_secs_f64()
        })
    }
}

fn write(folder: &Path) {
    let (staged, target) = (folder.join("bare.staged"), folder.join("bare"));
    let mut file = fs::File::create(&staged).expect("a file");
    file.write_all(&[7; 600]).and_then(|()| file.sync_all()).expect("room");
    drop(file);
    fs::rename(staged, target).expect("a rename");
}

fn report(command: &str, bare: &str, median: &[(f64, f64)]) {
    let micros = |lane: usize| median[lane].1 * 1e6;
    println!("{command}: {:.1} µs", micros(2));
    println!("  {:.2} times bare {bare} on this thread ({:.1} µs)", median[2].0, micros(0));
    let ratio = median[2].1 / median[1].1;
    println!(
        "  {ratio:.2} times the same on tokio's blocking pool ({:.1} µs); goal {GOAL}",
        micros(1)
    );
}
