//! Commands of one server at the same time: an answer that another command has overtaken is not kept.

use cloakroom::store::{Entry, SessionStore, StoreError, Version};
use cloakroom_testing::Command::{Load, Replace};
use cloakroom_testing::{Fault, settle};
use tokio::task::JoinHandle;

use crate::shop::{KEY, Look, Shop, look, replaced};

/// Begins a look, and waits until the store has carried it out.
async fn begin_look(shop: &Shop) -> JoinHandle<Look> {
    let west = shop.west.clone();
    let look = tokio::spawn(async move { look(&west).await });
    settle().await;
    look
}

async fn begin_load(shop: &Shop) -> JoinHandle<Result<Option<Entry>, StoreError>> {
    let west = shop.west.clone();
    let load = tokio::spawn(async move { west.load(&KEY).await });
    settle().await;
    load
}

async fn begin_replace(shop: &Shop, expected: Version, bytes: &'static str) -> JoinHandle<Version> {
    let (west, entry) = (shop.west.clone(), shop.entry(bytes));
    let write = async move { replaced(west.replace(&KEY, &expected, &entry).await) };
    let write = tokio::spawn(write);
    settle().await;
    write
}

#[tokio::test]
async fn a_load_that_a_write_has_overtaken_is_not_kept() {
    let shop = Shop::new();
    let first = shop.has("one").await;
    shop.gated.loads.close();
    let early = begin_look(&shop).await;
    replaced(shop.west.replace(&KEY, &first, &shop.entry("two")).await);
    shop.gated.loads.open();
    // It had begun before the write, so both answers are right.
    assert_eq!(early.await.unwrap(), Look::fresh("one"));
    shop.trips();
    assert_eq!(shop.look().await, Look::held("two", shop.clock.now()));
    shop.no_trips();
}

#[tokio::test]
async fn a_load_during_a_write_is_not_kept_when_the_write_ends_first() {
    let shop = Shop::new();
    let first = shop.has("one").await;
    shop.gated.writes.close();
    shop.gated.loads.close();
    // The load finds the entry as the write has left it already; it might as well have found the one before.
    let write = begin_replace(&shop, first, "two").await;
    let load = begin_look(&shop).await;
    shop.gated.writes.open();
    write.await.unwrap();
    shop.becomes("three").await;
    shop.gated.loads.open();
    load.await.unwrap();
    assert_eq!(shop.look().await, Look::held("two", shop.clock.now()), "the write's own entry");
}

#[tokio::test]
async fn a_write_does_not_replace_what_a_later_load_has_found() {
    let shop = Shop::new();
    let first = shop.has("one").await;
    shop.gated.writes.close();
    let write = begin_replace(&shop, first, "two").await;
    shop.becomes("three").await;
    assert_eq!(shop.look().await, Look::fresh("three"));
    shop.gated.writes.open();
    write.await.unwrap();
    assert_eq!(
        shop.look().await,
        Look::fresh("three"),
        "nobody can tell which of the two is newer"
    );
}

#[tokio::test]
async fn a_look_after_a_write_does_not_wait_for_a_load_from_before_it() {
    let shop = Shop::new();
    let first = shop.has("one").await;
    shop.gated.loads.close();
    let early = begin_look(&shop).await;
    shop.faulty.next(Replace, Fault::LoseReply);
    assert!(shop.west.replace(&KEY, &first, &shop.entry("two")).await.is_err());
    let late = begin_look(&shop).await;
    assert_eq!(shop.gated.loads.waiting(), 2);
    shop.gated.loads.open();
    assert_eq!(early.await.unwrap(), Look::fresh("one"));
    assert_eq!(late.await.unwrap(), Look::fresh("two"));
    assert_eq!(shop.trips(), [Load, Replace, Load]);
    assert_eq!(shop.look().await, Look::held("two", shop.clock.now()));
}

#[tokio::test]
async fn of_two_writes_at_once_neither_is_kept() {
    for order in [[0, 1], [1, 0]] {
        let shop = Shop::new();
        let one = shop.has("one").await;
        shop.gated.writes.close();
        let first = begin_replace(&shop, one, "two").await;
        let two = shop.bare.load(&KEY).await.unwrap().unwrap().version;
        let second = begin_replace(&shop, two, "three").await;
        for place in order {
            shop.gated.writes.let_go(place);
            settle().await;
        }
        first.await.unwrap();
        second.await.unwrap();
        assert_eq!(shop.look().await, Look::fresh("three"));
    }
}

#[tokio::test]
async fn a_load_does_not_replace_what_a_later_one_has_found() {
    let shop = Shop::new();
    shop.has("one").await;
    shop.gated.loads.close();
    let early = begin_load(&shop).await;
    shop.becomes("two").await;
    let late = begin_load(&shop).await;
    shop.gated.loads.let_go(1);
    assert_eq!(late.await.unwrap().unwrap().unwrap().bytes, "two");
    shop.gated.loads.let_go(0);
    assert_eq!(early.await.unwrap().unwrap().unwrap().bytes, "one");
    assert_eq!(shop.look().await, Look::held("two", shop.clock.now()));
}

#[tokio::test]
async fn an_absence_is_not_undone_by_a_load_from_before_it() {
    let shop = Shop::new();
    shop.has("one").await;
    shop.gated.loads.close();
    let early = begin_load(&shop).await;
    shop.bare.delete(&KEY).await.unwrap();
    let late = begin_load(&shop).await;
    shop.gated.loads.let_go(1);
    assert_eq!(late.await.unwrap().unwrap(), None);
    shop.gated.loads.let_go(0);
    assert_eq!(early.await.unwrap().unwrap().unwrap().bytes, "one");
    shop.gated.loads.open();
    assert_eq!(shop.look().await, Look::Fresh(None));
}
