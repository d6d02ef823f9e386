//! Many looks at one key at once are one load, and nobody waits for a look that somebody has dropped.

use cloakroom::store::{Near, SessionStore, StoreErrorKind, StoreKey};
use cloakroom_testing::Command::Load;
use cloakroom_testing::{Fault, left_alone, settle};
use tokio::task::{JoinHandle, JoinSet};

use crate::shop::{Look, MILLISECOND, Shop, kind, look, try_look};

fn begin(server: &Near) -> JoinHandle<Look> {
    let server = server.clone();
    tokio::spawn(async move { look(&server).await })
}

#[tokio::test]
async fn a_hundred_looks_at_once_are_one_load() {
    let shop = Shop::new();
    shop.has("a coat").await;
    let began = shop.clock.now();
    shop.gated.loads.close();
    let looks: Vec<_> = (0..100).map(|_| begin(&shop.west)).collect();
    settle().await;
    assert_eq!(shop.gated.loads.waiting(), 1);
    shop.gated.loads.open();
    let mut fresh = 0;
    for look in looks {
        match look.await.unwrap() {
            found if found == Look::fresh("a coat") => fresh += 1,
            found => assert_eq!(found, Look::held("a coat", began)),
        }
    }
    assert_eq!((fresh, shop.trips()), (1, vec![Load]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_looks_from_several_threads_are_one_load() {
    let shop = Shop::new();
    shop.has("a coat").await;
    for _ in 0..50 {
        let mut looks = JoinSet::new();
        for _ in 0..100 {
            let west = shop.west.clone();
            looks.spawn(async move { look(&west).await });
        }
        assert!(looks.join_all().await.iter().all(|found| *found != Look::Fresh(None)));
        assert_eq!(shop.trips(), [Load]);
        shop.pass_staleness();
    }
}

#[tokio::test]
async fn looks_at_two_keys_do_not_wait_for_each_other() {
    let shop = Shop::new();
    shop.has("a coat").await;
    shop.gated.loads.close();
    let one = begin(&shop.west);
    let other = StoreKey::from_bytes([8; 32]);
    let west = shop.west.clone();
    let two = tokio::spawn(async move { west.load_near(&other).unwrap().await.unwrap() });
    settle().await;
    assert_eq!(shop.gated.loads.waiting(), 2);
    shop.gated.loads.open();
    assert_eq!(one.await.unwrap(), Look::fresh("a coat"));
    assert_eq!(two.await.unwrap().into_entry(), None);
}

#[tokio::test]
async fn a_look_that_is_dropped_holds_nobody_up() {
    let shop = Shop::new();
    shop.has("a coat").await;
    let began = shop.clock.now();
    shop.gated.loads.close();
    let first = begin(&shop.west);
    settle().await;
    let second = begin(&shop.west);
    settle().await;
    first.abort();
    settle().await;
    shop.gated.loads.open();
    assert_eq!(second.await.unwrap(), Look::held("a coat", began));
    assert_eq!(shop.trips(), [Load]);
}

#[tokio::test]
async fn a_look_that_nobody_polls_holds_nobody_up() {
    let shop = Shop::new();
    shop.has("a coat").await;
    let began = shop.clock.now();
    shop.gated.loads.close();
    let left = left_alone([look(&shop.west)]);
    assert_eq!(left.len(), 1);
    let second = begin(&shop.west);
    settle().await;
    shop.gated.loads.open();
    assert_eq!(second.await.unwrap(), Look::held("a coat", began));
    assert_eq!(shop.trips(), [Load]);
    drop(left);
}

#[tokio::test]
async fn a_load_that_everybody_has_given_up_is_dropped() {
    let shop = Shop::new();
    shop.has("a coat").await;
    shop.gated.loads.close();
    let looks = [begin(&shop.west), begin(&shop.west)];
    settle().await;
    assert_eq!(shop.gated.loads.waiting(), 1);
    for look in &looks {
        look.abort();
    }
    settle().await;
    assert_eq!(shop.gated.loads.waiting(), 0);
    shop.gated.loads.open();
    shop.trips();
    assert_eq!(shop.look().await, Look::fresh("a coat"));
    assert_eq!(shop.trips(), [Load]);
}

#[tokio::test]
async fn nobody_waits_for_a_load_that_takes_a_quarter_of_a_second() {
    let shop = Shop::new();
    shop.has("a coat").await;
    shop.faulty.next(Load, Fault::Hang);
    let hangs = begin(&shop.west);
    settle().await;
    shop.pass(249 * MILLISECOND);
    let waits = begin(&shop.west);
    settle().await;
    assert!(!waits.is_finished());
    shop.pass(MILLISECOND);
    assert_eq!(shop.look().await, Look::fresh("a coat"));
    assert_eq!(shop.trips(), [Load, Load]);
    hangs.abort();
    waits.abort();
}

#[tokio::test]
async fn a_load_that_fails_fails_for_all_who_wait_and_for_nobody_else() {
    let shop = Shop::new();
    shop.has("a coat").await;
    shop.gated.loads.close();
    shop.gated.break_loads(true);
    let looks: Vec<_> = (0..10)
        .map(|_| {
            let west = shop.west.clone();
            tokio::spawn(async move { try_look(&west).await })
        })
        .collect();
    settle().await;
    shop.gated.loads.open();
    for look in looks {
        assert_eq!(kind(look.await.unwrap()), StoreErrorKind::Unavailable);
    }
    assert_eq!(shop.trips(), [Load]);
    shop.gated.break_loads(false);
    assert_eq!(shop.look().await, Look::fresh("a coat"));
}

#[tokio::test]
async fn a_look_that_has_waited_and_finds_nothing_asks_itself() {
    let shop = Shop::new();
    shop.gated.loads.close();
    let first = begin(&shop.west);
    settle().await;
    let second = begin(&shop.west);
    settle().await;
    // Whoever has the id of this session got it after the first look had found nothing.
    shop.has("a coat").await;
    shop.gated.loads.open();
    assert_eq!(first.await.unwrap(), Look::Fresh(None));
    assert_eq!(second.await.unwrap(), Look::fresh("a coat"));
    assert_eq!(shop.trips(), [Load, Load]);
}
