//! The costs of a seal, as exact counts: bytes in the store and store commands.

use cloakroom::{Key, Sealing, SessionLayer};
use cloakroom_testing::Command::{Create, Load, Replace};
use cloakroom_testing::{Counting, House, Visitor};

use crate::{house, insert, log_in, value};

async fn stored_bytes(house: &House, value_len: usize) -> usize {
    let visitor = house.visitor();
    insert(&visitor, "cart", &"x".repeat(value_len)).await;
    value(&visitor, "cart").await;
    house.entry().await.bytes.len()
}

#[tokio::test]
async fn a_seal_adds_28_bytes_whatever_the_session_holds() {
    for len in [0, 1, 100, 10_000] {
        let [sealed, plain] = [house(), House::open()];
        assert_eq!(stored_bytes(&sealed, len).await, stored_bytes(&plain, len).await + 28);
    }
}

#[tokio::test]
async fn a_seal_sends_no_command_more() {
    let house = house();
    let visitor = house.visitor();
    insert(&visitor, "cart", "apple").await;
    assert_eq!(house.counting.take(), [Create]);
    value(&visitor, "cart").await;
    assert_eq!(house.counting.take(), [Load]);
    insert(&visitor, "cart", "pear").await;
    assert_eq!(house.counting.take(), [Load, Replace]);
    log_in(&visitor, "ada").await;
    assert_eq!(house.counting.take(), [Load, Create, Replace]);
    visitor.visit(async |session| session.destroy().await).await.is_ok();
    assert_eq!(house.counting.take(), [Load, Replace]);
}

/// Returns the bytes of the largest session that the layer takes.
async fn most_bytes(house: House) -> usize {
    let house = house.with(|layer| layer.max_session_bytes(200));
    let visitor = house.visitor();
    let mut len = 0;
    loop {
        let next = "x".repeat(len);
        let answer = visitor.visit(async |session| session.insert("k", &next)).await;
        if answer.status == 413 {
            value(&visitor, "k").await;
            return house.entry().await.bytes.len();
        }
        answer.is_ok();
        len += 1;
    }
}

#[tokio::test]
async fn the_seal_counts_towards_the_largest_size() {
    assert_eq!(most_bytes(house()).await, most_bytes(House::open()).await);
}

/// Sessions in cookies are not in a store.
#[tokio::test]
async fn sessions_in_cookies_stay_as_they_are() {
    let house = House::in_cookies(cloakroom::CookieSessions::signed());
    let sealed = house.layer.clone().sealed(Sealing::Only);
    let visitor = Visitor::new(house.layer.clone());
    insert(&visitor, "cart", "apple").await;
    assert_eq!(value(&visitor.at(&sealed), "cart").await, r#"Some("apple")"#);
}

#[test]
fn nothing_of_a_key_is_shown() {
    let key = Key::from_bytes(&[b'k'; 32]).unwrap();
    let store = Counting::new(cloakroom::store::MemoryStore::new());
    let shown = format!("{:?}", SessionLayer::new(store, key).sealed(Sealing::Only));
    assert!(shown.contains("sealing: Only") && !shown.contains("kkkk"), "{shown}");
    assert!(!shown.contains("107, 107"), "{shown}");
}
