//! Compares the memcached store with its bare commands. The result is the share of their
//! throughput, with one connection and with one for each task.
//!
//! A server is started for the run. Both sides move the same bytes and take turns in short rounds.
//! The second number is the same share by the CPU time of this process only.

use cloakroom_benches::memcached_jobs::{LocalMemcached, Ours, Raw};
use cloakroom_benches::sessions::record_with;
use cloakroom_benches::{Effort, Meter, compare, crew, crew_lane, is_quick};
use tokio::runtime::{Builder, Runtime};

fn main() {
    let server = LocalMemcached::start();
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    println!("share of the bare command's throughput (by CPU time)\n");
    println!("case           connections  share");
    for connections in [1, 32] {
        for (name, writes) in [("load / mg", false), ("replace / ms", true)] {
            let [by_clock, by_cpu] = [Meter::Clock, Meter::Cpu]
                .map(|meter| share(&runtime, &server, meter, connections, writes));
            println!("{name:<15} {connections:>10} {by_clock:>6.2} ({by_cpu:.2})");
        }
    }
}

fn share(
    runtime: &Runtime,
    server: &LocalMemcached,
    meter: Meter,
    connections: usize,
    writes: bool,
) -> f64 {
    let record = record_with(512);
    let store = runtime.block_on(server.store(connections));
    let theirs = crew(runtime, connections, async || Raw::new(server, &record, writes).await);
    let ours = crew(runtime, connections, async || Ours::new(&store, &record, writes).await);
    let mut lanes = [crew_lane(runtime, meter, theirs), crew_lane(runtime, meter, ours)];
    compare(&mut lanes, effort(connections))[1].recip()
}

fn effort(tasks: usize) -> Effort {
    match is_quick() {
        true => Effort { rounds: 3, batch: 4 * tasks },
        false => Effort { rounds: 100, batch: if tasks == 1 { 400 } else { 50 * tasks } },
    }
}
