//! ElastiCache's auto discovery: the nodes of a cluster, asked of its configuration endpoint.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::timeout;

use super::access::Access;
use super::connection::Connection;
use super::failure::Failure;
use super::nodes::Nodes;
use crate::abort_on_drop::AbortOnDrop;
use crate::error::StoreError;

const QUESTION: &str = "config get cluster";
/// For connecting, the question and the answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Where a cluster's nodes can be learned, and how often that is done.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) every: Duration,
}

/// The nodes of a cluster. The version rises with every change of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cluster {
    pub(super) version: u64,
    pub(super) nodes: Vec<(String, u16)>,
}

pub(super) type Polling = AbortOnDrop<()>;

impl Endpoint {
    pub(super) async fn ask(&self, access: &Access) -> Result<Cluster, StoreError> {
        let asking = Connection::ask_once(&self.host, self.port, access, QUESTION);
        let text = timeout(TIMEOUT, asking).await.unwrap_or(Err(Failure::Silent));
        let text = text.map_err(Failure::of_a_read)?;
        let cluster = Cluster::parse(&text).ok_or_else(|| {
            Failure::misconfigured("the configuration endpoint's answer names no nodes")
        });
        cluster.map_err(Failure::of_a_read)
    }

    /// Keeps the nodes as the endpoint has them, from this version on.
    pub(super) fn poll(self, access: Access, nodes: &Arc<Nodes>, version: u64) -> Polling {
        let polling = keep_up_to_date(self, access, Arc::downgrade(nodes), version);
        AbortOnDrop::new(tokio::spawn(polling))
    }
}

async fn keep_up_to_date(endpoint: Endpoint, access: Access, nodes: Weak<Nodes>, mut version: u64) {
    loop {
        tokio::time::sleep(endpoint.every).await;
        let answer = endpoint.ask(&access).await;
        let Some(nodes) = nodes.upgrade() else { return };
        match answer {
            Ok(cluster) if cluster.version > version => {
                nodes.replace(&cluster.nodes, cluster.version, &access);
                version = cluster.version;
                say_changed(version, cluster.nodes.len());
            }
            // From a node that has not heard yet; to go back would move sessions to and fro.
            Ok(cluster) if cluster.version < version => say_outdated(version, cluster.version),
            Ok(_) => {}
            Err(error) => say_unknown(&error),
        }
    }
}

fn say_changed(version: u64, nodes: usize) {
    tracing::info!(version, nodes, "the session store's nodes have changed");
}

fn say_outdated(known: u64, answered: u64) {
    tracing::warn!(known, answered, "an outdated list of the session store's nodes");
}

fn say_unknown(error: &(dyn std::error::Error + 'static)) {
    tracing::warn!(error, "the session store's nodes cannot be learned: they stay as they are");
}

impl Cluster {
    /// Of the answer's lines. `None` unless all of it is as it should be: half a list would move
    /// the sessions of the other half.
    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once('\n')?;
        let mut words = head.strip_prefix("CONFIG cluster ")?.split(' ');
        let _flags: u32 = words.next()?.parse().ok()?;
        let length: usize = words.next()?.parse().ok()?;
        let (body, rest) = body.split_at_checked(length)?;
        let mut lines = body.lines();
        let version = lines.next()?.trim().parse().ok()?;
        let nodes = lines.next()?.split_whitespace().map(place).collect::<Option<Vec<_>>>()?;
        let is_whole = rest.trim().is_empty() && lines.all(|line| line.trim().is_empty());
        (is_whole && !nodes.is_empty()).then_some(Self { version, nodes })
    }
}

/// `host|address|port`; by its host, which stays when a node is replaced, and which a certificate
/// is for.
fn place(node: &str) -> Option<(String, u16)> {
    let (host, rest) = node.split_once('|')?;
    let (address, port) = rest.split_once('|')?;
    let host = if host.is_empty() { address } else { host };
    let port = port.parse().ok().filter(|&port| port != 0)?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: &str) -> Option<Cluster> {
        Cluster::parse(&format!("CONFIG cluster 0 {}\n{body}\n", body.len()))
    }

    #[test]
    fn the_nodes_of_an_answer_are_found() {
        let cluster = parsed("12\na.cache.amazonaws.com|10.0.0.1|11211 |10.0.0.2|11212\n");
        let nodes = [("a.cache.amazonaws.com", 11_211), ("10.0.0.2", 11_212)];
        let nodes = nodes.map(|(host, port)| (host.to_owned(), port)).into();
        assert_eq!(cluster, Some(Cluster { version: 12, nodes }));
    }

    #[test]
    fn an_answer_that_is_not_whole_names_no_nodes() {
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
            assert_eq!(Cluster::parse(text), None, "{text:?}");
        }
    }
}
