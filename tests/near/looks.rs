//! The answers to first looks: from memory or from the store.

use std::time::Duration;

use cloakroom::store::{SessionStore, StoreErrorKind, Touched};
use cloakroom_testing::Command::Load;
use cloakroom_testing::{Fault, HOUR, MINUTE};

use crate::shop::{KEY, Look, MILLISECOND, SECOND, Shop, kind, look};

#[tokio::test]
async fn a_look_within_the_staleness_costs_no_trip() {
    let shop = Shop::new();
    shop.has("a coat").await;
    let began = shop.clock.now();
    assert_eq!(shop.look().await, Look::fresh("a coat"));
    assert_eq!(shop.trips(), [Load]);
    shop.pass(SECOND - MILLISECOND);
    for _ in 0..10 {
        assert_eq!(shop.look().await, Look::held("a coat", began));
    }
    shop.no_trips();
    shop.pass(MILLISECOND);
    assert_eq!(shop.look().await, Look::fresh("a coat"));
    assert_eq!(shop.trips(), [Load]);
}

#[tokio::test]
async fn another_servers_change_is_seen_after_the_staleness_and_no_later() {
    let shop = Shop::new();
    shop.has("one").await;
    let began = shop.clock.now();
    shop.look().await;
    shop.becomes("two").await;
    shop.pass(SECOND - MILLISECOND);
    assert_eq!(shop.look().await, Look::held("one", began));
    shop.pass(MILLISECOND);
    assert_eq!(shop.look().await, Look::fresh("two"));
}

#[tokio::test]
async fn the_staleness_counts_from_the_moment_at_which_the_load_began() {
    let shop = Shop::new();
    shop.has("one").await;
    let (began, clock) = (shop.clock.now(), shop.clock.clone());
    let takes_long = Fault::after(move || async move { clock.advance(600 * MILLISECOND) });
    shop.faulty.next(Load, takes_long);
    shop.look().await;
    shop.pass(399 * MILLISECOND);
    assert_eq!(shop.look().await, Look::held("one", began));
    shop.pass(MILLISECOND);
    assert_eq!(shop.look().await, Look::fresh("one"));
}

#[tokio::test]
async fn an_absence_is_never_answered_from_memory() {
    let shop = Shop::new();
    for _ in 0..2 {
        assert_eq!(shop.look().await, Look::Fresh(None));
        assert_eq!(shop.trips(), [Load]);
    }
    shop.has("a coat").await;
    assert_eq!(shop.look().await, Look::fresh("a coat"));
}

#[tokio::test]
async fn a_load_goes_past_the_memory_and_refreshes_it() {
    let shop = Shop::new();
    shop.has("one").await;
    shop.look().await;
    shop.becomes("two").await;
    shop.trips();
    shop.pass(MILLISECOND);
    assert_eq!(shop.west.load(&KEY).await.unwrap().unwrap().bytes, "two");
    assert_eq!(shop.trips(), [Load]);
    assert_eq!(shop.look().await, Look::held("two", shop.clock.now()));
    shop.bare.delete(&KEY).await.unwrap();
    assert_eq!(shop.west.load(&KEY).await.unwrap(), None);
    shop.trips();
    assert_eq!(shop.look().await, Look::Fresh(None));
    assert_eq!(shop.trips(), [Load]);
}

#[tokio::test]
async fn an_entry_whose_deadline_has_come_is_asked_for_again() {
    let shop = Shop::new();
    let lives = shop.entry_for(500 * MILLISECOND, "a coat");
    let created = crate::shop::created(shop.bare.create(&KEY, &lives).await);
    shop.look().await;
    // Another server has moved the deadline.
    let touched = shop.bare.touch(&KEY, &created, shop.in_a(HOUR)).await;
    assert_eq!(touched.unwrap(), Touched::Done);
    shop.trips();
    shop.pass(500 * MILLISECOND);
    assert_eq!(shop.look().await, Look::fresh("a coat"));
    assert_eq!(shop.trips(), [Load]);

    shop.pass(HOUR);
    assert_eq!(shop.look().await, Look::Fresh(None), "and nobody has moved it since");
}

#[tokio::test]
async fn after_the_clock_was_set_back_an_entry_counts_as_too_old() {
    let shop = Shop::new();
    shop.has("one").await;
    shop.look().await;
    shop.becomes("two").await;
    shop.clock.set(shop.clock.now().saturating_sub(MILLISECOND));
    assert_eq!(shop.look().await, Look::fresh("two"));
}

#[tokio::test]
async fn a_failed_load_leaves_what_is_held() {
    let shop = Shop::new();
    shop.has("a coat").await;
    let began = shop.clock.now();
    shop.look().await;
    shop.faulty.outage();
    assert_eq!(kind(shop.west.load(&KEY).await), StoreErrorKind::Unavailable);
    assert_eq!(shop.look().await, Look::held("a coat", began));
    shop.pass_staleness();
    let failed = crate::shop::try_look(&shop.west).await;
    assert_eq!(kind(failed), StoreErrorKind::Unavailable);
}

#[tokio::test]
async fn without_staleness_nothing_is_answered_from_memory() {
    let shop = Shop::with(Duration::ZERO);
    shop.has("a coat").await;
    for _ in 0..2 {
        assert_eq!(shop.look().await, Look::fresh("a coat"));
        assert_eq!(shop.trips(), [Load]);
    }
}

#[tokio::test]
async fn nothing_is_held_for_longer_than_a_minute() {
    let shop = Shop::with(HOUR);
    shop.has("a coat").await;
    let began = shop.clock.now();
    shop.look().await;
    shop.pass(MINUTE - MILLISECOND);
    assert_eq!(shop.look().await, Look::held("a coat", began));
    shop.pass(MILLISECOND);
    assert_eq!(shop.look().await, Look::fresh("a coat"));
}

#[tokio::test]
async fn clones_share_the_memory_and_two_do_not() {
    let shop = Shop::new();
    shop.has("a coat").await;
    let began = shop.clock.now();
    shop.look().await;
    assert_eq!(look(&shop.west.clone()).await, Look::held("a coat", began));
    assert_eq!(look(&shop.east).await, Look::fresh("a coat"));
    let other = shop.west.clone().max_bytes(1 << 20);
    assert_eq!(look(&other).await, Look::fresh("a coat"), "another bound is another memory");
}

#[tokio::test]
async fn debug_shows_nothing_of_an_entry() {
    let shop = Shop::new();
    shop.has("a secret").await;
    shop.look().await;
    let shown = format!("{:?} {:#?}", shop.west, shop.west.load_near(&KEY).unwrap().await);
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn what_the_store_says_of_itself_is_handed_on() {
    use cloakroom::store::{MemoryStore, Moving, Near};

    let memory = MemoryStore::new;
    assert!(!Near::new(memory()).is_moving() && !Near::new(memory()).may_evict());
    assert!(Near::new(Moving::new_first(memory(), memory())).is_moving());
    assert!(memory().load_near(&KEY).is_none(), "a store without a memory");
    assert!(Moving::new_first(Near::new(memory()), memory()).load_near(&KEY).is_none());
}
