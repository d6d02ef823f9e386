//! Compares the Redis store with fred alone, and an app over the store with a hand-written layer
//! over fred. The result is the share of the other side's throughput.
//!
//! A server is started for the run. Each side has one connection to it, moves the same bytes, and
//! takes turns with the other in short rounds. The second number is the same share by the CPU time
//! of this process only. On a machine with few processors, which the server and other programs use
//! too, it shows the library's part in the throughput.

use axum::Router;
use bytes::Bytes;
use cloakroom::store::RedisStore;
use cloakroom_benches::redis_apps::{self, Visitor};
use cloakroom_benches::redis_jobs::{Create, Get, Load, Replace, Set, value_of};
use cloakroom_benches::sessions::record_with;
use cloakroom_benches::{Effort, Job, LocalRedis, Meter, compare, crew_lane, is_quick};
use fred::clients::Client;
use tokio::runtime::{Builder, Runtime};

const MANY: usize = 64;

struct Bench {
    runtime: Runtime,
    store: RedisStore,
    client: Client,
    record: Bytes,
    value: Bytes,
}

struct Case {
    name: &'static str,
    tasks: usize,
    goal: Option<f64>,
}

fn main() {
    let server = LocalRedis::start();
    let bench = Bench::over(&server);
    println!("share of the other side's throughput (by CPU time)\n");
    println!("case                       tasks  goal   share");
    for tasks in [1, MANY] {
        bench.load(tasks);
        bench.replace(tasks);
        bench.create(tasks);
    }
    bench.app("app reads / by hand", Visitor::READS, 0.95);
    bench.app("app writes / by hand", Visitor::WRITES, 0.9);
}

impl Bench {
    fn over(server: &LocalRedis) -> Self {
        let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let record = record_with(512);
        let (store, client, value) = runtime.block_on(async {
            let (store, client) = (server.store().await, server.client().await);
            let value = value_of(&store, &client, &record).await;
            (store, client, value)
        });
        Self { runtime, store, client, record, value }
    }

    fn load(&self, tasks: usize) {
        let Self { store, client, record, value, .. } = self;
        let case = Case { name: "load / GET", tasks, goal: Some(0.9) };
        let theirs = async || Get::new(client, value).await;
        self.print(&case, theirs, async || Load::new(store, record).await);
    }

    fn replace(&self, tasks: usize) {
        let Self { store, client, record, value, .. } = self;
        let case = Case { name: "replace / SET PX", tasks, goal: None };
        let theirs = async || Set::over(client, value);
        self.print(&case, theirs, async || Replace::new(store, record).await);
    }

    fn create(&self, tasks: usize) {
        let Self { store, client, record, value, .. } = self;
        let case = Case { name: "create / SET PX", tasks, goal: None };
        let theirs = async || Set::anew(client, value);
        self.print(&case, theirs, async || Create::new(store, client, record));
    }

    fn app(&self, name: &'static str, paths: &'static [&'static str], goal: f64) {
        let case = Case { name, tasks: MANY, goal: Some(goal) };
        let visitor = async |app: &Router| Visitor::new(app.clone(), paths).await;
        let theirs = redis_apps::handwritten(self.client.clone());
        let ours = redis_apps::cloakroom(self.store.clone());
        self.print(&case, async || visitor(&theirs).await, async || visitor(&ours).await);
    }

    fn print<A: Job, B: Job>(
        &self,
        case: &Case,
        theirs: impl AsyncFn() -> A,
        ours: impl AsyncFn() -> B,
    ) {
        let [by_clock, by_cpu] = [Meter::Clock, Meter::Cpu].map(|meter| {
            let theirs = crew_lane(&self.runtime, meter, self.crew(case.tasks, &theirs));
            let ours = crew_lane(&self.runtime, meter, self.crew(case.tasks, &ours));
            compare(&mut [theirs, ours], effort(case.tasks))[1].recip()
        });
        let goal = case.goal.map_or("-".to_owned(), |goal| format!("{goal:.2}"));
        print!("{:<25} {:>6} {goal:>5} {by_clock:>7.2} ({by_cpu:.2})", case.name, case.tasks);
        let is_missed = case.goal.is_some_and(|goal| by_clock < goal);
        println!("{}", if is_missed { "   under the goal" } else { "" });
    }

    fn crew<J: Job>(&self, tasks: usize, job: impl AsyncFn() -> J) -> Vec<J> {
        self.runtime.block_on(async {
            let mut jobs = Vec::with_capacity(tasks);
            for _ in 0..tasks {
                jobs.push(job().await);
            }
            jobs
        })
    }
}

fn effort(tasks: usize) -> Effort {
    match is_quick() {
        true => Effort { rounds: 3, batch: 4 * tasks },
        false => Effort { rounds: 100, batch: if tasks == 1 { 400 } else { 50 * tasks } },
    }
}
