//! The nodes, as the balancer sees them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::uri::Authority;

#[derive(Debug)]
struct Target {
    name: String,
    authority: Authority,
    is_healthy: bool,
    served: u64,
}

#[derive(Debug, Default)]
struct Table {
    targets: Vec<Target>,
    turn: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Targets(Mutex<Table>);

impl Targets {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, name: &str, authority: Authority) {
        let target = Target { name: name.to_owned(), authority, is_healthy: false, served: 0 };
        self.table().targets.push(target);
    }

    /// Returns the node that a visitor is bound to, if it is healthy, or else the next healthy one
    /// in turn.
    pub(super) fn choose(&self, bound: Option<&str>) -> Option<(String, Authority)> {
        let mut table = self.table();
        let Table { targets, turn } = &mut *table;
        let healthy: Vec<_> = targets.iter().filter(|target| target.is_healthy).collect();
        let chosen = healthy.iter().find(|target| Some(target.name.as_str()) == bound);
        let chosen = match chosen {
            Some(chosen) => chosen,
            None => {
                *turn += 1;
                healthy.get(*turn % healthy.len().max(1))?
            }
        };
        Some((chosen.name.clone(), chosen.authority.clone()))
    }

    pub(super) fn served(&self, name: &str) {
        self.with(name, |target| target.served += 1);
    }

    pub(super) fn set_health(&self, name: &str, is_healthy: bool) {
        self.with(name, |target| target.is_healthy = is_healthy);
    }

    fn with(&self, name: &str, change: impl FnOnce(&mut Target)) {
        self.table().targets.iter_mut().find(|target| target.name == name).map(change);
    }

    pub(crate) fn is_healthy(&self, name: &str) -> bool {
        let table = self.table();
        table.targets.iter().any(|target| target.name == name && target.is_healthy)
    }

    #[cfg(test)]
    pub(super) fn healthy(&self) -> usize {
        self.table().targets.iter().filter(|target| target.is_healthy).count()
    }

    /// Returns how many requests each node has answered so far.
    pub(crate) fn shares(&self) -> BTreeMap<String, u64> {
        let table = self.table();
        table.targets.iter().map(|target| (target.name.clone(), target.served)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(names: &[&str]) -> Targets {
        let targets = Targets::default();
        for name in names {
            targets.add(name, Authority::from_static("127.0.0.1:1"));
            targets.set_health(name, true);
        }
        targets
    }

    fn chosen(targets: &Targets, bound: Option<&str>) -> Option<String> {
        targets.choose(bound).map(|(name, _)| name)
    }

    #[test]
    fn a_bound_visitor_stays_until_the_node_is_unhealthy_and_is_not_sent_back() {
        let targets = targets(&["one", "two", "three"]);
        for _ in 0..10 {
            assert_eq!(chosen(&targets, Some("two")).as_deref(), Some("two"));
        }
        targets.set_health("two", false);
        let other = chosen(&targets, Some("two")).unwrap();
        assert_ne!(other, "two");
        targets.set_health("two", true);
        assert_eq!(chosen(&targets, Some(&other)), Some(other));
    }

    #[test]
    fn newcomers_go_round_the_healthy_ones() {
        let targets = targets(&["one", "two", "three"]);
        targets.set_health("three", false);
        for _ in 0..10 {
            let name = chosen(&targets, None).unwrap();
            targets.served(&name);
        }
        let shares = targets.shares();
        assert_eq!((shares["one"], shares["two"], shares["three"]), (5, 5, 0));
        assert_eq!(targets.healthy(), 2);
    }

    #[test]
    fn without_a_healthy_node_there_is_none() {
        let targets = targets(&["one"]);
        targets.set_health("one", false);
        assert_eq!(chosen(&targets, Some("one")), None);
    }
}
