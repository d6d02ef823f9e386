//! The contract of a store, with handles that alternate between the two hosts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cloakroom::store::conformance::{Damage, Harness, Verdict, run_all, run_damage};
use cloakroom::store::{SessionStore, StoreKey};
use cloakroom::{ManualClock, Timestamp};
use cloakroom_nfs::{Command, LIMIT, Remote};

use crate::hosts::Hosts;

struct Alternating {
    hosts: Hosts,
    root: String,
    stores: [Remote; 2],
    clock: ManualClock,
    opened: AtomicU64,
}

impl Alternating {
    async fn on(hosts: Hosts) -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
        let root = hosts.folder().await;
        let a = hosts.a.open(&root, clock.now()).await;
        let b = hosts.b.open(&root, clock.now()).await;
        Self { hosts, root, stores: [a, b], clock, opened: AtomicU64::new(0) }
    }
}

#[async_trait::async_trait]
impl Harness for Alternating {
    async fn open(&self) -> Arc<dyn SessionStore> {
        let even = self.opened.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        Arc::new(self.stores[usize::from(even)].clone())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        for store in &self.stores {
            store.actor.ask(&Command::SetClock(self.clock.now().as_millis())).await;
        }
    }

    fn max_entry_bytes(&self) -> Option<usize> {
        Some(LIMIT)
    }
}

#[async_trait::async_trait]
impl Damage for Alternating {
    async fn corrupt(&self, key: &StoreKey) {
        let hex: String = key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let path = format!("{}/sessions/{}/{hex}", self.root, &hex[..2]);
        self.hosts.a.run(&format!("printf x >>{path}")).await;
    }
}

pub(crate) async fn every_law_holds_with_handles_on_two_hosts(hosts: Hosts) {
    report(run_all(&Alternating::on(hosts).await).await);
}

pub(crate) async fn every_law_about_damage_holds(hosts: Hosts) {
    report(run_damage(&Alternating::on(hosts).await).await);
}

fn report(laws: Vec<(&'static str, Verdict)>) {
    let broken: Vec<_> = laws.iter().filter(|(_, verdict)| verdict.is_err()).collect();
    for (law, verdict) in &broken {
        println!("  {law}: {}", verdict.as_ref().unwrap_err());
    }
    println!("  {} laws, {} broken", laws.len(), broken.len());
    assert!(broken.is_empty() && laws.len() >= 3);
}
