//! The commands of each kind of request, counted by the server.

use cloakroom::{Clock, Key, ManualClock, SessionLayer};

use cloakroom_testing::memcached::Server;
use cloakroom_testing::{COOKIE, MINUTE, Visitor, patient, respond};

use super::servers::{Servers, builder, open};

struct House {
    server: Server,
    clock: ManualClock,
    layer: SessionLayer,
    counted: [u64; 3],
}

impl House {
    async fn open() -> Self {
        let server = Server::start();
        let clock = ManualClock::at(Clock::system().now());
        let layer = layer(&server, &clock).await;
        Self { counted: server.commands(), server, clock, layer }
    }

    async fn guest(&mut self) -> Visitor {
        let guest = Visitor::new(self.layer.clone());
        guest.visit(async |session| session.insert("k", &1)).await.is_ok();
        self.counted = self.server.commands();
        guest
    }

    /// Checks the number of reads, writes and deletes since the last call.
    #[track_caller]
    fn sent(&mut self, expected: [u64; 3]) {
        let now = self.server.commands();
        let sent: Vec<_> = now.iter().zip(self.counted).map(|(now, then)| now - then).collect();
        assert_eq!(sent, expected, "reads, writes, deletes");
        self.counted = now;
    }
}

/// Returns the layer of another server of the app.
async fn layer(server: &Server, clock: &ManualClock) -> SessionLayer {
    let store = open(builder().clock(clock.clone()), &server.servers()).await;
    let key = Key::from_bytes(&[7; 32]).unwrap();
    patient(SessionLayer::new(store, key).clock(clock.clone()))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn each_kind_of_request_has_its_commands() {
    let mut house = House::open().await;
    let guest = house.guest().await;

    guest.ask(async |_| respond(Ok(()))).await.is_ok();
    house.sent([0, 0, 0]);

    let forger = guest.copy();
    let mut forged = forger.ticket();
    forged.replace_range(10..11, if &forged[10..11] == "A" { "B" } else { "A" });
    forger.set_cookie(COOKIE, &forged);
    forger.visit(async |session| session.get::<u32>("k")).await.is_ok();
    house.sent([0, 0, 0]);

    guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
    house.sent([1, 0, 0]);

    guest.visit(async |session| session.insert("k", &7)).await.is_ok();
    house.sent([1, 1, 0]);

    let newcomer = Visitor::new(house.layer.clone());
    newcomer.visit(async |session| session.insert("k", &1)).await.is_ok();
    house.sent([0, 1, 0]);

    let login = guest.visit(async |session| {
        session.renew().unwrap();
        session.insert("k", &8)
    });
    login.await.is_ok();
    house.sent([1, 2, 0]);

    guest.visit(async |session| session.destroy().await).await.is_ok();
    house.sent([1, 1, 0]);
}

/// A touch reads before it writes, so that it never touches another value than the one it expects.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_touch_is_two_commands_and_adds_none_to_a_later_write() {
    let mut house = House::open().await;
    let guest = house.guest().await;
    house.clock.advance(5 * MINUTE);
    guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
    house.sent([2, 1, 0]);
    guest.visit(async |session| session.insert("k", &7)).await.is_ok();
    house.sent([1, 1, 0]);
}

/// One server of the app touches the session, and another one writes it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_write_after_another_servers_touch_is_two_commands_too() {
    let mut house = House::open().await;
    let guest = house.guest().await;
    house.clock.advance(5 * MINUTE);
    guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
    let elsewhere = layer(&house.server, &house.clock).await;
    house.counted = house.server.commands();
    guest.at(&elsewhere).visit(async |session| session.insert("k", &7)).await.is_ok();
    house.sent([1, 1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_conflict_is_one_read_and_one_write_more() {
    let mut house = House::open().await;
    let guest = house.guest().await;
    let update = guest.visit(async |session| {
        session.update("k", |count: &mut u32| *count += 1)?;
        guest.visit(async |other| other.insert("other", &1)).await.is_ok();
        Ok(())
    });
    update.await.is_ok();
    house.sent([3, 3, 0]);
}
