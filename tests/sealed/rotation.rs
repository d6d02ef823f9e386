//! Signing keys are replaced, and nothing else has to be done.

use cloakroom::{Key, KeyRing, Sealing, SessionLayer};
use cloakroom_testing::House;

use crate::{house, insert, log_in, value};

fn key(byte: u8) -> Key {
    Key::from_bytes(&[byte; 32]).unwrap()
}

fn ring(signer: u8, others: &[u8]) -> KeyRing {
    let ring = KeyRing::new(key(signer));
    others.iter().fold(ring, |ring, other| ring.verify_also(key(*other)).unwrap())
}

#[tokio::test]
async fn sessions_outlive_every_step_of_a_rotation() {
    let house = house();
    let server = |ring: KeyRing| house.server(house.store.clone(), ring);
    let steps = [ring(1, &[]), ring(1, &[2]), ring(2, &[1]), ring(3, &[2, 1])].map(server);
    let visitor = house.visitor().at(&steps[0]);
    insert(&visitor, "cart", "apple").await;
    for (at, step) in steps.iter().enumerate() {
        let visitor = visitor.at(step);
        assert_eq!(value(&visitor, "cart").await, r#"Some("apple")"#, "step {at}");
        insert(&visitor, "step", &at.to_string()).await;
        assert_eq!(value(&visitor, "step").await, format!("Some({:?})", at.to_string()));
    }
    // Servers of neighbouring steps, one after the other.
    for at in [0, 1, 2, 1, 0] {
        insert(&visitor.at(&steps[at]), "at", &at.to_string()).await;
        let next = visitor.at(&steps[at + 1]);
        assert_eq!(value(&next, "at").await, format!("Some({:?})", at.to_string()));
    }
    // A login gets a ticket of the new key, and is sealed under it; the old key can go.
    let visitor = visitor.at(&steps[2]);
    log_in(&visitor, "ada").await;
    let later = visitor.at(&server(ring(2, &[])));
    assert_eq!(value(&later, "cart").await, r#"Some("apple")"#);
}

#[tokio::test]
async fn a_layer_of_another_key_finds_no_session() {
    let house = house();
    let visitor = house.visitor();
    insert(&visitor, "cart", "apple").await;
    let elsewhere = visitor.at(&house.server(house.store.clone(), key(9)));
    assert_eq!(value(&elsewhere, "cart").await, "None");
}

/// The seal follows the carrier, whichever is set first.
#[tokio::test]
async fn a_layer_with_a_cookie_of_its_own_seals_in_either_order() {
    let house = House::open();
    let plain =
        SessionLayer::new(house.store.clone(), house.key.clone()).clock(house.clock.clone());
    let cookie = || cloakroom::CookieOptions::builder().name("__Host-shop").build().unwrap();
    let first = plain.clone().sealed(Sealing::Only).cookie(cookie());
    let last = plain.cookie(cookie()).sealed(Sealing::Only);
    let visitor = house.visitor().at(&first);
    insert(&visitor, "cart", "apple").await;
    assert_eq!(value(&visitor.at(&last), "cart").await, r#"Some("apple")"#);
}
