//! P4: a write is two store commands, and a change without effect writes nothing.

use cloakroom::Session;

use crate::Command::{Create, Load, Replace};
use crate::promises::Ground;
use crate::respond;

pub async fn p4_a_new_session_is_one_command(ground: Ground) {
    let house = ground();
    house.visitor().visit(async |session| session.insert("k", &1)).await.is_ok();
    assert_eq!(house.counting.take(), [Create]);
}

pub async fn p4_a_write_is_two_commands_however_many_keys(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    for keys in [1, 10, 1000] {
        guest
            .visit(async |session| {
                (0..keys).try_for_each(|at| session.insert(&format!("key {at}"), &keys))?;
                session.remove("k")
            })
            .await
            .is_ok();
        assert_eq!(house.counting.take(), [Load, Replace], "{keys} keys");
    }
}

pub async fn p4_a_logout_is_two_commands(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    guest.visit(async |session| session.destroy().await).await.is_ok();
    assert_eq!(house.counting.take(), [Load, Replace]);
}

pub async fn p4_a_logout_without_loading_is_two_commands(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    guest.ask(async |lazy| respond(lazy.destroy().await)).await.is_ok();
    assert_eq!(house.counting.take(), [Load, Replace]);
}

pub async fn p4_a_login_with_changes_is_three_commands(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    guest
        .visit(async |session| {
            session.insert("k", &2)?;
            session.log_in("ada").await
        })
        .await
        .is_ok();
    assert_eq!(house.counting.take(), [Load, Create, Replace]);
}

pub async fn p4_a_login_of_a_visitor_without_a_session_is_one_command(ground: Ground) {
    let house = ground();
    house.visitor().visit(async |session| session.log_in("ada").await).await.is_ok();
    assert_eq!(house.counting.take(), [Create]);
}

pub async fn p4_a_save_that_stored_everything_leaves_nothing_for_the_end(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    guest
        .visit(async |session| {
            session.insert("k", &2)?;
            session.save().await
        })
        .await
        .is_ok();
    assert_eq!(house.counting.take(), [Load, Replace]);
}

async fn costs_one_load(ground: Ground, change: impl AsyncFnOnce(&Session)) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest
        .visit(async |session| {
            change(&session).await;
            Ok(())
        })
        .await;
    answer.is_ok();
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
    assert_eq!(house.counting.take(), [Load]);
}

pub async fn p4_inserting_an_equal_value_writes_nothing(ground: Ground) {
    costs_one_load(ground, async |session| session.insert("k", &1_u32).unwrap()).await;
}

pub async fn p4_removing_an_absent_key_writes_nothing(ground: Ground) {
    costs_one_load(ground, async |session| session.remove("absent").unwrap()).await;
}

pub async fn p4_an_update_that_changes_nothing_writes_nothing(ground: Ground) {
    costs_one_load(ground, async |session| session.update("k", |_: &mut u32| ()).unwrap()).await;
}

pub async fn p4_a_refused_update_writes_nothing(ground: Ground) {
    costs_one_load(ground, async |session| {
        let refused = session.try_update("k", |value: &mut u32| {
            *value = 9;
            Err::<(), _>("no")
        });
        assert_eq!(refused.unwrap(), Err("no"));
    })
    .await;
}

pub async fn p4_a_change_that_is_undone_writes_nothing(ground: Ground) {
    costs_one_load(ground, async |session| {
        session.clear().unwrap();
        session.insert("other", &2).unwrap();
        session.remove("other").unwrap();
        session.insert("k", &1_u32).unwrap();
        session.save().await.unwrap();
    })
    .await;
}

pub async fn p4_logging_out_nobody_writes_nothing(ground: Ground) {
    costs_one_load(ground, async |session| session.log_out_keeping_data().unwrap()).await;
}

pub async fn p4_a_new_visitor_who_leaves_nothing_costs_nothing(ground: Ground) {
    let house = ground();
    let answer = house
        .visitor()
        .visit(async |session| {
            session.insert("k", &1)?;
            session.remove("k").unwrap();
            session.renew().unwrap();
            session.clear().unwrap();
            session.destroy().await?;
            session.save().await
        })
        .await;
    answer.is_ok();
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
    assert_eq!(house.counting.take(), []);
}
