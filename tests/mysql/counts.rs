//! The statements of each kind of request, counted by the server.

use cloakroom::{Clock, Key, ManualClock, SessionLayer};
use cloakroom_testing::mariadb::Server;
use cloakroom_testing::{COOKIE, MINUTE, Visitor, respond};

use super::setup::{at, created, entry, key, patient, store, version};
use cloakroom::store::SessionStore;

struct House {
    server: Server,
    clock: ManualClock,
    layer: SessionLayer,
    counted: [u64; 4],
}

/// Returns the number of statements so far: SELECT, INSERT, UPDATE, DELETE.
///
/// The client of the tests prepares nothing, so its own statements are not among the executed ones.
fn statements(server: &Server) -> [u64; 4] {
    let [executed, inserts, updates, deletes] =
        ["Com_stmt_execute", "Com_insert", "Com_update", "Com_delete"]
            .map(|name| server.status(name));
    [executed - inserts - updates - deletes, inserts, updates, deletes]
}

impl House {
    async fn open() -> Self {
        let server = Server::start();
        let clock = ManualClock::at(Clock::system().now());
        let store = patient().clock(clock.clone()).connect(&at(server.port)).await.unwrap();
        let key = Key::from_bytes(&[7; 32]).unwrap();
        let layer = SessionLayer::new(store, key).clock(clock.clone());
        let layer = cloakroom_testing::patient(layer);
        Self { counted: statements(&server), server, clock, layer }
    }

    async fn guest(&mut self) -> Visitor {
        let guest = Visitor::new(self.layer.clone());
        guest.visit(async |session| session.insert("k", &1)).await.is_ok();
        self.counted = statements(&self.server);
        guest
    }

    /// Checks the number of statements since the last call.
    #[track_caller]
    fn sent(&mut self, expected: [u64; 4]) {
        let now = statements(&self.server);
        let sent: Vec<_> = now.iter().zip(self.counted).map(|(now, then)| now - then).collect();
        assert_eq!(sent, expected, "SELECT, INSERT, UPDATE, DELETE");
        self.counted = now;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn each_kind_of_request_has_its_statements() {
    let mut house = House::open().await;
    let guest = house.guest().await;

    guest.ask(async |_| respond(Ok(()))).await.is_ok();
    house.sent([0, 0, 0, 0]);

    let forger = guest.copy();
    let mut forged = forger.ticket();
    forged.replace_range(10..11, if &forged[10..11] == "A" { "B" } else { "A" });
    forger.set_cookie(COOKIE, &forged);
    forger.visit(async |session| session.get::<u32>("k")).await.is_ok();
    house.sent([0, 0, 0, 0]);

    guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
    house.sent([1, 0, 0, 0]);

    guest.visit(async |session| session.insert("k", &7)).await.is_ok();
    house.sent([1, 0, 1, 0]);

    let newcomer = Visitor::new(house.layer.clone());
    newcomer.visit(async |session| session.insert("k", &1)).await.is_ok();
    house.sent([0, 1, 0, 0]);

    let login = guest.visit(async |session| {
        session.renew().unwrap();
        session.insert("k", &8)
    });
    login.await.is_ok();
    house.sent([1, 1, 1, 0]);

    guest.visit(async |session| session.destroy().await).await.is_ok();
    house.sent([1, 0, 1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_touch_is_one_statement_and_a_conflict_is_two_more_than_a_write() {
    let mut house = House::open().await;
    let guest = house.guest().await;
    house.clock.advance(5 * MINUTE);
    guest.visit(async |session| session.get::<u32>("k")).await.is_ok();
    house.sent([1, 0, 1, 0]);
    let update = guest.visit(async |session| {
        session.update("k", |count: &mut u32| *count += 1)?;
        guest.visit(async |other| other.insert("other", &1)).await.is_ok();
        Ok(())
    });
    update.await.is_ok();
    // Two loads; the other's write, the one that was refused, and the merged one; the row that it met.
    house.sent([3, 0, 3, 0]);
}

/// The number of statements of each command, whatever it finds.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn each_command_is_one_statement_and_a_refused_one_two() {
    let server = Server::start();
    let store = store(&server).await;
    let mut counted = statements(&server);
    let mut sent = || {
        let now = statements(&server);
        let sent: Vec<_> = now.iter().zip(counted).map(|(now, then)| now - then).collect();
        counted = now;
        sent
    };
    created(&store, &key(1), &entry(1)).await;
    assert_eq!(sent(), [0, 1, 0, 0]);
    store.create(&key(1), &entry(2)).await.unwrap();
    assert_eq!(sent(), [0, 1, 0, 0], "create over a live entry");
    store.load(&key(1)).await.unwrap();
    assert_eq!(sent(), [1, 0, 0, 0]);
    store.replace(&key(1), &version(1), &entry(2)).await.unwrap();
    assert_eq!(sent(), [0, 0, 1, 0]);
    store.replace(&key(1), &version(1), &entry(3)).await.unwrap();
    assert_eq!(sent(), [1, 0, 1, 0], "replace with a conflict");
    let later = entry(1).deadline.saturating_add(MINUTE);
    store.touch(&key(1), &version(2), later).await.unwrap();
    assert_eq!(sent(), [0, 0, 1, 0]);
    store.touch(&key(1), &version(1), later).await.unwrap();
    assert_eq!(sent(), [1, 0, 1, 0], "touch of another version");
    store.delete(&key(1)).await.unwrap();
    assert_eq!(sent(), [0, 0, 0, 1]);
    store.delete(&key(1)).await.unwrap();
    assert_eq!(sent(), [1, 0, 0, 1], "delete of nothing");
}
