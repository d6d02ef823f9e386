//! P1 and P12: only a cookie that this layer has sealed for this use is a session, and all bytes
//! get a defined answer.

use cloakroom::store::MemoryStore;
use cloakroom::{CookieOptions, SessionLayer};
use http::HeaderValue;
use proptest::prelude::*;

use crate::{house_with_keys, key, kinds, put, value, value_of};
use cloakroom_testing::{COOKIE, House};

fn header(value: &[u8]) -> Option<HeaderValue> {
    HeaderValue::from_bytes(&[COOKIE.as_bytes(), b"=", value].concat()).ok()
}

#[tokio::test]
async fn p1_every_single_flipped_bit_of_a_cookie_is_noticed() {
    for kind in kinds() {
        let house = House::in_cookies(kind);
        let good = house.guest().await.ticket().into_bytes();
        assert_eq!(value_of(&house.layer, header(&good).unwrap()).await, Some(1));
        let mut sent = 0;
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            // A header cannot contain all bytes.
            let Some(header) = header(&bad) else { continue };
            sent += 1;
            assert_eq!(value_of(&house.layer, header).await, None, "bit {bit}");
        }
        assert!(sent > good.len() * 6, "{sent} of {} bits", good.len() * 8);
    }
}

#[tokio::test]
async fn p1_a_cookie_that_is_cut_or_lengthened_is_noticed() {
    for kind in kinds() {
        let house = House::in_cookies(kind);
        let good = house.guest().await.ticket();
        for len in 0..good.len() {
            for part in [&good[..len], &good[good.len() - len..]] {
                let header = header(part.as_bytes()).unwrap();
                assert_eq!(value_of(&house.layer, header).await, None, "{part}");
            }
        }
        for longer in [format!("{good}A"), format!("A{good}"), format!("{good}{good}")] {
            let header = header(longer.as_bytes()).unwrap();
            assert_eq!(value_of(&house.layer, header).await, None, "{longer}");
        }
    }
}

#[tokio::test]
async fn p1_cookies_swapped_between_two_names_are_nobodys() {
    for kind in kinds() {
        let house = House::in_cookies(kind.clone());
        let admin = CookieOptions::builder().name("__Host-admin").build().unwrap();
        let office = House::in_cookies(kind).with(|layer| layer.cookie(admin));
        let (guest, clerk) = (house.guest().await, office.guest().await);
        let cookies = (guest.ticket(), clerk.cookie("__Host-admin").unwrap());
        guest.set_cookie(COOKIE, &cookies.1);
        clerk.set_cookie("__Host-admin", &cookies.0);
        assert_eq!((value(&guest).await, value(&clerk).await), (None, None));
        guest.set_cookie(COOKIE, &cookies.0);
        assert_eq!(value(&guest).await, Some(1));
    }
}

#[tokio::test]
async fn p1_signed_and_private_cookies_and_tickets_are_not_taken_for_each_other() {
    let [signed, private] = kinds().map(House::in_cookies);
    let store = MemoryStore::builder().clock(signed.clock.clone()).build();
    let tickets = SessionLayer::new(store, key(7)).clock(signed.clock.clone());
    let layers = [&signed.layer, &private.layer, &tickets];
    for (from, layer) in layers.iter().enumerate() {
        let visitor = crate::Visitor::new((*layer).clone());
        put(&visitor, 1).await.is_ok();
        for (to, other) in layers.iter().enumerate() {
            let found = value(&visitor.copy().at(other)).await;
            assert_eq!(found, (from == to).then_some(1), "from {from} to {to}");
        }
    }
}

#[tokio::test]
async fn p1_a_write_with_a_forged_cookie_is_a_new_visitors() {
    for kind in kinds() {
        let house = House::in_cookies(kind);
        let guest = house.guest().await;
        let elsewhere = house_with_keys(kinds()[0].clone(), key(8)).guest().await.ticket();
        for forged in ["", "AQE", &elsewhere, &"A".repeat(4000)] {
            let forger = house.visitor();
            forger.set_cookie(COOKIE, forged);
            let answer = forger.visit(async |session| {
                assert!(session.is_new());
                session.insert("other", &1_u32)
            });
            assert_eq!(answer.await.is_ok().set_cookies().len(), 1);
            assert_ne!(forger.ticket(), forged);
            assert_eq!(value(&forger).await, None);
        }
        assert_eq!(value(&guest).await, Some(1));
    }
}

#[tokio::test]
async fn of_several_cookies_the_one_that_was_written_last_counts() {
    for kind in kinds() {
        let house = House::in_cookies(kind);
        let guest = house.guest().await;
        let old = guest.ticket();
        house.clock.advance(std::time::Duration::from_secs(1));
        put(&guest, 2).await.is_ok();
        let new = guest.ticket();
        for values in [[&*old, &new, "x"], [&new, "", &old], ["x", &old, &new]] {
            let header = values.map(|value| format!("{COOKIE}={value}")).join("; ");
            let header = HeaderValue::try_from(header).unwrap();
            assert_eq!(value_of(&house.layer, header).await, Some(2));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn p12_any_cookie_header_gets_an_answer(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        names in prop::collection::vec("(__Host-id(\\.[0-9])?=[A-Za-z0-9_-]{0,60}; ){0,4}", 0..3),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for kind in kinds() {
            let house = House::in_cookies(kind);
            for header in [bytes.clone(), names.concat().into_bytes()] {
                if let Ok(header) = HeaderValue::from_bytes(&header) {
                    prop_assert_eq!(runtime.block_on(value_of(&house.layer, header)), None);
                }
            }
        }
    }
}
