//! Decides which server owns which key.

use std::sync::{Arc, RwLock};

use sha2::{Digest, Sha256};

use super::connect_options::ConnectOptions;
use super::node::Node;
use crate::id::StoreKey;
use crate::poison::IgnorePoison;

/// The current list of servers.
///
/// Discovery replaces the list as a whole, and nothing else changes it. To leave out a server that
/// cannot be reached would be tempting, but two servers of the app that disagree about who can be
/// reached would keep two copies of one session.
pub(super) struct Nodes(RwLock<Arc<NodeList>>);

/// The number of former lists that are remembered.
const MAX_FORMER_LISTS: usize = 64;

struct NodeList {
    epoch: u64,
    members: Vec<Member>,
    /// The epoch and the seeds of each former list, the newest first.
    former: Vec<(u64, Vec<u64>)>,
}

/// The server that owns a key.
pub(super) struct Owner {
    pub(super) node: Arc<Node>,
    /// The epoch of the current list.
    pub(super) epoch: u64,
    /// The first epoch since which this server has owned the key without a break, as far as is known.
    pub(super) owned_since: u64,
}

#[derive(Clone)]
struct Member {
    seed: u64,
    node: Arc<Node>,
}

impl Nodes {
    pub(super) fn new(servers: &[(String, u16)], epoch: u64, options: &ConnectOptions) -> Self {
        let members = servers.iter().map(|(host, port)| Member::new(host, *port, 0, options));
        let list = NodeList { epoch, members: members.collect(), former: Vec::new() };
        Self(RwLock::new(Arc::new(list)))
    }

    /// Returns the owner of `key`, or `None` when there are no servers.
    ///
    /// Rendezvous hashing: the owner is the server with the highest score for this key. When a server
    /// comes or goes, only its own share of the keys moves; with `hash % servers` nearly all would.
    pub(super) fn owner_of(&self, key: &StoreKey) -> Option<Owner> {
        let list = self.list();
        let best = list.members.iter().max_by_key(|member| score(member.seed, key))?;
        let elsewhere = list.former.iter().find(|(_, seeds)| {
            seeds.iter().max_by_key(|&&seed| score(seed, key)) != Some(&best.seed)
        });
        let owned_since = elsewhere.map_or(0, |(epoch, _)| epoch.saturating_add(1));
        Some(Owner { node: best.node.clone(), epoch: list.epoch, owned_since })
    }

    pub(super) fn all(&self) -> Vec<Arc<Node>> {
        self.list().members.iter().map(|member| member.node.clone()).collect()
    }

    /// Replaces the list. The servers that stay keep their connections.
    pub(super) fn replace(&self, servers: &[(String, u16)], epoch: u64, options: &ConnectOptions) {
        let current = self.list();
        let member = |(host, port): &(String, u16)| {
            let name = format!("{host}:{port}");
            let known = current.members.iter().find(|member| member.node.name == name);
            known.cloned().unwrap_or_else(|| Member::new(host, *port, epoch, options))
        };
        let seeds = current.members.iter().map(|member| member.seed).collect();
        let former = std::iter::once((current.epoch, seeds)).chain(current.former.iter().cloned());
        let former = former.take(MAX_FORMER_LISTS).collect();
        let list = NodeList { epoch, members: servers.iter().map(member).collect(), former };
        *self.0.write().ignore_poison() = Arc::new(list);
    }

    fn list(&self) -> Arc<NodeList> {
        self.0.read().ignore_poison().clone()
    }
}

impl Member {
    fn new(host: &str, port: u16, joined_epoch: u64, options: &ConnectOptions) -> Self {
        let node = Arc::new(Node::new(host, port, joined_epoch, options));
        Self { seed: seed_of(&node.name), node }
    }
}

/// Scores a server for a key. The seed breaks ties, since no two servers have the same one.
fn score(seed: u64, key: &StoreKey) -> (u64, u64) {
    let key = key.as_bytes().first_chunk().map_or(0, |head| u64::from_be_bytes(*head));
    (mix(seed ^ key), seed)
}

/// Derives a server's seed from its name. Every server of the app, and every release, must derive the
/// same one.
fn seed_of(name: &str) -> u64 {
    Sha256::digest(name).first_chunk().map_or(0, |head| u64::from_be_bytes(*head))
}

/// Makes each bit of a score depend on all bits of the key and the seed, which are random already
/// (SplitMix64, Steele, Lea and Flood, 2014).
fn mix(mut bits: u64) -> u64 {
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

    fn options() -> ConnectOptions {
        let command_timeout = Duration::from_secs(1);
        ConnectOptions { credentials: None, tls: None, max_connections: 1, command_timeout }
    }

    fn servers(hosts: &[&str]) -> Vec<(String, u16)> {
        hosts.iter().map(|&host| (host.to_owned(), 11_211)).collect()
    }

    fn owners(hosts: &[&str]) -> Vec<String> {
        let nodes = Nodes::new(&servers(hosts), 1, &options());
        let key = |number: usize| StoreKey::from_bytes(Sha256::digest(number.to_be_bytes()).into());
        (0..KEYS).map(|number| nodes.owner_of(&key(number)).unwrap().node.name.clone()).collect()
    }

    #[test]
    fn every_release_finds_the_same_owner() {
        let nodes = Nodes::new(&servers(&["a", "b", "c"]), 1, &options());
        let owners: Vec<_> = (0..8)
            .map(|n| nodes.owner_of(&StoreKey::from_bytes([n * 32; 32])).unwrap().node.name.clone())
            .collect();
        let letters: String = owners.iter().map(|name| &name[..1]).collect();
        assert_eq!(letters, "abcacaac");
    }

    #[test]
    fn servers_share_keys_evenly_in_any_order() {
        let owners_abc = owners(&["a", "b", "c"]);
        assert_eq!(owners_abc, owners(&["c", "a", "b"]));
        let mut shares = BTreeMap::new();
        owners_abc.iter().for_each(|owner| *shares.entry(owner).or_insert(0) += 1);
        assert!(
            shares.len() == 3 && shares.values().all(|share| (9_500..10_500).contains(share)),
            "{shares:?}"
        );
    }

    #[test]
    fn only_the_share_of_a_new_server_moves_to_it() {
        let (before, after) = (owners(&["a", "b", "c"]), owners(&["a", "b", "c", "d"]));
        let moved: Vec<_> = before.iter().zip(&after).filter(|(from, to)| from != to).collect();
        assert!(moved.iter().all(|(_, to)| *to == "d:11211"));
        assert!((7_000..8_000).contains(&moved.len()), "{}", moved.len());
    }

    /// The number comes from the configuration endpoint.
    #[test]
    fn the_largest_epoch_is_no_overflow() {
        let nodes = Nodes::new(&servers(&["a", "b"]), u64::MAX, &options());
        nodes.replace(&servers(&["c"]), u64::MAX, &options());
        let owner = nodes.owner_of(&StoreKey::from_bytes([1; 32])).unwrap();
        assert_eq!((owner.epoch, owner.owned_since), (u64::MAX, u64::MAX));
    }

    #[test]
    fn a_server_that_stays_keeps_its_connections() {
        let nodes = Nodes::new(&servers(&["a", "b"]), 1, &options());
        let before = nodes.all();
        nodes.replace(&servers(&["c", "b"]), 5, &options());
        let after = nodes.all();
        assert_eq!(
            (&*after[0].name, after[0].joined_epoch, after[1].joined_epoch),
            ("c:11211", 5, 0)
        );
        assert!(Arc::ptr_eq(&before[1], &after[1]));
    }
}
