//! Somebody can write to the store, and changes, cuts, copies and exchanges records.

use bytes::Bytes;
use cloakroom::store::Entry;
use cloakroom::{Sealing, SessionError, SessionLayer};
use cloakroom_testing::{Answer, House, Visitor};

use crate::{house, insert, log_in, value};

async fn read(visitor: &Visitor) -> Answer {
    visitor.visit(async |s| Ok((s.principal(), s.get::<String>("cart")?))).await
}

const TRUE: &str = r#"(Some("ada"), Some("apple"))"#;
const NOBODY: &str = "(None, None)";

/// Returns ada with a cart, and the entry of her session, which is that of the last command.
async fn ada(house: &House) -> (Visitor, Entry) {
    let ada = house.visitor();
    log_in(&ada, "ada").await;
    insert(&ada, "cart", "apple").await;
    assert_eq!(read(&ada).await.body, TRUE);
    (ada, house.entry().await)
}

/// The answer is an error, or that of a visitor without a session. It sets no cookie.
#[track_caller]
fn is_refused(answer: &Answer, what: &str) {
    match &answer.error {
        Some(SessionError::Corrupt(_)) => assert_eq!(answer.status, 500),
        Some(SessionError::NewerFormat { .. }) => assert_eq!(answer.status, 503),
        Some(_) => panic!("{what}: {answer:?}"),
        None => assert_eq!(answer.body, NOBODY, "{what}"),
    }
    assert!(answer.set_cookies().is_empty(), "{what}: {answer:?}");
}

#[tokio::test]
async fn p12_every_flipped_bit_and_every_cut_is_noticed() {
    let house = house();
    let (ada, entry) = ada(&house).await;
    let good = entry.bytes.to_vec();
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        house.overwrite(bad).await;
        is_refused(&read(&ada).await, &format!("bit {bit} of {}", good.len() * 8));
    }
    for len in 0..good.len() {
        house.overwrite(good[..len].to_vec()).await;
        is_refused(&read(&ada).await, &format!("{len} bytes"));
    }
    house.overwrite([&good[..], &[0]].concat()).await;
    is_refused(&read(&ada).await, "a byte more");
    house.overwrite(good).await;
    assert_eq!(read(&ada).await.body, TRUE);
}

#[tokio::test]
async fn a_record_that_is_copied_onto_another_key_does_not_open() {
    let house = house();
    let (_, of_ada) = ada(&house).await;
    let mallory = house.visitor();
    insert(&mallory, "cart", "pear").await;
    value(&mallory, "cart").await;
    house.overwrite(of_ada.bytes).await;
    let answer = read(&mallory).await;
    assert!(matches!(answer.error, Some(SessionError::Corrupt(_))), "{answer:?}");
    // Nor does it become a session by a change, and it can be left.
    let answer = mallory.visit(async |session| session.insert("k", "v")).await;
    assert!(matches!(answer.error, Some(SessionError::Corrupt(_))), "{answer:?}");
    let left = mallory.ask(async |lazy| cloakroom_testing::respond(lazy.destroy().await)).await;
    assert_eq!(left.status, 200, "{left:?}");
    assert_eq!(read(&mallory).await.body, NOBODY);
}

#[tokio::test]
async fn a_principal_that_is_exchanged_in_the_clear_does_not_open() {
    let house = house();
    let (ada, entry) = ada(&house).await;
    let at = entry.bytes.windows(3).position(|name| name == b"ada").unwrap();
    let mut bytes = entry.bytes.to_vec();
    bytes[at..at + 3].copy_from_slice(b"bob");
    house.overwrite(bytes).await;
    let answer = read(&ada).await;
    assert!(matches!(answer.error, Some(SessionError::Corrupt(_))), "{answer:?}");
}

/// Returns the bytes of a session in the clear, as somebody who knows the format could make them.
async fn in_the_clear() -> Bytes {
    let house = House::open();
    ada(&house).await.1.bytes
}

#[tokio::test]
async fn in_the_last_step_a_record_in_the_clear_is_refused() {
    let house = house();
    let mallory = house.visitor();
    insert(&mallory, "cart", "pear").await;
    value(&mallory, "cart").await;
    house.overwrite(in_the_clear().await).await;
    let answer = read(&mallory).await;
    assert!(matches!(answer.error, Some(SessionError::Corrupt(_))), "{answer:?}");
    assert_eq!(answer.status, 500);
}

/// A handle that had loaded the sealed session meets it at its commit.
#[tokio::test]
async fn in_the_last_step_nothing_is_merged_with_a_record_in_the_clear() {
    let house = house();
    let (ada, _) = ada(&house).await;
    let planted = in_the_clear().await;
    let answer = ada.visit(async |session| {
        house.overwrite(planted.clone()).await;
        session.insert("k", "v")
    });
    let answer = answer.await;
    assert!(matches!(answer.error, Some(SessionError::Corrupt(_))), "{answer:?}");
    assert_eq!(house.entry().await.bytes, planted);
}

/// The step exists because of this.
#[tokio::test]
async fn before_the_last_step_a_record_in_the_clear_is_believed() {
    fn write(layer: SessionLayer) -> SessionLayer {
        layer.sealed(Sealing::Write)
    }
    let house = House::open().everywhere(write);
    let mallory = house.visitor();
    insert(&mallory, "cart", "pear").await;
    value(&mallory, "cart").await;
    house.overwrite(in_the_clear().await).await;
    assert_eq!(read(&mallory).await.body, TRUE);
}

/// A limit that the guide names: the seal tells nothing about time.
#[tokio::test]
async fn an_older_record_of_the_same_session_opens_again() {
    let house = house();
    let (ada, before) = ada(&house).await;
    insert(&ada, "cart", "pear").await;
    house.overwrite(before.bytes).await;
    assert_eq!(read(&ada).await.body, TRUE);
}
