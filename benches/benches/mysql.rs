//! Compares the MySQL store with the driver alone, which runs the same statements: one task, and 64 that
//! share the store's default number of connections.
//!
//! A MariaDB server is started for the run. Both sides move the same bytes and take turns in short rounds.
//! The second number is the same share by the CPU time of this process only.
//!
//! `--million` fills a table with a million expired sessions instead, and prints how long 64 writers wait beside
//! the sweep and without it.

use cloakroom_benches::mysql_jobs::{Ours, Raw, pool, store};
use cloakroom_benches::mysql_sweep::million;
use cloakroom_benches::sessions::record_with;
use cloakroom_benches::sweeping::is_million;
use cloakroom_benches::{Effort, Job, Meter, compare, crew_lane, is_quick};
use cloakroom_testing::mariadb::Server;
use tokio::runtime::{Builder, Runtime};

const CONNECTIONS: usize = 16;

fn main() {
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if is_million() {
        return million(&runtime, CONNECTIONS);
    }
    let server = Server::start();
    println!("share of the bare driver's throughput (by CPU time)\n");
    println!("case                tasks  share");
    for tasks in [1, 64] {
        for (name, writes) in [("load / SELECT", false), ("replace / UPDATE", true)] {
            let [by_clock, by_cpu] = [Meter::Clock, Meter::Cpu]
                .map(|meter| share(&runtime, &server, meter, tasks, writes));
            println!("{name:<18} {tasks:>6} {by_clock:>6.2} ({by_cpu:.2})");
        }
    }
}

fn share(runtime: &Runtime, server: &Server, meter: Meter, tasks: usize, writes: bool) -> f64 {
    let record = record_with(512);
    let store = runtime.block_on(store(server, CONNECTIONS));
    let pool = pool(server, CONNECTIONS);
    let theirs = crew(runtime, tasks, async || Raw::new(&pool, &record, writes).await);
    let ours = crew(runtime, tasks, async || Ours::new(&store, &record, writes).await);
    let mut lanes = [crew_lane(runtime, meter, theirs), crew_lane(runtime, meter, ours)];
    compare(&mut lanes, effort(tasks))[1].recip()
}

fn crew<J: Job>(runtime: &Runtime, tasks: usize, job: impl AsyncFn() -> J) -> Vec<J> {
    runtime.block_on(async {
        let mut jobs = Vec::with_capacity(tasks);
        for _ in 0..tasks {
            jobs.push(job().await);
        }
        jobs
    })
}

fn effort(tasks: usize) -> Effort {
    match is_quick() {
        true => Effort { rounds: 3, batch: 4 * tasks },
        false => Effort { rounds: 40, batch: if tasks == 1 { 200 } else { 20 * tasks } },
    }
}
