//! The scripts and commands of the store on real servers against the model of the contract.
//!
//! One of the two stores gathers commands and the other sends each alone. Among the entries are values that no store
//! of this release has written: of other types, cut, empty, of a newer format. Each key must have a time to live, and
//! one that ends no live entry.

use std::sync::Arc;

use async_trait::async_trait;
use cloakroom::store::{SessionStore, StoreKey};
use cloakroom::{Clock, ManualClock, Timestamp};
use cloakroom_testing::MINUTE;
use cloakroom_testing::model::{Meddling, Subject, Surroundings, compare};
use cloakroom_testing::redis::{Cluster, Flavour, Node, Reply, Standalone};

use super::conformance::Topology;
use super::setup::{builder, open};

/// The longest time to live that the store asks for, as a server counts it.
const LONGEST: u64 = 100 * 365 * 24 * 60 * 60 * 1_000;
/// The length of everything in front of an entry's bytes.
const HEAD: u64 = 18;

struct Servers<T> {
    topology: T,
    clock: ManualClock,
}

impl<T: Topology> Servers<T> {
    fn new(topology: T) -> Self {
        Self { topology, clock: ManualClock::at(Clock::system().now()) }
    }

    async fn connect(&self, multi_key_commands: bool) -> Arc<dyn SessionStore> {
        let builder = builder().clock(self.clock.clone()).command_timeout(2 * MINUTE);
        let builder = builder.multi_key_commands(multi_key_commands);
        Arc::new(open(builder, &self.topology.server()).await)
    }

    /// Returns the name of the key, and the node that has it.
    fn place(&self, key: &StoreKey) -> (String, &Node) {
        let hex: String = key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("cloakroom:{hex}");
        let node = self.topology.node(&name);
        (name, node)
    }
}

#[async_trait]
impl<T: Topology> Surroundings for Servers<T> {
    async fn meddle(&self, key: &StoreKey, choice: u64) -> Meddling {
        let (name, node) = self.place(key);
        let Reply::Bytes(mut value) = node.ask(&["GET", &name]) else { panic!("no entry") };
        let detail = choice >> 8;
        match choice % 8 {
            0..4 => {
                assert_eq!(node.ask(&["DEL", &name]).integer(), 1);
                match choice % 8 {
                    0 => return Meddling::Removed,
                    1 => node.ask(&["LPUSH", &name, "message", "an item"]).integer(),
                    2 => node.ask(&["HSET", &name, "field", "a value"]).integer(),
                    _ => node.ask(&["ZADD", &name, "1", "a member"]).integer(),
                };
                return Meddling::Damaged;
            }
            4 => value.truncate(usize::try_from(detail % HEAD).unwrap()),
            5 => value[usize::from(detail.is_multiple_of(2))] = 0,
            6 => value = b"message".to_vec(),
            _ => {
                value[1] = 2 + u8::try_from(detail % 254).unwrap();
                // What a newer format has after its number is not known.
                value.truncate(if detail.is_multiple_of(2) { 2 } else { usize::MAX });
            }
        }
        let words: [&[u8]; 3] = [b"SET", name.as_bytes(), &value];
        node.door().open().unwrap().ask(&words).unwrap().ok();
        if choice % 8 == 7 { Meddling::Newer } else { Meddling::Damaged }
    }

    async fn inspect(&self, key: &StoreKey, deadline: Option<Timestamp>) {
        let (name, node) = self.place(key);
        let left = node.ask(&["PTTL", &name]).integer();
        // An entry past its deadline may still be there.
        let is_absent = left == -2;
        assert!(left >= 0 || is_absent, "{name} has no time to live");
        if let Some(deadline) = deadline {
            let wanted = u64::try_from(deadline.since(self.clock.now()).as_millis()).unwrap();
            // It was set a moment ago, and the clock here has not moved since.
            let least = i64::try_from(wanted.min(LONGEST)).unwrap() - 5 * 60_000;
            assert!(left >= least, "{name} goes in {left} ms, and should live for {wanted}");
        }
    }
}

async fn explains<T: Topology>(topology: T, seeds: u64) {
    let servers = Servers::new(topology);
    let handles = [servers.connect(true).await, servers.connect(false).await];
    compare(&Subject::new(handles, &servers.clock), &servers, seeds).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn every_answer_is_explained() {
    for &flavour in Flavour::available() {
        println!("{flavour:?}");
        explains(Standalone::start(flavour), 20).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn every_answer_of_a_cluster_is_explained() {
    explains(Cluster::start(Flavour::Redis7), 10).await;
}
