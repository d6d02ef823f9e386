//! Compares apps over Redis under three layers, and the store's commands with those of fred alone.
//!
//! The layers are a hand-written one without promises, which is the measure, this library's, and
//! tower-sessions with signed cookies. A server is started for the run. Each lane has one connection
//! to it, with the same options and a database of its own, and moves the same bytes. All lanes take
//! turns in short rounds, and all cases are in each round, so that a noisy minute does not decide
//! about one case.
//!
//! The shares by the CPU time of this process show the library's part on a machine with few
//! processors, which the server and other programs use too.

use std::cell::Cell;

use axum::Router;
use bytes::Bytes;
use cloakroom::store::RedisStore;
use cloakroom_benches::redis_apps::{self, Newcomer, Visitor};
use cloakroom_benches::redis_contest::{Contest, Lane};
use cloakroom_benches::redis_jobs::{Create, Get, Load, Replace, Set, value_of};
use cloakroom_benches::redis_table::{self, Goal};
use cloakroom_benches::redis_writes::WriteCounter;
use cloakroom_benches::sessions::record_with;
use cloakroom_benches::{Job, LocalRedis, is_quick};
use fred::clients::Client;
use tokio::runtime::{Builder, Runtime};

const MANY: usize = 64;

const LOAD: &str = "load / GET";

// The places of lanes in a contest.
const LIBRARY: usize = 1;
const TOWER_SESSIONS: usize = 2;

struct Bench {
    runtime: Runtime,
    server: LocalRedis,
    counter: WriteCounter,
    record: Bytes,
    value: Bytes,
    last_database: Cell<u8>,
}

fn main() {
    let bench = Bench::new();
    let rounds = if is_quick() { 3 } else { 41 };
    let mut contests = bench.contests();
    // With words on the command line only the cases whose names begin with one of them.
    let words: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    contests.retain(|(contest, _)| {
        words.is_empty() || words.iter().any(|word| contest.name.starts_with(word))
    });
    if !is_quick() {
        (0..3).for_each(|round| contests.iter_mut().for_each(|(contest, _)| contest.play(round)));
        contests.iter_mut().for_each(|(contest, _)| contest.forget());
    }
    for round in 0..rounds {
        contests.iter_mut().for_each(|(contest, _)| contest.play(round));
    }
    redis_table::print_head(rounds);
    for (contest, goals) in &contests {
        redis_table::print(contest, goals);
    }
    let mut contests = contests.iter().map(|(contest, _)| contest);
    // A connection with one task has nothing to gather, so the number of its write calls is known.
    let known = contests.find(|contest| (contest.name, contest.tasks) == (LOAD, 1));
    if let Some(known) = known {
        redis_table::print_check(known);
    }
}

impl Bench {
    fn new() -> Self {
        let server = LocalRedis::start();
        let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let record = record_with(512);
        let (counter, value) = runtime.block_on(async {
            let (store, client) = (server.store(0).await, server.client(0).await);
            let value = value_of(&store, &client, &record).await;
            (WriteCounter::new(client), value)
        });
        Self { runtime, server, counter, record, value, last_database: Cell::new(0) }
    }

    fn contests(&self) -> Vec<(Contest<'_>, Vec<Goal>)> {
        let mut contests = Vec::new();
        for tasks in [1, MANY] {
            let goals = |one, many| {
                let share = if tasks == 1 { one } else { many };
                let ahead = Goal { lane: LIBRARY, measure: TOWER_SESSIONS, share: 1.0 };
                let goal = Goal { lane: LIBRARY, measure: 0, share };
                if tasks == 1 { vec![goal] } else { vec![goal, ahead] }
            };
            contests.extend([
                (self.visits("app reads", tasks, 1, Visitor::READS), goals(1.0, 0.95)),
                (self.visits("app writes", tasks, 2, Visitor::WRITES), goals(0.85, 0.9)),
                (self.new_sessions(tasks), goals(0.95, 0.9)),
                (self.load(tasks), vec![Goal { lane: LIBRARY, measure: 0, share: 0.9 }]),
                (self.replace(tasks), Vec::new()),
                (self.create(tasks), Vec::new()),
            ]);
        }
        contests
    }

    fn visits(
        &self,
        name: &'static str,
        tasks: usize,
        commands: usize,
        paths: &'static [&'static str],
    ) -> Contest<'_> {
        let lanes = self.apps().map(|(name, app, _)| {
            self.lane(name, tasks, async || Visitor::new(app.clone(), paths).await)
        });
        contest(name, tasks, commands, lanes)
    }

    fn new_sessions(&self, tasks: usize) -> Contest<'_> {
        let lanes = self.apps().map(|(name, app, client)| {
            let newcomer = async || Newcomer::new(app.clone(), client.clone()).await;
            self.lane(name, tasks, newcomer)
        });
        contest("app new sessions", tasks, 1, lanes)
    }

    fn load(&self, tasks: usize) -> Contest<'_> {
        let Self { record, value, .. } = self;
        let ((_, client), (store, _)) = (self.connect(), self.connect());
        let theirs = self.lane("GET", tasks, async || Get::new(&client, value).await);
        let ours = self.lane("load", tasks, async || Load::new(&store, record).await);
        contest(LOAD, tasks, 1, [theirs, ours])
    }

    fn replace(&self, tasks: usize) -> Contest<'_> {
        let Self { record, value, .. } = self;
        let ((_, client), (store, _)) = (self.connect(), self.connect());
        let theirs = self.lane("SET PX", tasks, async || Set::over(&client, value));
        let ours = self.lane("replace", tasks, async || Replace::new(&store, record).await);
        contest("replace / SET PX", tasks, 1, [theirs, ours])
    }

    fn create(&self, tasks: usize) -> Contest<'_> {
        let Self { record, value, .. } = self;
        let ((_, client), (store, tidying)) = (self.connect(), self.connect());
        let theirs = self.lane("SET PX", tasks, async || Set::anew(&client, value));
        let ours = self.lane("create", tasks, async || Create::new(&store, &tidying, record));
        contest("create / SET PX", tasks, 1, [theirs, ours])
    }

    /// Returns the app under each layer, each with a client for its database.
    fn apps(&self) -> [(&'static str, Router, Client); 3] {
        let [(_, by_hand), (_, leading)] = [self.connect(), self.connect()];
        let (store, client) = self.connect();
        [
            ("hand-written", redis_apps::handwritten(by_hand.clone()), by_hand),
            ("cloakroom", redis_apps::cloakroom(store), client),
            ("tower-sessions", redis_apps::tower_sessions(leading.clone()), leading),
        ]
    }

    /// Connects to a new database. A lane uses one of the two connections, and may use the client to
    /// delete its sessions between the rounds.
    fn connect(&self) -> (RedisStore, Client) {
        let database = self.last_database.get() + 1;
        self.last_database.set(database);
        let Self { runtime, server, .. } = self;
        runtime.block_on(async { (server.store(database).await, server.client(database).await) })
    }

    fn lane<J: Job>(&self, name: &'static str, tasks: usize, job: impl AsyncFn() -> J) -> Lane<'_> {
        let jobs = self.runtime.block_on(async {
            let mut jobs = Vec::with_capacity(tasks);
            for _ in 0..tasks {
                jobs.push(job().await);
            }
            jobs
        });
        Lane::new(name, &self.runtime, &self.counter, jobs)
    }
}

fn contest<'a>(
    name: &'static str,
    tasks: usize,
    commands: usize,
    lanes: impl Into<Vec<Lane<'a>>>,
) -> Contest<'a> {
    let batch = match is_quick() {
        true => 2 * tasks,
        false if tasks == 1 => 1_500,
        false => 100 * tasks,
    };
    Contest { name, tasks, commands, lanes: lanes.into(), batch }
}
