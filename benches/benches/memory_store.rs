//! Measures how the memory store's throughput changes with its size and the number of tasks, and
//! how long the slowest of a million creates takes.
//!
//! Throughput needs several threads, so it is the best wall-clock time of several runs. The slowest
//! create is measured in CPU time of its thread, because waiting for a processor is not the store's
//! work. The result is the smallest maximum of several fills, because the store's own work is in
//! each of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cloakroom::Timestamp;
use cloakroom::store::{Created, MemoryStore, Replaced, SessionStore};
use cloakroom_benches::is_quick;
use cloakroom_benches::sessions::{entry_of, key_of, record_with};
use cpu_time::ThreadTime;
use tokio::runtime::{Builder, Runtime};

const GOAL: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, PartialEq)]
enum Work {
    Load,
    /// Loads and replaces, as a request that writes does.
    Write,
}

struct Bench {
    runtime: Runtime,
    record: Bytes,
    operations: usize,
    runs: usize,
}

fn main() {
    let runtime = Builder::new_multi_thread().build().expect("a runtime");
    let (operations, runs) = if is_quick() { (8_000, 1) } else { (400_000, 3) };
    let bench = Bench { runtime, record: record_with(512), operations, runs };
    let sizes: &[usize] = if is_quick() { &[10_000] } else { &[10_000, 100_000, 1_000_000] };
    println!("operations in a second, in multiples of one task's loads among 10,000 sessions\n");
    println!("sessions   work     1 task   2 tasks   4 tasks   8 tasks   slowest create");
    let mut control = None;
    for &sessions in sizes {
        let (store, slowest) = bench.fill_often(sessions);
        for work in [Work::Load, Work::Write] {
            print!("{sessions:>8}   {}", if work == Work::Load { "load  " } else { "write " });
            for tasks in [1, 2, 4, 8] {
                let rate = bench.rate(&store, sessions, tasks, work);
                let control = *control.get_or_insert(rate);
                print!(" {:>9.2}", rate / control);
            }
            match work {
                Work::Load => println!(),
                Work::Write => println!("   {slowest:>9.1?} (goal: under {GOAL:?})"),
            }
        }
    }
}

impl Bench {
    /// Returns a filled store, and the slowest create of the fastest fill.
    fn fill_often(&self, sessions: usize) -> (Arc<MemoryStore>, Duration) {
        let mut slowest = Duration::MAX;
        let mut store = Arc::default();
        for _ in 0..self.runs {
            // One store at a time, because a million sessions take most of a gigabyte.
            store = Arc::default();
            slowest = slowest.min(self.fill(&store, sessions));
        }
        (store, slowest)
    }

    fn fill(&self, store: &MemoryStore, sessions: usize) -> Duration {
        self.runtime.block_on(async {
            let mut slowest = Duration::ZERO;
            for number in 0..sessions {
                let (key, entry) = (key_of(number), entry_of(number, &self.record, Timestamp::MAX));
                let start = ThreadTime::now();
                let created = store.create(&key, &entry).await;
                slowest = slowest.max(start.elapsed());
                assert!(matches!(created, Ok(Created::Done(_))), "there is room");
            }
            slowest
        })
    }

    fn rate(&self, store: &Arc<MemoryStore>, sessions: usize, tasks: usize, work: Work) -> f64 {
        let each = self.operations / tasks;
        let best = (0..self.runs).map(|_| {
            let start = Instant::now();
            self.runtime.block_on(async {
                let running: Vec<_> = (0..tasks)
                    .map(|task| {
                        let (store, record) = (Arc::clone(store), self.record.clone());
                        let numbers = visitors(sessions, tasks, task).take(each);
                        tokio::spawn(async move {
                            for number in numbers {
                                visit(&store, number, &record, work).await;
                            }
                        })
                    })
                    .collect();
                for task in running {
                    task.await.expect("no visit fails");
                }
            });
            start.elapsed()
        });
        let seconds = best.min().expect("at least one run").as_secs_f64();
        (each * tasks) as f64 / seconds
    }
}

/// Returns numbers of visitors that no other task uses, far from each other.
fn visitors(sessions: usize, tasks: usize, task: usize) -> impl Iterator<Item = usize> {
    // A prime above every number of sessions here, so that each visitor has a turn.
    const STRIDE: usize = 15_485_863;
    let own = sessions / tasks;
    (0..).map(move |turn: usize| turn.wrapping_mul(STRIDE) % own * tasks + task)
}

async fn visit(store: &MemoryStore, number: usize, record: &Bytes, work: Work) {
    let key = key_of(number);
    let entry = store.load(&key).await.expect("it answers").expect("it is there");
    if work == Work::Write {
        let next = entry_of(number, record, Timestamp::MAX);
        let replaced = store.replace(&key, &entry.version, &next).await.expect("it answers");
        assert!(matches!(replaced, Replaced::Done(_)), "nobody else writes this one");
    }
}
