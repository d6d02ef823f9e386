//! A `Moving` inside another one, exchanged stores, and bytes that are not the library's.

use std::sync::Arc;

use cloakroom::store::{Created, MemoryStore, Moving, SessionStore, StoreErrorKind};
use cloakroom::testing::FaultyStore;
use cloakroom_testing::{Counting, HOUR};

use crate::pair::{KEY, Pair, created, kind, replaced};
use crate::wrapped::Evicting;

async fn refuses_everything(store: impl SessionStore) {
    let pair = Pair::new();
    let (version, entry) = (pair.in_old("one").await, pair.entry("two"));
    let kinds = [
        kind(store.load(&KEY).await),
        kind(store.create(&KEY, &entry).await),
        kind(store.replace(&KEY, &version, &entry).await),
        kind(store.touch(&KEY, &version, pair.in_a(HOUR)).await),
        kind(store.delete(&KEY).await),
    ];
    assert_eq!(kinds, [StoreErrorKind::Misconfigured; 5]);
}

#[tokio::test]
async fn a_moving_inside_another_is_refused() {
    let inner = || Moving::new_first(MemoryStore::new(), MemoryStore::new());
    refuses_everything(Moving::old_first(inner(), MemoryStore::new())).await;
    refuses_everything(Moving::new_first(MemoryStore::new(), inner())).await;
    let shared: Arc<dyn SessionStore> = Arc::new(inner());
    refuses_everything(Moving::new_first(shared, MemoryStore::new())).await;
    refuses_everything(Moving::new_first(FaultyStore::new(inner()), MemoryStore::new())).await;
    let advanced = Moving::new_first(inner(), MemoryStore::new()).advance(&KEY).await;
    assert_eq!(kind(advanced), StoreErrorKind::Misconfigured);
}

#[tokio::test]
async fn one_that_a_wrapper_hides_is_refused_at_its_first_moved_entry() {
    let pair = Pair::new();
    // This wrapper does not tell what it wraps.
    let hidden = Counting::new(pair.new_first());
    let outer = Moving::new_first(hidden, MemoryStore::builder().clock(pair.clock.clone()).build())
        .clock(pair.clock.clone());
    let created = outer.create(&KEY, &pair.entry("one")).await;
    assert_eq!(kind(created), StoreErrorKind::Misconfigured);
    pair.in_new("two").await;
    assert_eq!(kind(outer.load(&KEY).await), StoreErrorKind::Misconfigured);
}

#[tokio::test]
async fn bytes_that_begin_as_a_fence_does_are_refused() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    for server in pair.both() {
        let entry = pair.entry(&b"\xC1\xFF\x01\x01"[..]);
        let answers = [
            kind(server.create(&KEY, &entry).await),
            kind(server.replace(&KEY, &version, &entry).await),
        ];
        assert_eq!(answers, [StoreErrorKind::Misconfigured; 2]);
    }
    assert_eq!(pair.all_find("one").await, version);
}

#[tokio::test]
async fn exchanged_stores_are_an_error_and_nothing_is_lost() {
    let pair = Pair::new();
    let version = pair.in_old("one").await;
    replaced(pair.new_first().replace(&KEY, &version, &pair.entry("two")).await);
    let exchanged = Moving::new_first(pair.to.counting.clone(), pair.from.counting.clone())
        .clock(pair.clock.clone());
    assert_eq!(kind(exchanged.load(&KEY).await), StoreErrorKind::NewerFormat);
    assert_eq!(exchanged.create(&KEY, &pair.entry("x")).await.unwrap(), Created::Exists);
    pair.all_find("two").await;
}

#[tokio::test]
async fn a_newer_format_of_moves_is_left_alone_and_damage_can_be_deleted() {
    let pair = Pair::new();
    let newer = pair.entry(&b"\xC1\xFF\x02rest"[..]);
    created(pair.from.bare.create(&KEY, &newer).await);
    for server in pair.both() {
        assert_eq!(kind(server.load(&KEY).await), StoreErrorKind::NewerFormat);
        assert_eq!(kind(server.delete(&KEY).await), StoreErrorKind::NewerFormat);
    }
    assert!(pair.from.has().await.is_some());
    pair.from.bare.delete(&KEY).await.unwrap();

    for side in [&pair.from, &pair.to] {
        for server in pair.both() {
            created(side.bare.create(&KEY, &pair.entry(&b"\xC1\xFF\x01\x09"[..])).await);
            assert_eq!(kind(server.load(&KEY).await), StoreErrorKind::Corrupt);
            server.delete(&KEY).await.unwrap();
            assert_eq!(side.has().await, None);
        }
    }
}

#[test]
fn a_moving_may_evict_if_one_of_its_stores_may() {
    let (keeps, evicts) = (|| Evicting::new(false), || Evicting::new(true));
    assert!(!Moving::old_first(keeps(), keeps()).may_evict());
    assert!(Moving::old_first(evicts(), keeps()).may_evict());
    assert!(Moving::new_first(keeps(), evicts()).may_evict());
}
