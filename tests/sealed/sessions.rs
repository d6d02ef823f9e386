//! The life of a session whose values are sealed.

use cloakroom::SessionError;
use cloakroom::store::{CommitId, NewEntry};
use cloakroom_testing::{HOUR, House, MINUTE, Visitor};

use crate::{contains, house, insert, log_in, value};

async fn shopper(house: &House) -> Visitor {
    let shopper = house.visitor();
    insert(&shopper, "cart", "apple").await;
    shopper
}

#[tokio::test]
async fn what_one_request_stores_the_next_one_reads_and_the_store_does_not() {
    let house = house();
    let shopper = shopper(&house).await;
    assert_eq!(value(&shopper, "cart").await, r#"Some("apple")"#);
    let entry = house.entry().await;
    assert_eq!(entry.bytes[..3], [0xC1, 4, 0]);
    assert!(!contains(&entry.bytes, "cart") && !contains(&entry.bytes, "apple"));
}

#[tokio::test]
async fn no_two_writes_look_alike() {
    let house = house();
    let [one, two] = [shopper(&house).await, shopper(&house).await];
    value(&one, "cart").await;
    let first = house.entry().await;
    value(&two, "cart").await;
    let second = house.entry().await;
    assert_eq!(first.bytes.len(), second.bytes.len());
    let tail = |bytes: &[u8]| bytes[bytes.len() - 40..].to_vec();
    assert_ne!(tail(&first.bytes), tail(&second.bytes));
    insert(&two, "cart", "pear").await;
    insert(&two, "cart", "apple").await;
    assert_ne!(tail(&second.bytes), tail(&house.entry().await.bytes), "another nonce");
}

#[tokio::test]
async fn p7_a_renewed_record_opens_with_the_new_id_only() {
    let house = house();
    let shopper = shopper(&house).await;
    value(&shopper, "cart").await;
    let (old, old_key) = (shopper.copy(), house.counting.last_key());
    log_in(&shopper, "ada").await;
    assert_eq!(value(&shopper, "cart").await, r#"Some("apple")"#);
    let renewed = house.entry().await;
    // Somebody who can write to the store puts it where the old id leads to.
    let mark = house.store.load(&old_key).await.unwrap().unwrap();
    let moved = NewEntry::new(CommitId::from_bytes([9; 8]), renewed.deadline, renewed.bytes);
    house.store.replace(&old_key, &mark.version, &moved).await.unwrap();
    let answer = old.visit(async |session| session.get::<String>("cart")).await;
    assert!(matches!(answer.error, Some(SessionError::Corrupt(_))), "{answer:?}");
    assert_eq!(answer.status, 500);
    assert_eq!(value(&shopper, "cart").await, r#"Some("apple")"#);
}

#[tokio::test]
async fn p7_the_mark_of_a_login_opens_with_the_old_id_only_and_shows_nothing() {
    let house = house();
    let shopper = shopper(&house).await;
    value(&shopper, "cart").await;
    let (late, old_key) = (shopper.copy(), house.counting.last_key());
    log_in(&shopper, "ada").await;
    let mark = house.store.load(&old_key).await.unwrap().unwrap();
    assert_eq!(mark.bytes[..3], [0xC1, 4, 1]);
    assert!(!contains(&mark.bytes, "apple") && !contains(&mark.bytes, "cart"));
    // To a request that does not log in, it is a session that is over.
    assert_eq!(value(&late, "cart").await, "None");
    late.visit(async |session| session.insert("k", &1)).await.is_gone();
    // The login is repeated, because its answer was lost.
    house.clock.advance(10 * MINUTE);
    log_in(&late, "ada").await;
    assert_eq!(value(&late, "cart").await, r#"Some("apple")"#);
}

#[tokio::test]
async fn p7_a_repeated_login_gets_nothing_that_came_after_the_first() {
    let house = house();
    let shopper = shopper(&house).await;
    let late = shopper.copy();
    let first = shopper.visit(async |session| {
        session.log_in("ada").await?;
        session.insert("profile", "secret")
    });
    first.await.is_ok();
    log_in(&late, "ada").await;
    assert_eq!(value(&late, "profile").await, "None");
    assert_eq!(value(&late, "cart").await, r#"Some("apple")"#);
    // Once somebody has gone on with the first session, there is nothing at all.
    let (again, third) = (house.visitor(), house.visitor());
    insert(&again, "cart", "pear").await;
    third.set_cookie(cloakroom_testing::COOKIE, &again.ticket());
    log_in(&again, "ada").await;
    insert(&again, "second", "factor").await;
    log_in(&third, "ada").await;
    assert_eq!(value(&third, "cart").await, "None");
}

#[tokio::test]
async fn p7_a_large_session_leaves_nothing_in_its_mark() {
    let house = house();
    let shopper = house.visitor();
    insert(&shopper, "cart", &"apple".repeat(60_000)).await;
    value(&shopper, "cart").await;
    let (late, old_key) = (shopper.copy(), house.counting.last_key());
    log_in(&shopper, "ada").await;
    assert_eq!(house.store.load(&old_key).await.unwrap().unwrap().bytes.len(), 49);
    log_in(&late, "ada").await;
    assert_eq!(value(&late, "cart").await, "None");
}

#[tokio::test]
async fn p6_a_logout_ends_it() {
    let house = house();
    let shopper = shopper(&house).await;
    let thief = shopper.copy();
    let answer = thief.visit(async |session| {
        shopper.visit(async |session| session.destroy().await).await.is_ok();
        session.insert("k", "v")
    });
    answer.await.is_gone();
    assert_eq!(value(&thief, "cart").await, "None");
    let answer = thief.visit(async |session| Ok((session.is_new(), session.keys())));
    assert_eq!(answer.await.body, "(true, [])");
}

#[tokio::test]
async fn p5_changes_of_parallel_requests_are_merged_and_sealed() {
    let house = house();
    let one = shopper(&house).await;
    let two = one.copy();
    let answer = two.visit(async |session| {
        one.visit(async |session| session.update("n", |n: &mut u32| *n += 1)).await.is_ok();
        session.update("n", |n: &mut u32| *n += 10)?;
        session.insert("mine", "pear")
    });
    answer.await.is_ok();
    let n = one.visit(async |session| session.get::<u32>("n")).await;
    assert_eq!(n.body, "Some(11)");
    assert_eq!(value(&one, "mine").await, r#"Some("pear")"#);
    assert_eq!(house.entry().await.bytes[1], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn p5_no_increment_of_many_at_once_is_lost() {
    let house = house();
    let shopper = shopper(&house).await;
    let tabs = (0..8).map(|_| {
        let tab = shopper.copy();
        tokio::spawn(async move {
            for _ in 0..20 {
                tab.visit(async |session| session.update("n", |n: &mut u32| *n += 1)).await.is_ok();
            }
        })
    });
    for tab in tabs.collect::<Vec<_>>() {
        tab.await.unwrap();
    }
    let n = shopper.visit(async |session| session.get::<u32>("n")).await;
    assert_eq!(n.body, "Some(160)");
}

#[tokio::test]
async fn p5_a_conflict_on_a_value_that_was_read_is_still_one() {
    let house = house();
    let one = shopper(&house).await;
    let two = one.copy();
    let answer = two.visit(async |session| {
        session.get::<String>("cart")?;
        insert(&one, "cart", "pear").await;
        session.insert("cart", "plum")
    });
    answer.await.is_conflict_on("cart");
}

#[tokio::test]
async fn an_open_handle_goes_on_writing_sealed_values() {
    let house = house();
    let shopper = shopper(&house).await;
    let mut kept = None;
    let keep = shopper.visit(async |session| {
        kept = Some(session);
        Ok(())
    });
    keep.await.is_ok();
    let session = kept.unwrap();
    for fruit in ["pear", "plum"] {
        house.clock.advance(20 * MINUTE);
        session.reload().await.unwrap();
        session.insert("cart", fruit).unwrap();
        session.save().await.unwrap();
        session.touch().await.unwrap();
        assert_eq!(value(&shopper, "cart").await, format!("Some({fruit:?})"));
        assert_eq!(house.entry().await.bytes[1], 4);
    }
    house.clock.advance(HOUR);
    session.insert("cart", "fig").unwrap();
    assert!(matches!(session.save().await, Err(SessionError::Gone)));
}

#[tokio::test]
async fn a_change_that_leaves_the_values_as_they_are_writes_nothing() {
    let house = house();
    let shopper = shopper(&house).await;
    value(&shopper, "cart").await;
    let before = house.entry().await;
    insert(&shopper, "cart", "apple").await;
    assert_eq!(house.entry().await, before);
}
