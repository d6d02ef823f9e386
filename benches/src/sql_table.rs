//! The table of an SQL store beside the bare driver.

use tokio::runtime::Runtime;

use crate::crew::{Job, Meter, crew_lane};
use crate::measure::{Effort, compare, is_quick};

/// The crew of the store, and those of the driver: with the store's own statements, and with plain ones.
pub type Crews<Ours, Raw> = (Vec<Ours>, [Vec<Raw>; 2]);

/// Prints the store's share of the driver's throughput, for one task and for 64.
///
/// `crews` gets the number of tasks, and whether they write.
///
/// # Panics
///
/// If a job panics.
pub fn print_shares<Ours: Job, Raw: Job>(
    runtime: &Runtime,
    crews: impl Fn(usize, bool) -> Crews<Ours, Raw>,
) {
    println!("share of the bare driver's throughput (by CPU time)\n");
    println!("case                tasks  same statements  plain statements");
    for tasks in [1, 64] {
        for (name, writes) in [("load / SELECT", false), ("replace / UPDATE", true)] {
            let [[same, plain], [same_cpu, plain_cpu]] = [Meter::Clock, Meter::Cpu]
                .map(|meter| shares(runtime, meter, crews(tasks, writes), effort(tasks)));
            println!(
                "{name:<18} {tasks:>6}      {same:.2} ({same_cpu:.2})       {plain:.2} ({plain_cpu:.2})"
            );
        }
    }
}

fn shares<Ours: Job, Raw: Job>(
    runtime: &Runtime,
    meter: Meter,
    (ours, [same, plain]): Crews<Ours, Raw>,
    effort: Effort,
) -> [f64; 2] {
    let mut lanes = [
        crew_lane(runtime, meter, ours),
        crew_lane(runtime, meter, same),
        crew_lane(runtime, meter, plain),
    ];
    let times = compare(&mut lanes, effort);
    [times[1], times[2]]
}

fn effort(tasks: usize) -> Effort {
    match is_quick() {
        true => Effort { rounds: 3, batch: 4 * tasks },
        false => Effort { rounds: 40, batch: if tasks == 1 { 200 } else { 20 * tasks } },
    }
}
