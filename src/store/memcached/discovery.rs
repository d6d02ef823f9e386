//! ElastiCache's auto discovery: learns the nodes of a cluster from its configuration endpoint.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::timeout;

use super::connect_options::ConnectOptions;
use super::connection::Connection;
use super::failure::misconfigured;
use super::nodes::Nodes;
use crate::abort_on_drop::AbortOnDrop;
use crate::error::StoreError;
use crate::store::failure::Failure;

const QUESTION: &str = "config get cluster";
/// The longest time for connecting, the question and the answer together.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A configuration endpoint, and how often it is asked.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) period: Duration,
}

/// The nodes of a cluster. The version rises whenever they change.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClusterNodes {
    pub(super) version: u64,
    pub(super) nodes: Vec<(String, u16)>,
}

/// The task that polls the endpoint. It ends when this is dropped.
pub(super) type Polling = AbortOnDrop<()>;

impl Endpoint {
    /// Asks the endpoint for the nodes. An error names the endpoint.
    pub(super) async fn fetch(&self, options: &ConnectOptions) -> Result<ClusterNodes, StoreError> {
        let asking = Connection::ask_once(&self.host, self.port, options, QUESTION);
        let text = timeout(TIMEOUT, asking).await.unwrap_or_else(|_| {
            Err(Failure::indeterminate("the configuration endpoint did not answer in time"))
        });
        let nodes = text.and_then(|text| {
            ClusterNodes::parse(&text).ok_or_else(|| {
                misconfigured("the answer of the configuration endpoint is not a list of nodes")
            })
        });
        nodes.map_err(|failure| {
            failure.at(format!("the configuration endpoint {}:{}", self.host, self.port)).for_read()
        })
    }

    /// Keeps `nodes` up to date in a task of its own. `version` is the one that `nodes` have now.
    pub(super) fn poll(self, options: ConnectOptions, nodes: &Arc<Nodes>, version: u64) -> Polling {
        let polling = keep_up_to_date(self, options, Arc::downgrade(nodes), version);
        AbortOnDrop::new(tokio::spawn(polling))
    }
}

async fn keep_up_to_date(
    endpoint: Endpoint,
    options: ConnectOptions,
    nodes: Weak<Nodes>,
    mut version: u64,
) {
    loop {
        tokio::time::sleep(endpoint.period).await;
        let answer = endpoint.fetch(&options).await;
        let Some(nodes) = nodes.upgrade() else { return };
        match answer {
            Ok(cluster) if cluster.version > version => {
                nodes.replace(&cluster.nodes, cluster.version, &options);
                version = cluster.version;
                log_changed(version, cluster.nodes.len());
            }
            // A node that has not heard of the change yet gave this answer. To go back to the former
            // list would move sessions to and fro.
            Ok(cluster) if cluster.version < version => log_outdated(version, cluster.version),
            Ok(_) => {}
            Err(error) => log_error(&error),
        }
    }
}

fn log_changed(version: u64, nodes: usize) {
    tracing::info!(version, nodes, "the session store's nodes have changed");
}

fn log_outdated(known: u64, answered: u64) {
    tracing::warn!(
        known,
        answered,
        "the configuration endpoint answered with an outdated list of nodes"
    );
}

fn log_error(error: &(dyn std::error::Error + 'static)) {
    tracing::warn!(
        error,
        "the nodes of the session store could not be asked for; the list stays as it is"
    );
}

impl ClusterNodes {
    /// Parses the lines of the answer. Returns `None` unless the whole answer is well-formed: half a
    /// list would move the sessions of the other half.
    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once('\n')?;
        let mut words = head.strip_prefix("CONFIG cluster ")?.split(' ');
        let _flags: u32 = words.next()?.parse().ok()?;
        let length: usize = words.next()?.parse().ok()?;
        let (body, rest) = body.split_at_checked(length)?;
        let mut lines = body.lines();
        let version = lines.next()?.trim().parse().ok()?;
        let nodes = lines.next()?.split_whitespace().map(parse_node).collect::<Option<Vec<_>>>()?;
        let is_whole = rest.trim().is_empty() && lines.all(|line| line.trim().is_empty());
        (is_whole && !nodes.is_empty()).then_some(Self { version, nodes })
    }
}

/// Parses `host|address|port`. A node is known by its host, which stays the same when the node is
/// replaced and which its certificate is for; the address changes.
fn parse_node(node: &str) -> Option<(String, u16)> {
    let (host, rest) = node.split_once('|')?;
    let (address, port) = rest.split_once('|')?;
    let host = if host.is_empty() { address } else { host };
    let port = port.parse().ok().filter(|&port| port != 0)?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: &str) -> Option<ClusterNodes> {
        ClusterNodes::parse(&format!("CONFIG cluster 0 {}\n{body}\n", body.len()))
    }

    #[test]
    fn the_nodes_are_read_from_an_answer() {
        let cluster = parsed("12\na.cache.amazonaws.com|10.0.0.1|11211 |10.0.0.2|11212\n");
        let nodes = [("a.cache.amazonaws.com", 11_211), ("10.0.0.2", 11_212)];
        let nodes = nodes.map(|(host, port)| (host.to_owned(), port)).into();
        assert_eq!(cluster, Some(ClusterNodes { version: 12, nodes }));
    }

    #[test]
    fn a_malformed_answer_has_no_nodes() {
        for body in [
            "",
            "12",
            "12\n",
            "12\n\n",
            "x\na|b|1",
            "12\na|b",
            "12\na|b|0",
            "12\n||1",
            "12\na|b|1 c",
            "-1\na|b|1",
            "12\na|b|1\nmore",
        ] {
            assert_eq!(parsed(body), None, "{body:?}");
        }
        for text in [
            "",
            "CONFIG cluster 0 99\n12\na|b|1\n",
            "CONFIG other 0 8\n12\na|b|1\n",
            "12\na|b|1\n",
            "CONFIG cluster 0 4\n12\na|b|1\n",
        ] {
            assert_eq!(ClusterNodes::parse(text), None, "{text:?}");
        }
    }
}
