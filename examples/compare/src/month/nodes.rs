//! The smallest ElastiCache nodes that hold so many bytes, from `docs/aws-nodes.json`, which also has
//! the classes of databases.

use serde::{Deserialize, Serialize};

use super::Databases;

const MEGABYTE: f64 = 1024.0 * 1024.0;

#[derive(Debug, Deserialize)]
pub struct NodeTypes {
    pub source: String,
    pub as_of: String,
    pub notice: String,
    /// What AWS tells Redis and Valkey nodes to keep free, in percent.
    reserved_percent: f64,
    memcached_connections_overhead_mb: f64,
    /// By size, the smallest first.
    nodes: Vec<NodeType>,
    pub databases: Databases,
}

#[derive(Debug, Deserialize)]
struct NodeType {
    #[serde(rename = "type")]
    name: String,
    maxmemory_bytes: f64,
    max_cache_memory_mb: f64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Engine {
    /// Valkey or Redis OSS: each shard is a primary and a replica in another zone.
    Valkey,
    /// Two nodes at least, in two zones, each with its part of the sessions and no replica.
    Memcached,
}

/// Nodes of one type.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Nodes {
    #[serde(rename = "type")]
    pub node_type: String,
    pub number: u32,
}

impl NodeTypes {
    pub fn read() -> Result<Self, serde_json::Error> {
        serde_json::from_str(include_str!("../../../../docs/aws-nodes.json"))
    }

    /// Returns the smallest type of which the least number of nodes holds so many bytes. Where even
    /// the largest does not, there are more of those.
    pub fn holding(&self, bytes: f64, engine: Engine) -> Option<Nodes> {
        let fits = |node: &&NodeType| self.pair_holds(node, engine) >= bytes;
        let node = self.nodes.iter().find(fits).or(self.nodes.last())?;
        let pairs = (bytes / self.pair_holds(node, engine)).ceil().max(1.0);
        // At most some thousands: a store of exabytes would be needed for more.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Some(Nodes { node_type: node.name.clone(), number: 2 * pairs as u32 })
    }

    /// Returns the bytes of sessions that two nodes hold: a primary and its replica, or two halves.
    fn pair_holds(&self, node: &NodeType, engine: Engine) -> f64 {
        match engine {
            Engine::Valkey => node.maxmemory_bytes * (1.0 - self.reserved_percent / 100.0),
            Engine::Memcached => {
                let free = node.max_cache_memory_mb - self.memcached_connections_overhead_mb;
                2.0 * free * MEGABYTE
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(bytes: f64, engine: Engine) -> (String, u32) {
        let nodes = NodeTypes::read().unwrap().holding(bytes, engine).unwrap();
        (nodes.node_type, nodes.number)
    }

    #[test]
    fn a_quarter_of_a_valkey_node_stays_free() {
        // 536,870,912 × 0.75 = 402,653,184.
        assert_eq!(holding(0.0, Engine::Valkey), ("cache.t4g.micro".into(), 2));
        assert_eq!(holding(402_653_184.0, Engine::Valkey), ("cache.t4g.micro".into(), 2));
        assert_eq!(holding(402_653_185.0, Engine::Valkey), ("cache.t4g.small".into(), 2));
        // 450,000,750,456 × 0.75 = 337,500,562,842.
        assert_eq!(holding(337_500_562_842.0, Engine::Valkey), ("cache.r7g.16xlarge".into(), 2));
        assert_eq!(holding(337_500_562_843.0, Engine::Valkey), ("cache.r7g.16xlarge".into(), 4));
    }

    #[test]
    fn two_memcached_nodes_hold_half_each() {
        // 2 × (512 − 100) MB = 864,026,624 bytes.
        assert_eq!(holding(864_026_624.0, Engine::Memcached), ("cache.t4g.micro".into(), 2));
        assert_eq!(holding(864_026_625.0, Engine::Memcached), ("cache.t4g.small".into(), 2));
    }

    #[test]
    fn the_types_are_in_the_order_of_their_size_for_both_engines() {
        let types = NodeTypes::read().unwrap();
        assert!(types.nodes.is_sorted_by_key(|node| node.maxmemory_bytes));
        assert!(types.nodes.is_sorted_by_key(|node| node.max_cache_memory_mb));
        assert!(types.source.contains("AWS") && types.as_of.contains("20"));
    }
}
