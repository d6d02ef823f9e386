//! The table of a run: the shares beside their goals.

use crate::redis_contest::{Contest, Spread};

/// The least share of another lane's throughput that a lane shall have, by wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// The lane.
    pub lane: usize,
    /// The lane that it is compared with.
    pub measure: usize,
    /// The least share.
    pub share: f64,
}

/// Prints what the columns are.
pub fn print_head(rounds: usize) {
    println!(
        "Share of the throughput of each case's first lane: median [quartiles] (lowest, highest) of"
    );
    println!(
        "{rounds} rounds. CPU time is that of this process only, as is the count of write calls.\n"
    );
    println!(
        "{:<30} {:>4}  {:<32} {:<32} {:>10} {:>9}",
        "", "goal", "by clock", "by CPU time", "CPU us", "writes"
    );
    println!("{:<30} {:>4}  {:<32} {:<32} {:>10} {:>9}", "", "", "", "", "/request", "/command");
}

/// Prints the lanes of a case. If there are three, the second is also compared with the third.
pub fn print(contest: &Contest<'_>, goals: &[Goal]) {
    let tasks = if contest.tasks == 1 { "task" } else { "tasks" };
    println!("{}, {} {tasks}", contest.name, contest.tasks);
    for (index, lane) in contest.lanes.iter().enumerate() {
        print_shares(contest, goals, lane.name, [index, 0]);
    }
    if let [_, ours, theirs] = &contest.lanes[..] {
        print_shares(contest, goals, &format!("{} / {}", ours.name, theirs.name), [1, 2]);
    }
}

/// Prints a warning if the write calls of this contest's first lane, which makes exactly one for each
/// command, are counted wrongly.
pub fn print_check(contest: &Contest<'_>) {
    let Some(counted) = contest.writes(0) else { return };
    if (counted - 1.0).abs() > 0.02 {
        println!(
            "\nThe write calls are counted wrongly: the first lane of \"{}\" must have 1.00 for each\n\
             command with {} task, and has {counted:.2}.",
            contest.name, contest.tasks
        );
    }
}

fn print_shares(contest: &Contest<'_>, goals: &[Goal], name: &str, [lane, measure]: [usize; 2]) {
    let (by_clock, by_cpu) =
        (contest.share_by_clock(lane, measure), contest.share_by_cpu(lane, measure));
    let goal = goals.iter().find(|goal| (goal.lane, goal.measure) == (lane, measure));
    let goal = goal.map(|goal| goal.share);
    let (cpu, writes) = match measure {
        0 => (format!("{:.1}", contest.cpu_micros(lane)), number(contest.writes(lane))),
        _ => Default::default(),
    };
    let shares = match lane {
        0 => format!("{:<32} {:<32}", "1.00", "1.00"),
        _ => format!("{:<32} {:<32}", text(by_clock), text(by_cpu)),
    };
    let verdict =
        if goal.is_some_and(|goal| by_clock.median < goal) { "under the goal" } else { "" };
    let line =
        format!("  {name:<28} {:>4}  {shares} {cpu:>10} {writes:>9}   {verdict}", number(goal));
    println!("{}", line.trim_end());
}

fn text(spread: Spread) -> String {
    let Spread { median, quartiles: [lower, upper], range: [low, high] } = spread;
    format!("{median:.2} [{lower:.2} {upper:.2}] ({low:.2} {high:.2})")
}

fn number(number: Option<f64>) -> String {
    number.map_or("-".to_owned(), |number| format!("{number:.2}"))
}
