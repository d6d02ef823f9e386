//! The entry that a write of this server leaves in its memory.

use cloakroom::store::{Created, Replaced, SessionStore, StoreErrorKind, Touched};
use cloakroom_testing::Command::{Create, Delete, Load, Replace, Touch};
use cloakroom_testing::{Fault, HOUR, poll_once};

use crate::shop::{KEY, Look, MILLISECOND, Shop, created, kind, look, replaced};

const INDETERMINATE: StoreErrorKind = StoreErrorKind::Indeterminate;

#[tokio::test]
async fn what_this_server_writes_it_reads_at_once_and_without_a_trip() {
    let shop = Shop::new();
    let first = created(shop.west.create(&KEY, &shop.entry("one")).await);
    assert_eq!(shop.look().await, Look::held("one", shop.clock.now()));
    shop.pass(MILLISECOND);
    let second = replaced(shop.west.replace(&KEY, &first, &shop.entry("two")).await);
    assert_eq!(shop.look().await, Look::held("two", shop.clock.now()));

    shop.pass(MILLISECOND);
    let later = shop.in_a(2 * HOUR);
    assert_eq!(shop.west.touch(&KEY, &second, later).await.unwrap(), Touched::Done);
    let held = shop.west.load_near(&KEY).unwrap().await.unwrap().into_entry().unwrap();
    assert_eq!((held.deadline, held.version), (later, second));
    assert_eq!(shop.look().await, Look::held("two", shop.clock.now()));
    assert_eq!(shop.trips(), [Create, Replace, Touch]);

    shop.west.delete(&KEY).await.unwrap();
    assert_eq!(shop.look().await, Look::Fresh(None));
    assert_eq!(shop.trips(), [Delete, Load]);
}

#[tokio::test]
async fn what_this_server_writes_is_seen_by_it_at_once_and_by_others_after_the_staleness() {
    let shop = Shop::new();
    let first = shop.has("one").await;
    let began = shop.clock.now();
    look(&shop.east).await;
    replaced(shop.west.replace(&KEY, &first, &shop.entry("two")).await);
    assert_eq!(shop.look().await, Look::held("two", began));
    assert_eq!(look(&shop.east).await, Look::held("one", began));
    shop.pass_staleness();
    assert_eq!(look(&shop.east).await, Look::fresh("two"));
}

#[tokio::test]
async fn a_refused_write_leaves_what_the_store_has_shown() {
    let shop = Shop::new();
    let first = shop.has("one").await;
    shop.look().await;
    shop.becomes("theirs").await;
    let refused = shop.west.replace(&KEY, &first, &shop.entry("mine")).await.unwrap();
    assert!(matches!(refused, Replaced::Conflict(_)));
    shop.trips();
    assert_eq!(shop.look().await, Look::held("theirs", shop.clock.now()));
    shop.no_trips();

    let refused = shop.west.create(&KEY, &shop.entry("mine")).await.unwrap();
    assert_eq!(refused, Created::Exists, "which shows no entry");
    assert_eq!(shop.look().await, Look::fresh("theirs"));

    shop.bare.delete(&KEY).await.unwrap();
    let refused = shop.west.replace(&KEY, &first, &shop.entry("mine")).await.unwrap();
    assert_eq!(refused, Replaced::Gone);
    assert_eq!(shop.look().await, Look::Fresh(None));
}

#[tokio::test]
async fn a_touch_that_changes_nothing_leaves_nothing_held() {
    let shop = Shop::new();
    let first = shop.has("one").await;
    shop.look().await;
    shop.becomes("two").await;
    let later = shop.in_a(2 * HOUR);
    assert_eq!(shop.west.touch(&KEY, &first, later).await.unwrap(), Touched::Skipped);
    assert_eq!(shop.look().await, Look::fresh("two"));
    shop.bare.delete(&KEY).await.unwrap();
    assert_eq!(shop.west.touch(&KEY, &first, later).await.unwrap(), Touched::Gone);
    assert_eq!(shop.look().await, Look::Fresh(None));
}

#[tokio::test]
async fn a_touch_of_an_entry_that_is_not_held_holds_nothing() {
    let shop = Shop::new();
    let first = shop.has("one").await;
    let touched = shop.west.touch(&KEY, &first, shop.in_a(2 * HOUR)).await;
    assert_eq!(touched.unwrap(), Touched::Done);
    assert_eq!(shop.look().await, Look::fresh("one"));
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_leaves_nothing_held() {
    for (fault, there) in [(Fault::LoseReply, "mine"), (Fault::LoseRequest, "one")] {
        let shop = Shop::new();
        let first = shop.has("one").await;
        shop.look().await;
        shop.faulty.next(Replace, fault);
        let lost = shop.west.replace(&KEY, &first, &shop.entry("mine")).await;
        assert_eq!(kind(lost), INDETERMINATE);
        assert_eq!(shop.look().await, Look::fresh(there));
    }
    let shop = Shop::new();
    shop.faulty.next(Create, Fault::LoseReply);
    assert_eq!(kind(shop.west.create(&KEY, &shop.entry("mine")).await), INDETERMINATE);
    assert_eq!(shop.look().await, Look::fresh("mine"));

    let there = shop.bare.load(&KEY).await.unwrap().unwrap();
    shop.faulty.next(Touch, Fault::LoseReply);
    let later = shop.in_a(2 * HOUR);
    assert_eq!(kind(shop.west.touch(&KEY, &there.version, later).await), INDETERMINATE);
    shop.trips();
    shop.look().await;
    assert_eq!(shop.trips(), [Load]);
    shop.faulty.next(Delete, Fault::LoseReply);
    assert_eq!(kind(shop.west.delete(&KEY).await), INDETERMINATE);
    assert_eq!(shop.look().await, Look::Fresh(None));
}

#[tokio::test]
async fn a_write_that_failed_leaves_nothing_held() {
    let shop = Shop::new();
    let first = shop.has("one").await;
    shop.look().await;
    shop.faulty.next(Replace, Fault::Fail(StoreErrorKind::Unavailable));
    let failed = shop.west.replace(&KEY, &first, &shop.entry("two")).await;
    assert_eq!(kind(failed), StoreErrorKind::Unavailable);
    assert_eq!(shop.look().await, Look::fresh("one"));
}

#[tokio::test]
async fn a_write_that_is_dropped_leaves_nothing_held() {
    let shop = Shop::new();
    let first = shop.has("one").await;
    shop.look().await;
    shop.gated.writes.close();
    let entry = shop.entry("two");
    let mut write = Box::pin(shop.west.replace(&KEY, &first, &entry));
    assert!(poll_once(&mut write).is_none());
    drop(write);
    assert_eq!(shop.look().await, Look::fresh("two"), "it was carried out all the same");
}

#[tokio::test]
async fn a_write_that_arrives_late_is_seen_after_the_staleness() {
    let shop = Shop::new();
    let first = shop.has("one").await;
    shop.faulty.next(Replace, Fault::Late);
    let late = shop.west.replace(&KEY, &first, &shop.entry("two")).await;
    assert_eq!(kind(late), INDETERMINATE);
    assert_eq!(shop.look().await, Look::fresh("one"));
    shop.faulty.deliver().await;
    shop.pass_staleness();
    assert_eq!(shop.look().await, Look::fresh("two"));
}
