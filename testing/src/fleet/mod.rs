//! Several nodes of an example over one store, behind a proxy that gives each request to the next node,
//! and checks of what the cart and the login example promise.
//!
//! A check returns an error instead of panicking, so that a test can show that it fails when it
//! must.

mod checks;
mod logins;
mod moving;
mod round_robin;

use std::collections::BTreeSet;
use std::env;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use tokio::task::block_in_place;

use crate::examples::{Server, Visitor};
use round_robin::RoundRobin;

pub use checks::{a_cart_is_everywhere, logout_is_final, parallel_counts};
pub use logins::two_nodes_share_their_users;
pub use moving::{
    Crowd, Members, STEPS, Shoppers, StoreMove, Trade, keys_of_files, keys_of_redis, move_the_rest,
};

/// The environment variable with the key of all nodes.
pub const KEYS: (&str, &str) = ("SESSION_KEYS", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY");

/// The nodes and their proxy. Dropping it ends all processes.
#[derive(Debug)]
pub struct Fleet {
    /// The URLs of the nodes.
    nodes: Vec<String>,
    balancer: RoundRobin,
    /// The nodes that were started here. They end when they are dropped.
    servers: Vec<Server>,
}

/// How a node leaves the fleet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaving {
    /// As in a roll-out: it gets no further requests, answers those that it has, and is told to end.
    Drained,
    /// It dies in the middle of its requests.
    Killed,
}

impl Fleet {
    /// Starts nodes of the cart called `node-1`, `node-2`, …. If the example was built without
    /// `features`, builds it with them.
    pub async fn start(nodes: usize, store: &str, features: &str) -> Self {
        Self::start_with(nodes, store, features, &[]).await
    }

    /// Starts nodes of the cart with further environment variables.
    pub async fn start_with(
        nodes: usize,
        store: &str,
        features: &str,
        variables: &[(&str, &str)],
    ) -> Self {
        Self::patient("cart", nodes, store, features, variables).await
    }

    /// Starts nodes of an example that wait long for their store: a server that shares the machine with compilers
    /// may be slow without being broken.
    pub(crate) async fn patient(
        example: &'static str,
        nodes: usize,
        store: &str,
        features: &str,
        variables: &[(&str, &str)],
    ) -> Self {
        let before = if store.contains('?') { '&' } else { '?' };
        let store = match store.contains("timeout_ms=") {
            true => store.to_owned(),
            false => format!("{store}{before}timeout_ms=20000"),
        };
        let variables = [variables, &[("TIMEOUT", "20")]].concat();
        Self::of(example, nodes, &store, features, &variables).await
    }

    /// Starts nodes of an example.
    pub async fn of(
        example: &'static str,
        nodes: usize,
        store: &str,
        features: &str,
        variables: &[(&str, &str)],
    ) -> Self {
        let variables = [variables, &[KEYS, ("STORE", store)]].concat();
        build(example, store, features, &variables);
        let name = |at| format!("node-{at}");
        let start = |at| Server::start(example, &[&variables[..], &[("NODE", &name(at))]].concat());
        let servers: Vec<_> = (1..=nodes).map(start).collect();
        let nodes = servers.iter().map(|server| server.url.clone()).collect();
        Self { servers, ..Self::with_nodes(nodes).await }
    }

    /// Ends a node that was started here, and starts another one in its place, with these variables.
    /// The proxy sends no request to a node that is not listening, except after a kill.
    pub async fn replace(
        &mut self,
        node: usize,
        leaving: Leaving,
        example: &str,
        variables: &[(&str, &str)],
    ) {
        if leaving == Leaving::Killed {
            block_in_place(|| self.servers[node].kill());
        }
        self.balancer.drain(&self.nodes[node]).await;
        if leaving == Leaving::Drained {
            block_in_place(|| self.servers[node].terminate());
        }
        let name = format!("node-{}", node + 1);
        let variables = [variables, &[KEYS, ("NODE", &name)]].concat();
        self.servers[node] = block_in_place(|| Server::start(example, &variables));
        self.nodes[node].clone_from(&self.servers[node].url);
        self.balancer.add(&self.nodes[node]);
    }

    /// Makes a fleet of nodes that run already, perhaps on other hosts.
    pub async fn with_nodes(nodes: Vec<String>) -> Self {
        let balancer = RoundRobin::before(nodes.clone()).await;
        Self { nodes, balancer, servers: Vec::new() }
    }

    /// Returns a visitor without a cookie whose requests go to the nodes in turn.
    pub fn visitor(&self) -> Visitor {
        Visitor::to(&self.balancer.url)
    }

    /// Returns a visitor with the same cookie at one node. The first node follows the last.
    pub fn at(&self, node: usize, visitor: &Visitor) -> Visitor {
        let mut there = Visitor::to(self.url(node));
        there.cookie.clone_from(&visitor.cookie);
        there
    }

    /// Returns the URL of one node. The first node follows the last.
    pub fn url(&self, node: usize) -> &str {
        &self.nodes[node % self.nodes.len()]
    }
}

/// The examples with the store schemes that they are known to have.
static BUILT: Mutex<BTreeSet<(&str, String)>> = Mutex::new(BTreeSet::new());

pub(crate) fn build(
    example: &'static str,
    store: &str,
    features: &str,
    variables: &[(&str, &str)],
) {
    let scheme = store.split(':').next().unwrap_or_default();
    let has = (example, scheme.to_owned());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if built.contains(&has) {
        return;
    }
    if lacks_the_store(example, variables) {
        cargo_build(example, features);
        let lacks = lacks_the_store(example, variables);
        assert!(!lacks, "`--features {features}` does not give `{scheme}:`");
    }
    built.insert(has);
}

/// Starts the example to see whether it has the store: a binary does not show its features.
fn lacks_the_store(example: &str, variables: &[(&str, &str)]) -> bool {
    let Err(error) = Server::try_start(example, variables) else { return false };
    let lacks = error.contains("which is off in this build");
    assert!(lacks, "`{example}` does not start: {error}");
    lacks
}

fn cargo_build(example: &str, features: &str) {
    let test = env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).expect("tests are in target/PROFILE/deps");
    let name = match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--package", "cloakroom", "--example", example, "--profile", name])
        .args(["--features", features, "--target-dir"])
        .arg(profile.parent().unwrap())
        .status();
    assert!(status.unwrap().success(), "`{example}` does not build with `{features}`");
}
