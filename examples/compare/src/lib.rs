//! Where should sessions live? Runs one shop under every strategy, breaks things, and shows what was
//! measured.
//!
//! ```text
//! cargo run --release -p compare -- --quick
//! ```
//!
//! `comparison` goes through the strategies and `stage` carries out one of them: `store` has its
//! servers, `node` the shop, `cluster` the shop's own replication, `balancer` what stands before the
//! nodes, `shopper` who visits them. `results` is what comes out.

mod balancer;
mod cli;
mod cluster;
mod comparison;
pub mod cost;
mod existing;
pub mod losses;
mod machine;
pub mod month;
pub mod near;
mod node;
pub mod prices;
mod process;
pub mod report;
pub mod results;
mod shopper;
mod stage;
mod store;
mod strategy;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::Builder;

use cli::{Cli, Role};
use month::NodeTypes;
use prices::Prices;

type Problem = Box<dyn Error + Send + Sync>;
type Fallible<T> = Result<T, Problem>;

/// Runs the program, with the arguments of this process.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.role {
        // These two run before there is a runtime: both become something else or wait for a file.
        Some(Role::Attached(attached)) => Err(process::attach(&attached)),
        Some(Role::InGuest(program)) => in_a_runtime(process::in_guest(program)),
        Some(Role::Janitor { folder }) => process::janitor(&folder),
        Some(Role::Node(node)) => in_a_runtime(node::serve(node)).map(|()| ExitCode::SUCCESS),
        Some(Role::DynamodbEmulator) => {
            in_a_runtime(store::emulator::serve()).map(|()| ExitCode::SUCCESS)
        }
        Some(Role::Costs(options)) => costs(&options),
        None if !cli.options.store.is_empty() => in_a_runtime(existing::measure(cli.options)),
        None => in_a_runtime(comparison::compare(cli.options)),
    };
    done.unwrap_or_else(|problem| {
        eprintln!("compare: {}", with_causes(&*problem));
        ExitCode::FAILURE
    })
}

/// Prints the bills of a month.
fn costs(options: &cli::Costs) -> Fallible<ExitCode> {
    let prices = match &options.prices {
        Some(path) => Prices::from_file(path)?,
        None => Prices::read()?,
    };
    let costs = report::Costs::compute(&options.shop()?, &prices, &NodeTypes::read()?);
    print!("{}", report::terminal_costs(&costs));
    Ok(ExitCode::SUCCESS)
}

/// Not `tokio::main`, because the future has to stay on this thread: see [`process`].
fn in_a_runtime<T>(work: impl Future<Output = Fallible<T>>) -> Fallible<T> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(work)
}

fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
