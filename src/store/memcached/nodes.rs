//! Which server has which key.

use std::sync::{Arc, RwLock};

use sha2::{Digest, Sha256};

use super::access::Access;
use super::node::Node;
use crate::id::StoreKey;
use crate::poison::IgnorePoison;

/// The servers as they are now. Replaced as a whole by discovery, and by nothing else: two servers
/// of the app that went by what each can reach would keep two copies of one session.
pub(super) struct Nodes(RwLock<Arc<List>>);

/// How many lists are remembered.
const MAX_PAST: usize = 64;

struct List {
    era: u64,
    members: Vec<Member>,
    /// The lists before, the newest first: the era and the seeds of each.
    past: Vec<(u64, Vec<u64>)>,
}

#[derive(Clone)]
struct Member {
    seed: u64,
    node: Arc<Node>,
}

impl Nodes {
    pub(super) fn new(places: &[(String, u16)], era: u64, access: &Access) -> Self {
        let members = places.iter().map(|(host, port)| Member::new(host, *port, 0, access));
        Self(RwLock::new(Arc::new(List { era, members: members.collect(), past: Vec::new() })))
    }

    /// By rendezvous: the server with the highest score for this key. When one comes or goes, only
    /// its own share of the keys moves. There is always one. With the era of the list, and the first
    /// era from which on the key has been this server's without a break, as far as is known.
    pub(super) fn of(&self, key: &StoreKey) -> Option<(Arc<Node>, u64, u64)> {
        let list = self.list();
        let best = list.members.iter().max_by_key(|member| score(member.seed, key))?;
        let elsewhere = list.past.iter().find(|(_, seeds)| {
            seeds.iter().max_by_key(|&&seed| score(seed, key)) != Some(&best.seed)
        });
        let since = elsewhere.map_or(0, |(era, _)| era + 1);
        Some((best.node.clone(), list.era, since))
    }

    pub(super) fn all(&self) -> Vec<Arc<Node>> {
        self.list().members.iter().map(|member| member.node.clone()).collect()
    }

    /// Those that stay keep their connections.
    pub(super) fn replace(&self, places: &[(String, u16)], era: u64, access: &Access) {
        let present = self.list();
        let member = |(host, port): &(String, u16)| {
            let name = format!("{host}:{port}");
            let known = present.members.iter().find(|member| member.node.name == name);
            known.cloned().unwrap_or_else(|| Member::new(host, *port, era, access))
        };
        let seeds = present.members.iter().map(|member| member.seed).collect();
        let past = std::iter::once((present.era, seeds)).chain(present.past.iter().cloned());
        let past = past.take(MAX_PAST).collect();
        let list = List { era, members: places.iter().map(member).collect(), past };
        *self.0.write().ignore_poison() = Arc::new(list);
    }

    fn list(&self) -> Arc<List> {
        self.0.read().ignore_poison().clone()
    }
}

impl Member {
    fn new(host: &str, port: u16, joined: u64, access: &Access) -> Self {
        let node = Arc::new(Node::new(host, port, joined, access));
        Self { seed: seed(&node.name), node }
    }
}

/// Also decides between two servers of one score, as no two have one seed.
fn score(seed: u64, key: &StoreKey) -> (u64, u64) {
    let key = key.as_bytes().first_chunk().map_or(0, |head| u64::from_be_bytes(*head));
    (mixed(seed ^ key), seed)
}

/// Every server of the app, and every release, has to find the same.
fn seed(name: &str) -> u64 {
    Sha256::digest(name).first_chunk().map_or(0, |head| u64::from_be_bytes(*head))
}

/// Keys and seeds are random already; this makes each bit of a score depend on all of both
/// (SplitMix64, Steele, Lea and Flood, 2014).
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    const KEYS: usize = 30_000;

    fn access() -> Access {
        let command_timeout = Duration::from_secs(1);
        Access { credentials: None, tls: None, max_connections: 1, command_timeout }
    }

    fn places(hosts: &[&str]) -> Vec<(String, u16)> {
        hosts.iter().map(|&host| (host.to_owned(), 11_211)).collect()
    }

    fn homes(hosts: &[&str]) -> Vec<String> {
        let nodes = Nodes::new(&places(hosts), 1, &access());
        let key = |number: usize| StoreKey::from_bytes(Sha256::digest(number.to_be_bytes()).into());
        (0..KEYS).map(|number| nodes.of(&key(number)).unwrap().0.name.clone()).collect()
    }

    #[test]
    fn every_release_finds_the_same_server() {
        let nodes = Nodes::new(&places(&["a", "b", "c"]), 1, &access());
        let homes: Vec<_> = (0..8)
            .map(|n| nodes.of(&StoreKey::from_bytes([n * 32; 32])).unwrap().0.name.clone())
            .collect();
        let letters: String = homes.iter().map(|name| &name[..1]).collect();
        assert_eq!(letters, "abcacaac");
    }

    #[test]
    fn servers_share_evenly_in_whatever_order_they_are_named() {
        let homes_there = homes(&["a", "b", "c"]);
        assert_eq!(homes_there, homes(&["c", "a", "b"]));
        let mut shares = BTreeMap::new();
        homes_there.iter().for_each(|home| *shares.entry(home).or_insert(0) += 1);
        assert!(
            shares.len() == 3 && shares.values().all(|share| (9_500..10_500).contains(share)),
            "{shares:?}"
        );
    }

    #[test]
    fn only_the_share_of_a_new_server_moves() {
        let (before, after) = (homes(&["a", "b", "c"]), homes(&["a", "b", "c", "d"]));
        let moved: Vec<_> = before.iter().zip(&after).filter(|(from, to)| from != to).collect();
        assert!(moved.iter().all(|(_, to)| *to == "d:11211"));
        assert!((7_000..8_000).contains(&moved.len()), "{}", moved.len());
    }

    #[test]
    fn a_server_that_stays_keeps_its_connections() {
        let nodes = Nodes::new(&places(&["a", "b"]), 1, &access());
        let before = nodes.all();
        nodes.replace(&places(&["c", "b"]), 5, &access());
        let after = nodes.all();
        assert_eq!((&*after[0].name, after[0].joined, after[1].joined), ("c:11211", 5, 0));
        assert!(Arc::ptr_eq(&before[1], &after[1]));
    }
}
