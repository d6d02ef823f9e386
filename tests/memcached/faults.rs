//! One of three servers dies or freezes: its sessions wait for it, the others go on.

use std::time::{Duration, Instant};

use cloakroom::store::{MemcachedStore, StoreKey};
use cloakroom::{Key, SessionLayer};
use http::StatusCode;

use cloakroom_testing::lag;
use cloakroom_testing::memcached::{Server, Three};
use cloakroom_testing::{Answer, Visitor, patient};

use super::servers::{Servers, open};
use super::versions::{created, entry, store};

/// The longest time for a load and a commit, and a little more.
const LONGEST_WAIT: Duration = Duration::from_millis(2_000 + 5_000 + 100);
const GUESTS: u32 = 60;

struct House {
    three: Three,
    layer: SessionLayer,
    /// The guests, by the server that has their session.
    guests: [Vec<Visitor>; 3],
}

impl House {
    async fn open() -> Self {
        lag::watch();
        let three = Three::start();
        let layer = |store| SessionLayer::new(store, Key::from_bytes(&[7; 32]).unwrap());
        // While all servers are healthy, nobody is refused because the machine is busy.
        let calm = patient(layer(store(&three.servers()).await));
        let layer = layer(open(MemcachedStore::builder(), &three.servers()).await);
        let mut house = Self { three, layer, guests: Default::default() };
        for number in 0..GUESTS {
            let before = house.items();
            let guest = Visitor::new(calm.clone());
            assert_eq!(write(&guest, number).await.0.status, 200);
            let home = house.items().iter().zip(before).position(|(now, then)| *now > then);
            house.guests[home.unwrap()].push(guest.at(&house.layer));
        }
        assert!(house.guests.iter().all(|guests| guests.len() > 5));
        house
    }

    fn items(&self) -> [u64; 3] {
        self.three.0.each_ref().map(|server| server.stats()["total_items"])
    }

    fn first(&self) -> &Server {
        &self.three.0[0]
    }

    /// Checks that sessions of the first server are answered 503 in time, and that all others and new
    /// ones are served.
    async fn is_without_its_first_server(&self) {
        let (mut longest, mut begun) = (Duration::ZERO, Instant::now());
        for guest in &self.guests[0] {
            for (answer, wait) in [read(guest).await, write(guest, 1).await] {
                assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
                longest = longest.max(wait);
            }
        }
        println!("{} answered 503 in {:?}", self.guests[0].len() * 2, begun.elapsed());
        for guest in self.guests[1..].iter().flatten() {
            for (answer, wait) in [read(guest).await, write(guest, 2).await] {
                assert_eq!(answer.status, 200, "{answer:?}");
                longest = longest.max(wait);
            }
        }
        begun = Instant::now();
        for _ in 0..30 {
            let newcomer = Visitor::new(self.layer.clone());
            let (answer, wait) = write(&newcomer, 3).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(read(&newcomer).await.0.body, "Some(3)");
            longest = longest.max(wait);
        }
        println!("30 newcomers in {:?}, longest wait {longest:?}", begun.elapsed());
        assert!(longest < LONGEST_WAIT, "{longest:?}");
    }

    /// Waits until the first server is in use again by itself.
    async fn waits_for_its_first_server(&self) {
        let begun = Instant::now();
        while read(&self.guests[0][0]).await.0.status != StatusCode::OK {
            assert!(lag::elapsed_since(begun) < Duration::from_secs(10), "it does not recover");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("back after {:?}", begun.elapsed());
    }
}

async fn timed(answer: impl Future<Output = Answer>) -> (Answer, Duration) {
    let begun = Instant::now();
    (answer.await, lag::elapsed_since(begun))
}

async fn read(guest: &Visitor) -> (Answer, Duration) {
    timed(guest.visit(async |session| session.get::<u32>("k"))).await
}

async fn write(guest: &Visitor, value: u32) -> (Answer, Duration) {
    timed(guest.visit(async move |session| session.insert("k", &value))).await
}

/// Its sessions are gone with it, and no others.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_server_that_is_killed_takes_its_own_sessions_and_no_others() {
    let house = House::open().await;
    house.first().process.kill();
    house.is_without_its_first_server().await;
    house.first().start_again();
    house.waits_for_its_first_server().await;
    for guest in &house.guests[0] {
        let (answer, _) = read(guest).await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "None"));
    }
    for guest in house.guests[1..].iter().flatten() {
        assert_eq!(read(guest).await.0.body, "Some(2)");
    }
    for guest in &house.guests[0] {
        assert_eq!(write(guest, 4).await.0.status, 200);
        assert_eq!(read(guest).await.0.body, "Some(4)");
    }
}

/// Its sessions are there when it is back.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_server_that_freezes_keeps_its_sessions() {
    let house = House::open().await;
    house.first().freeze();
    house.is_without_its_first_server().await;
    house.first().process.thaw();
    house.waits_for_its_first_server().await;
    for guest in house.guests.iter().flatten() {
        let (answer, _) = read(guest).await;
        assert!(answer.status == 200 && answer.body != "None", "{answer:?}");
    }
}

/// Idle connections that died with the server are not taken for good ones: a write that would have
/// been lost on one of them is sent on a new one.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs memcached"]
async fn a_restart_between_two_commands_costs_nothing() {
    let server = Server::start();
    let store = store(&server.servers()).await;
    for number in 0..10 {
        let key = StoreKey::from_bytes([number; 32]);
        created(&store, &key, &entry(number)).await;
        server.start_again();
        // Gives the runtime time to notice that the connection has ended, also on a busy machine.
        tokio::time::sleep(Duration::from_millis(300)).await;
        created(&store, &key, &entry(number)).await;
    }
}
