//! Key rotation, as for tickets: during a roll-out two nodes with different keys read each other's
//! cookies.

use cloakroom::KeyRing;

use crate::{house_with_keys, key, kinds, put, value};

#[tokio::test]
async fn r65_nodes_of_neighbouring_steps_of_a_roll_out_serve_one_visitor() {
    let ring = |signs, proves| KeyRing::new(key(signs)).verify_also(key(proves)).unwrap();
    let steps = || [KeyRing::new(key(1)), ring(1, 2), ring(2, 1), KeyRing::new(key(2))];
    for kind in kinds() {
        let nodes = steps().map(|keys| house_with_keys(kind.clone(), keys));
        for pair in nodes.windows(2) {
            for (here, there) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
                // The last step comes when all cookies under the old key have expired.
                let visitor = here.guest().await;
                assert_eq!(value(&visitor.at(&there.layer)).await, Some(1));
                put(&visitor.at(&there.layer), 2).await.is_ok();
                assert_eq!(value(&visitor).await, Some(2));
            }
        }
        let ancient = nodes[0].guest().await;
        assert_eq!(value(&ancient.at(&nodes[3].layer)).await, None);
    }
}

#[tokio::test]
async fn a_change_seals_with_the_signing_key() {
    let house = house_with_keys(kinds()[0].clone(), key(1));
    let ring = KeyRing::new(key(2)).verify_also(key(1)).unwrap();
    let next = house_with_keys(kinds()[0].clone(), ring);
    let last = house_with_keys(kinds()[0].clone(), key(2));
    let visitor = house.guest().await;
    put(&visitor.at(&next.layer), 2).await.is_ok();
    assert_eq!(value(&visitor.at(&last.layer)).await, Some(2));
}

#[tokio::test]
async fn apps_under_one_secret_refuse_each_others_sessions() {
    for kind in kinds() {
        let app = |name| house_with_keys(kind.clone(), key(1).derived_for(name));
        let (shop, admin) = (app("shop"), app("admin"));
        let root = house_with_keys(kind.clone(), key(1));
        let visitor = shop.guest().await;
        assert_eq!(value(&visitor.at(&app("shop").layer)).await, Some(1), "another server");
        for other in [&admin, &root] {
            assert_eq!(value(&visitor.at(&other.layer)).await, None);
            assert_eq!(value(&other.guest().await.at(&shop.layer)).await, None);
        }
    }
}

#[tokio::test]
async fn a_secret_that_apps_derive_their_keys_from_is_replaced_as_a_key_is() {
    let ring = |signs, proves| KeyRing::new(key(signs)).verify_also(key(proves)).unwrap();
    let at = |ring: KeyRing| house_with_keys(kinds()[0].clone(), ring.derived_for("shop").unwrap());
    let (before, between, after) = (at(ring(1, 2)), at(ring(2, 1)), at(KeyRing::new(key(2))));
    let visitor = before.guest().await;
    put(&visitor.at(&between.layer), 2).await.is_ok();
    assert_eq!(value(&visitor.at(&after.layer)).await, Some(2));
}
