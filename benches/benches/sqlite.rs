//! Compares the SQLite store with SQLite by hand and with the bare driver, each on a database of its own.
//!
//! By hand means the same work on threads of their own, with the same commits of what waits together. The bare
//! driver is one connection behind a lock, and each statement is a transaction of its own. The result is the
//! store's share of their throughput. The lanes take turns in short rounds, and the median of the ratios
//! counts. Times are wall-clock times, because most of a write is waiting for the disk. Each side also moves its
//! own log into its database.
//!
//! `SQLITE_BENCH` is the folder, or else the machine's temporary one. `--million` fills a database with a
//! million expired sessions instead, and prints how long 64 writers wait beside the sweep and without it.

use std::path::{Path, PathBuf};

use cloakroom_benches::is_quick;
use cloakroom_benches::sessions::record_with;
use cloakroom_benches::sqlite_sides::{Command, Side};
use cloakroom_benches::sqlite_sweep::million;
use cloakroom_benches::sweeping::is_million;
use tokio::runtime::{Builder, Runtime};

fn main() {
    let place = std::env::var_os("SQLITE_BENCH").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = place.join(format!("cloakroom-bench-{}", std::process::id()));
    std::fs::create_dir(&folder).expect("a folder");
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if is_million() {
        million(&runtime, &folder.join("sessions.db"));
    } else {
        compare(&runtime, &folder);
    }
    drop(runtime);
    std::fs::remove_dir_all(folder).expect("the folder can be removed");
}

fn compare(runtime: &Runtime, folder: &Path) {
    let (sessions, rounds) = if is_quick() { (200, 3) } else { (20_000, 15) };
    let record = record_with(2_048);
    let [store, by_hand, plain] = ["store", "hand", "plain"].map(|name| folder.join(name));
    let sides = runtime.block_on(async {
        [
            Side::store(&store, &record, sessions).await,
            Side::by_hand(&by_hand, &record, sessions).await,
            Side::plain(&plain, &record, sessions).await,
        ]
    });
    println!("{sessions} sessions of 2 KB; the store's share of the throughput\n");
    println!("command   tasks  of SQLite by hand   of the bare driver   the store, a second");
    for (name, command) in [
        ("load", Command::Load),
        ("create", Command::Create),
        ("replace", Command::Replace),
        ("touch", Command::Touch),
    ] {
        for tasks in [1, 64] {
            let (mut shares, mut seconds) = ([Vec::new(), Vec::new()], Vec::new());
            // The first round warms up.
            for round in 0..=rounds {
                let mut taken = [0.0; 3];
                for turn in 0..3 {
                    let side = (round + turn) % 3;
                    let batch = batch(command, tasks, side == 2);
                    taken[side] = runtime.block_on(sides[side].seconds(command, tasks, batch));
                }
                let [ours, by_hand, plain] = taken;
                if round > 0 {
                    shares[0].push(by_hand / ours);
                    shares[1].push(plain / ours);
                    seconds.push(ours);
                }
            }
            let [by_hand, plain] = shares.map(median);
            let a_second = median(seconds).recip();
            println!("{name:<9} {tasks:>5} {by_hand:>18.2} {plain:>20.2} {a_second:>21.0}");
        }
    }
}

/// Returns the commands of each task in one round. The bare driver gets fewer writes, because each is a commit.
fn batch(command: Command, tasks: usize, is_plain: bool) -> usize {
    match (is_quick(), tasks) {
        (true, _) => 8,
        (false, 1) => 200,
        (false, _) if is_plain && command != Command::Load => 4,
        (false, _) => 40,
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
