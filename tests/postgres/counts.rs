//! The statements and the round trips of each kind of request.

use cloakroom::{Clock, Key, ManualClock, SessionLayer};
use cloakroom_testing::postgres::{Server, table};
use cloakroom_testing::processes::free_port;
use cloakroom_testing::proxy::Proxy;
use cloakroom_testing::{COOKIE, MINUTE, Visitor, patient, respond};

use super::stores::{at_port, builder};

struct House {
    table: String,
    proxy: Proxy,
    clock: ManualClock,
    layer: SessionLayer,
    counted: [u64; 6],
}

const NAMES: [&str; 5] = ["load", "create", "replace", "touch", "delete"];

impl House {
    async fn open() -> Self {
        let (table, server) = (table(), Server::shared());
        let proxy = Proxy::on(free_port(), server.port).await;
        let clock = ManualClock::at(Clock::system().now());
        let builder = builder(&table).clock(clock.clone());
        let store = builder.connect(&at_port(proxy.port)).await.unwrap();
        let key = Key::from_bytes(&[7; 32]).unwrap();
        let layer = patient(SessionLayer::new(store, key).clock(clock.clone()));
        let mut house = Self { table, proxy, clock, layer, counted: [0; 6] };
        house.counted = house.counts();
        house
    }

    /// Returns how often each statement was run, and the round trips.
    fn counts(&self) -> [u64; 6] {
        let statements = Server::shared().statements(&self.table);
        let calls = |name: &str| {
            let of_this = statements.iter().filter(|(known, _)| known == name);
            of_this.map(|(_, calls)| calls).sum::<u64>()
        };
        let [load, create, replace, touch, delete] = NAMES.map(calls);
        [load, create, replace, touch, delete, self.proxy.round_trips()]
    }

    async fn guest(&mut self) -> Visitor {
        let guest = Visitor::new(self.layer.clone());
        guest.visit(async |session| session.insert("k", &1)).await.is_ok();
        self.counted = self.counts();
        guest
    }

    /// Checks the loads, creates, replaces, touches, deletes and round trips since the last call.
    #[track_caller]
    fn sent(&mut self, expected: [u64; 6]) {
        let now = self.counts();
        let sent: Vec<_> = now.iter().zip(self.counted).map(|(now, then)| now - then).collect();
        assert_eq!(sent, expected, "{NAMES:?}, round trips");
        self.counted = now;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn each_kind_of_request_has_its_statements() {
    let mut house = House::open().await;
    let guest = house.guest().await;

    guest.ask(async |_| respond(Ok(()))).await.is_ok();
    house.sent([0; 6]);

    let forger = guest.copy();
    let mut forged = forger.ticket();
    forged.replace_range(10..11, if &forged[10..11] == "A" { "B" } else { "A" });
    forger.set_cookie(COOKIE, &forged);
    forger.visit(async |session| session.get::<u32>("k")).await.is_ok();
    house.sent([0; 6]);

    guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
    house.sent([1, 0, 0, 0, 0, 1]);

    guest.visit(async |session| session.insert("k", &7)).await.is_ok();
    house.sent([1, 0, 1, 0, 0, 2]);

    let newcomer = Visitor::new(house.layer.clone());
    newcomer.visit(async |session| session.insert("k", &1)).await.is_ok();
    house.sent([0, 1, 0, 0, 0, 1]);

    let login = guest.visit(async |session| {
        session.renew().unwrap();
        session.insert("k", &8)
    });
    login.await.is_ok();
    house.sent([1, 1, 1, 0, 0, 3]);

    house.clock.advance(5 * MINUTE);
    guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
    house.sent([1, 0, 0, 1, 0, 2]);

    guest.visit(async |session| session.destroy().await).await.is_ok();
    house.sent([1, 0, 1, 0, 0, 2]);
}

/// The loser's answer has the row that won, so no further load is needed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_conflict_costs_one_write_more() {
    let mut house = House::open().await;
    let guest = house.guest().await;
    let other = guest.copy();
    let slow = guest.visit(async |session| {
        other.visit(async |session| session.insert("other", &1)).await.is_ok();
        session.insert("k", &2)
    });
    slow.await.is_ok();
    house.sent([2, 0, 3, 0, 0, 5]);
    assert_eq!(guest.visit(async |session| session.get::<u32>("other")).await.body, "Some(1)");
}
