//! Runs one case of the `redis` benchmark, for a profiler. A layer's name before the case, as in
//! `written-write`, runs an app's case under that layer: `written` or `tower`.
//!
//! ```sh
//! cargo run --release -p cloakroom-benches --example redis_profile -- write 64 100000
//! scripts/redis-instructions write 64
//! ```
//!
//! The second command counts the instructions of both processes. They are the same on a busy
//! machine, where times are not.

use std::error::Error;

use cloakroom_benches::redis_apps::{self, Newcomer, Visitor};
use cloakroom_benches::redis_contest::{Contest, Lane};
use cloakroom_benches::redis_jobs::{Create, Get, Load, Replace, Set, value_of};
use cloakroom_benches::redis_writes::WriteCounter;
use cloakroom_benches::sessions::record_with;
use cloakroom_benches::{Job, LocalRedis};
use tokio::runtime::{Builder, Runtime};

const USAGE: &str = "usage: redis_profile CASE TASKS REQUESTS [current-thread]";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [case, tasks, requests, threads @ ..] = &arguments[..] else { return Err(USAGE.into()) };
    let (tasks, requests) = (tasks.parse()?, requests.parse()?);
    let mut builder = match threads {
        [] => Builder::new_multi_thread(),
        [word] if word == "current-thread" => Builder::new_current_thread(),
        _ => return Err(USAGE.into()),
    };
    let profile = Profile {
        runtime: builder.enable_all().build()?,
        server: LocalRedis::start(),
        case,
        tasks,
        requests,
    };
    profile.run_case()?;
    profile.server.end();
    Ok(())
}

struct Profile<'a> {
    runtime: Runtime,
    server: LocalRedis,
    case: &'a str,
    tasks: usize,
    requests: usize,
}

impl Profile<'_> {
    fn run_case(&self) -> Result<(), Box<dyn Error>> {
        let record = record_with(512);
        let (store, client, value) = self.runtime.block_on(async {
            let (store, client) = (self.server.store(1).await, self.server.client(1).await);
            let value = value_of(&store, &client, &record).await;
            (store, client, value)
        });
        let (layer, case) = self.case.split_once('-').unwrap_or(("cloakroom", self.case));
        let app = match layer {
            "cloakroom" => redis_apps::cloakroom(store.clone()),
            "written" => redis_apps::handwritten(client.clone()),
            "tower" => redis_apps::tower_sessions(client.clone()),
            _ => return Err("layers: cloakroom written tower".into()),
        };
        match case {
            "read" => self.run(async || Visitor::new(app.clone(), Visitor::READS).await),
            "write" => self.run(async || Visitor::new(app.clone(), Visitor::WRITES).await),
            "new" => self.run(async || Newcomer::new(app.clone(), client.clone()).await),
            "load" => self.run(async || Load::new(&store, &record).await),
            "get" => self.run(async || Get::new(&client, &value).await),
            "replace" => self.run(async || Replace::new(&store, &record).await),
            "create" => self.run(async || Create::new(&store, &client, &record)),
            "set" => self.run(async || Set::over(&client, &value)),
            _ => return Err("cases: read write new load get replace create set".into()),
        }
        Ok(())
    }

    fn run<J: Job>(&self, job: impl AsyncFn() -> J) {
        let (counter, jobs) = self.runtime.block_on(async {
            let mut jobs = Vec::with_capacity(self.tasks);
            for _ in 0..self.tasks {
                jobs.push(job().await);
            }
            (WriteCounter::new(self.server.client(0).await), jobs)
        });
        let lanes = vec![Lane::new("", &self.runtime, &counter, jobs)];
        let mut contest =
            Contest { name: "", tasks: self.tasks, commands: 1, lanes, batch: 20 * self.tasks };
        // This warms up.
        contest.play(0);
        contest.forget();
        contest.batch = self.requests;
        let server_before = self.server.cpu_time();
        contest.play(0);
        let server = (self.server.cpu_time() - server_before).as_secs_f64() * 1e6;
        println!(
            "{}, {} tasks, each request: {:.1} us of CPU time here and {:.1} in the server, {:.3} write calls",
            self.case,
            self.tasks,
            contest.cpu_micros(0),
            server / self.requests as f64,
            contest.writes(0).unwrap_or(f64::NAN),
        );
    }
}
