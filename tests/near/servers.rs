//! A memory in front of a real Redis: the contract, the promises, and two servers.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use cloakroom::store::conformance::{Harness, run_all};
use cloakroom::store::{Near, RedisServer, RedisStore, SessionStore};
use cloakroom::{Clock, Key, LazySession, SessionLayer, Timestamp};
use cloakroom_testing::Command::{Load, Replace};
use cloakroom_testing::redis::{Flavour, Standalone};
use cloakroom_testing::{
    Counting, House, Late, MINUTE, Visitor, clock, patient, patiently, respond, users_races,
};

use crate::promises::all_but_the_named_ones_hold;

/// One server serves all tests: their ids are random and never meet.
static SERVER: LazyLock<Standalone> = LazyLock::new(|| Standalone::start(Flavour::Redis7));

async fn redis(clock: impl Into<Clock>) -> RedisStore {
    let server = RedisServer::standalone("127.0.0.1", SERVER.port);
    let builder = RedisStore::builder().command_timeout(MINUTE).clock(clock);
    patiently(|| builder.clone().connect(&server)).await
}

/// Every handle is a server of its own.
struct Servers;

#[async_trait]
impl Harness for Servers {
    async fn open(&self) -> Arc<dyn SessionStore> {
        Arc::new(Near::new(redis(Clock::system()).await))
    }

    fn now(&self) -> Timestamp {
        Clock::system().now()
    }

    async fn advance(&self, by: Duration) {
        tokio::time::sleep(by).await;
    }

    fn max_entry_bytes(&self) -> Option<usize> {
        None
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn servers_with_memories_of_their_own_keep_every_law() {
    let verdicts = run_all(&Servers).await;
    let broken: Vec<_> = verdicts.iter().filter(|(_, verdict)| verdict.is_err()).collect();
    assert!(broken.is_empty() && verdicts.len() > 35, "{broken:#?}");
}

fn house() -> House {
    // Before the first command, which would have to wait for it.
    LazyLock::force(&SERVER);
    let clock = clock();
    let (now, near) = (clock.clone(), clock.clone());
    let store = Late::new(move || redis(now.clone()));
    House::over(Arc::new(Near::new(store).clock(near)), clock).everywhere(patient)
}

#[test]
#[ignore = "needs redis-server"]
fn a_memory_in_front_of_redis_keeps_the_promises_too() {
    all_but_the_named_ones_hold(house);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn on_one_server_no_login_and_no_renewal_survives_an_end_and_no_limit_is_exceeded() {
    let near = Near::new(redis(Clock::system()).await);
    users_races::run([Arc::new(near.clone()), Arc::new(near)], 100).await;
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn two_servers_merge_old_reads_and_end_sessions_for_each_other() {
    let clock = clock();
    let key = Key::from_bytes(&[7; 32]).unwrap();
    let layer = |near: Near| {
        let layer = SessionLayer::new(near.clock(clock.clone()), key.clone());
        patient(layer.clock(clock.clone()))
    };
    let counting = Counting::new(redis(clock.clone()).await);
    let west = layer(Near::new(counting.clone()));
    let east = layer(Near::new(redis(clock.clone()).await));
    let add = async |visitor: &Visitor| {
        visitor.visit(async |session| session.update("k", |k: &mut u32| *k += 1)).await
    };
    let get = async |visitor: &Visitor| {
        visitor.visit(async |session| session.get::<u32>("k")).await.is_ok().body.clone()
    };

    let on_west = Visitor::new(west);
    add(&on_west).await.is_ok();
    let on_east = on_west.at(&east);
    add(&on_east).await.is_ok();
    counting.take();
    assert_eq!(get(&on_west).await, "Some(1)");
    add(&on_west).await.is_ok();
    assert_eq!(counting.take(), [Replace, Replace]);
    assert_eq!(get(&on_west).await, "Some(3)");
    assert_eq!(get(&on_east).await, "Some(2)");
    clock.advance(Duration::from_secs(1));
    assert_eq!(get(&on_east).await, "Some(3)");

    get(&on_west).await;
    on_east.copy().visit(async |session| session.destroy().await).await.is_ok();
    counting.take();
    assert_eq!(get(&on_west).await, "Some(3)");
    let fresh = async |lazy: LazySession| lazy.load_fresh().await?.get::<u32>("k");
    let answer = on_west.ask(async |lazy| respond(fresh(lazy).await)).await;
    assert_eq!(answer.is_ok().body, "None");
    assert_eq!(counting.take(), [Load]);
}
