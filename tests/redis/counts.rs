//! The commands that each kind of request sends, counted by the server. Commands inside a script do
//! not count.

use std::collections::BTreeMap;
use std::time::Duration;

use cloakroom::{Clock, Key, ManualClock, SessionLayer};

use super::conformance::Topology;
use super::setup::{builder, open};
use cloakroom_testing::redis::{Cluster, Flavour, Monitor, Standalone};
use cloakroom_testing::{MINUTE, Visitor, patient, respond};

struct House {
    clock: ManualClock,
    layer: SessionLayer,
}

impl House {
    async fn on(topology: &impl Topology) -> Self {
        let clock = ManualClock::at(Clock::system().now());
        let store = open(builder().clock(clock.clone()), &topology.server()).await;
        let key = Key::from_bytes(&[7; 32]).unwrap();
        let layer = patient(SessionLayer::new(store, key).clock(clock.clone()));
        Self { clock, layer }
    }

    /// Returns a visitor with a session. The server knows the scripts by then.
    async fn guest(&self) -> Visitor {
        let guest = Visitor::new(self.layer.clone());
        for count in 0..2 {
            guest.visit(async |session| session.insert("k", &count)).await.is_ok();
        }
        self.clock.advance(5 * MINUTE);
        guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
        guest
    }
}

#[track_caller]
fn sent<const N: usize>(monitor: &mut Monitor, commands: [(&str, usize); N]) {
    let commands = commands.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(monitor.count(), BTreeMap::from(commands));
}

async fn every_kind_of_request(house: House, monitor: &mut Monitor) {
    let guest = house.guest().await;
    monitor.count();

    guest.ask(async |_| respond(Ok(()))).await.is_ok();
    sent(monitor, []);

    let forger = guest.copy();
    let mut forged = forger.ticket();
    forged.replace_range(10..11, if &forged[10..11] == "A" { "B" } else { "A" });
    forger.set_cookie(cloakroom_testing::COOKIE, &forged);
    forger.visit(async |session| session.get::<u32>("k")).await.is_ok();
    sent(monitor, []);

    guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
    sent(monitor, [("GET", 1)]);

    house.clock.advance(5 * MINUTE);
    guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
    sent(monitor, [("GET", 1), ("EVALSHA", 1)]);

    guest.visit(async |session| session.insert("k", &7)).await.is_ok();
    sent(monitor, [("GET", 1), ("EVALSHA", 1)]);

    let newcomer = Visitor::new(house.layer.clone());
    newcomer.visit(async |session| session.insert("k", &1)).await.is_ok();
    sent(monitor, [("SET", 1)]);

    guest
        .visit(async |session| {
            session.renew().unwrap();
            session.insert("k", &8)
        })
        .await
        .is_ok();
    sent(monitor, [("GET", 1), ("SET", 1), ("EVALSHA", 1)]);

    guest.visit(async |session| session.destroy().await).await.is_ok();
    sent(monitor, [("GET", 1), ("EVALSHA", 1)]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn each_kind_of_request_has_its_commands() {
    for &flavour in Flavour::available() {
        let server = Standalone::start(flavour);
        every_kind_of_request(House::on(&server).await, &mut server.monitor()).await;
    }
}

/// Each node has to learn the scripts by itself, so that forty visitors come first.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_cluster_takes_the_same_commands() {
    let cluster = Cluster::start(Flavour::Redis7);
    let house = House::on(&cluster).await;
    for _ in 0..40 {
        house.guest().await;
    }
    every_kind_of_request(house, &mut cluster.monitor()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_conflict_is_one_command_more_and_no_second_read() {
    let server = Standalone::start(Flavour::Redis7);
    let house = House::on(&server).await;
    let guest = house.guest().await;
    let mut monitor = server.monitor();
    guest
        .visit(async |session| {
            session.update("k", |count: &mut u32| *count += 1)?;
            guest.visit(async |other| other.insert("other", &1)).await.is_ok();
            Ok(())
        })
        .await
        .is_ok();
    sent(&mut monitor, [("GET", 2), ("EVALSHA", 3)]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_server_that_has_forgotten_the_scripts_is_told_them_once() {
    let server = Standalone::start(Flavour::Redis7);
    let house = House::on(&server).await;
    let guest = house.guest().await;
    server.ask(&["SCRIPT", "FLUSH"]).ok();
    let mut monitor = server.monitor();
    for count in 10..13 {
        guest.visit(async |session| session.insert("k", &count)).await.is_ok();
    }
    sent(&mut monitor, [("GET", 3), ("EVALSHA", 3), ("EVAL", 1)]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn no_key_is_ever_without_a_time_to_live() {
    let server = Standalone::start(Flavour::Redis7);
    let house = House::on(&server).await;
    let guest = house.guest().await;
    let live = |most: Duration| {
        let keys = server.ask(&["KEYS", "*"]);
        for key in keys.list() {
            let left = server.ask(&["PTTL", &key.text()]).integer();
            assert!(left > 0 && left <= i64::try_from(most.as_millis()).unwrap(), "{left}");
        }
        keys.list().len()
    };
    assert_eq!(live(30 * MINUTE), 1);
    guest.visit(async |session| session.destroy().await).await.is_ok();
    assert_eq!(live(MINUTE), 1);
}
