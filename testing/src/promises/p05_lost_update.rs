//! P5: no update is lost when several requests write.

use std::time::Duration;

use cloakroom::SessionError;
use cloakroom::store::StoreErrorKind;

use crate::Command::{Load, Replace};
use crate::promises::Ground;
use crate::{Fault, House, Visitor, all};

async fn read(visitor: &Visitor, key: &str) -> String {
    visitor.visit(async |session| session.get::<u32>(key)).await.body
}

/// Sends another request of the same visitor while one is running.
async fn meanwhile(visitor: &Visitor, key: &str, value: u32) {
    visitor.visit(async |session| session.insert(key, &value)).await.is_ok();
}

pub async fn p5_parallel_changes_of_different_keys_are_all_kept(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answers = all((0..32).map(|at| {
        let guest = guest.clone();
        async move {
            guest
                .visit(async |session| {
                    tokio::task::yield_now().await;
                    session.insert(&format!("key {at}"), &at)
                })
                .await
        }
    }))
    .await;
    for answer in answers {
        answer.is_ok();
    }
    let keys = guest.visit(async |session| Ok(session.keys().len())).await;
    assert_eq!(keys.body, "33");
}

pub async fn p5_sixty_four_parallel_updates_of_one_counter_all_count(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answers = all((0..64).map(|_| {
        let guest = guest.clone();
        async move {
            guest
                .visit(async |session| {
                    tokio::task::yield_now().await;
                    session.update("k", |value: &mut u32| *value += 1)
                })
                .await
        }
    }))
    .await;
    for answer in answers {
        answer.is_ok();
    }
    assert_eq!(read(&guest, "k").await, "Some(65)");
}

pub async fn p5_sixty_four_updates_on_several_threads_all_count() {
    let house = House::open();
    let guest = house.guest().await;
    let threads = (0..8).map(|_| {
        let guest = guest.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            runtime.unwrap().block_on(async {
                for _ in 0..8 {
                    let add = |value: &mut u32| *value += 1;
                    guest.visit(async |session| session.update("k", add)).await.is_ok();
                }
            });
        })
    });
    let threads: Vec<_> = threads.collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(read(&guest, "k").await, "Some(65)");
}

pub async fn p5_inserting_over_a_read_key_that_has_changed_is_a_conflict_and_stores_nothing(
    ground: Ground,
) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest
        .visit(async |session| {
            session.get::<u32>("k")?;
            meanwhile(&guest, "k", 2).await;
            session.insert("other", &9)?;
            session.insert("k", &3)
        })
        .await;
    answer.is_conflict_on("k");
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
    assert_eq!(read(&guest, "k").await, "Some(2)");
    assert_eq!(read(&guest, "other").await, "None");
}

pub async fn p5_removing_a_read_key_that_has_changed_is_a_conflict(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest
        .visit(async |session| {
            assert!(session.contains("k")?);
            meanwhile(&guest, "k", 2).await;
            session.remove("k").unwrap();
            Ok(())
        })
        .await;
    answer.is_conflict_on("k");
    assert_eq!(read(&guest, "k").await, "Some(2)");
}

pub async fn p5_a_key_that_was_read_as_absent_and_has_appeared_is_a_conflict(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest
        .visit(async |session| {
            assert_eq!(session.get::<u32>("seat")?, None);
            meanwhile(&guest, "seat", 7).await;
            session.insert("seat", &8)
        })
        .await;
    answer.is_conflict_on("seat");
    assert_eq!(read(&guest, "seat").await, "Some(7)");
}

pub async fn p5_a_read_key_that_changed_back_does_not_conflict(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest
        .visit(async |session| {
            session.get::<u32>("k")?;
            meanwhile(&guest, "k", 2).await;
            meanwhile(&guest, "k", 1).await;
            session.insert("k", &3)
        })
        .await;
    answer.is_ok();
    assert_eq!(read(&guest, "k").await, "Some(3)");
}

pub async fn p5_a_blind_insert_is_a_plain_overwrite(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest
        .visit(async |session| {
            meanwhile(&guest, "k", 2).await;
            session.insert("k", &3)
        })
        .await;
    answer.is_ok();
    assert_eq!(read(&guest, "k").await, "Some(3)");
}

pub async fn p5_a_blind_remove_is_a_plain_one(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest
        .visit(async |session| {
            meanwhile(&guest, "k", 2).await;
            session.remove("k").unwrap();
            Ok(())
        })
        .await;
    answer.is_ok();
    assert_eq!(read(&guest, "k").await, "None");
}

pub async fn p5_a_clear_takes_what_others_wrote_meanwhile_too(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest
        .visit(async |session| {
            session.get::<u32>("k")?;
            meanwhile(&guest, "k", 2).await;
            meanwhile(&guest, "other", 2).await;
            session.clear().unwrap();
            Ok(())
        })
        .await;
    answer.is_ok();
    assert_eq!(guest.visit(async |session| Ok(session.keys())).await.body, "[]");
}

pub async fn p5_reading_one_key_lets_others_write_another(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest
        .visit(async |session| {
            session.get::<u32>("k")?;
            meanwhile(&guest, "other", 2).await;
            session.insert("k", &3)
        })
        .await;
    answer.is_ok();
    assert_eq!(read(&guest, "k").await, "Some(3)");
    assert_eq!(read(&guest, "other").await, "Some(2)");
}

pub async fn p5_an_update_runs_again_on_the_fresh_value(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let runs = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let answer = guest
        .visit(async |session| {
            meanwhile(&guest, "k", 10).await;
            let runs = runs.clone();
            session.update("k", move |value: &mut u32| {
                runs.lock().unwrap().push(*value);
                *value *= 2;
                *value
            })
        })
        .await;
    // The handler gets the result of the closure's first run, on the value that the session had
    // then.
    assert_eq!(answer.body, "2");
    assert_eq!(*runs.lock().unwrap(), [1, 10]);
    assert_eq!(read(&guest, "k").await, "Some(20)");
}

pub async fn p5_a_refusal_on_the_rerun_is_a_conflict(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest
        .visit(async |session| {
            let taken = session.try_update("k", |left: &mut u32| match *left {
                0 => Err("sold out"),
                _ => {
                    *left -= 1;
                    Ok(())
                }
            })?;
            assert_eq!(taken, Ok(()));
            meanwhile(&guest, "k", 0).await;
            Ok(())
        })
        .await;
    answer.is_conflict_on("k");
    assert_eq!(read(&guest, "k").await, "Some(0)");
}

pub async fn p5_a_merge_that_leaves_nothing_to_change_writes_nothing(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest
        .visit(async |session| {
            meanwhile(&guest, "k", 2).await;
            house.counting.take();
            session.insert("k", &2_u32)
        })
        .await;
    answer.is_ok();
    assert_eq!(house.counting.take(), [Replace]);
}

pub async fn p5_a_conflict_costs_one_more_command_and_no_load(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    guest
        .visit(async |session| {
            meanwhile(&guest, "other", 2).await;
            house.counting.take();
            session.insert("k", &3)
        })
        .await
        .is_ok();
    assert_eq!(house.counting.take(), [Replace, Replace]);
}

pub async fn p5_after_a_save_that_merged_the_check_is_against_what_the_handler_saw(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest
        .visit(async |session| {
            assert_eq!(session.get::<u32>("k")?, Some(1));
            meanwhile(&guest, "k", 2).await;
            session.insert("other", &9)?;
            session.save().await?;
            session.insert("k", &3)
        })
        .await;
    answer.is_conflict_on("k");
    assert_eq!(read(&guest, "k").await, "Some(2)");
    assert_eq!(read(&guest, "other").await, "Some(9)", "what `save` stored stands");
}

pub async fn p5_after_a_save_that_merged_a_further_look_is_what_counts(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let answer = guest
        .visit(async |session| {
            assert_eq!(session.get::<u32>("k")?, Some(1));
            meanwhile(&guest, "k", 2).await;
            session.insert("other", &9)?;
            session.save().await?;
            assert_eq!(session.get::<u32>("k")?, Some(2));
            session.insert("k", &3)
        })
        .await;
    answer.is_ok();
    assert_eq!(read(&guest, "k").await, "Some(3)");
}

/// Returns the same browser with a layer whose store has no faults.
fn elsewhere(house: &House, guest: &Visitor) -> Visitor {
    guest.at(&house.server(house.store.clone(), house.key.clone()))
}

/// Each attempt finds that the session has changed again. The time may run out between two attempts
/// or during one. In both cases nothing is acknowledged.
pub async fn p5_a_commit_that_finds_no_gap_answers_503_when_its_time_is_over() {
    let house = House::open();
    let guest = house.guest().await;
    let rival = elsewhere(&house, &guest);
    house.faulty.always(Replace, move || {
        let rival = rival.clone();
        Fault::after(move || async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let add = |value: &mut u32| *value += 1;
            rival.visit(async move |session| session.update("rival", add)).await.is_ok();
        })
    });
    let start = tokio::time::Instant::now();
    let answer = guest.visit(async |session| session.insert("k", &2)).await;
    answer.is_outage();
    let out_of_time = [SessionError::Contended, SessionError::Unconfirmed(None)];
    let error = answer.error.as_ref().map(std::mem::discriminant);
    assert!(out_of_time.iter().any(|it| error == Some(std::mem::discriminant(it))), "{answer:?}");
    let waited = start.elapsed().as_millis();
    assert!((5000..5100).contains(&waited), "{waited}");
    house.faulty.clear_faults();
    assert_eq!(read(&guest, "k").await, "Some(1)");
}

/// One commit met a conflict, and its store hangs while it is at the head of the session's line. The
/// others go past it after a quarter of a second.
pub async fn p5_a_commit_that_hangs_does_not_hold_up_its_line() {
    let house = House::open();
    let guest = house.guest().await;
    let hurried = guest.at(&house.layer.clone().commit_timeout(Duration::from_secs(1)));
    let quick = elsewhere(&house, &guest);
    let slow = guest.visit(async |session| {
        meanwhile(&quick, "other", 2).await;
        house.faulty.next(Replace, Fault::Pass);
        house.faulty.next(Replace, Fault::Hang);
        session.insert("slow", &1)
    });
    let hurried = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let start = tokio::time::Instant::now();
        let answer = hurried.visit(async |session| {
            meanwhile(&quick, "other", 3).await;
            session.insert("k", &2)
        });
        answer.await.is_ok();
        start.elapsed().as_millis()
    };
    let (_, waited) = tokio::join!(slow, hurried);
    assert!((200..300).contains(&waited), "{waited}");
    assert_eq!(read(&guest, "k").await, "Some(2)");
}

pub async fn p5_a_write_that_was_not_applied_is_an_outage_and_changes_nothing(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    house.faulty.next(Replace, Fault::Fail(StoreErrorKind::Unavailable));
    let answer = guest.visit(async |session| session.insert("k", &2)).await;
    assert!(matches!(answer.error, Some(SessionError::Store(_))), "{answer:?}");
    answer.is_outage();
    assert_eq!(house.counting.take(), [Load, Replace]);
    assert_eq!(read(&guest, "k").await, "Some(1)");
}

/// A pause between reading and writing would make the next conflict the surer the longer it is.
pub async fn p5_two_servers_with_one_busy_session_leave_each_other_room() {
    const EACH: u32 = 200;
    let house = House::open();
    let guest = house.guest().await;
    for command in [Load, Replace] {
        house.faulty.always(command, || Fault::Delay(Duration::from_millis(1)));
    }
    let other = guest.at(&house.server(house.counting.clone(), house.key.clone()));
    let visits =
        (0..2 * EACH).map(|at| {
            let visitor = if at % 2 == 0 { guest.clone() } else { other.clone() };
            async move {
                visitor.visit(async |session| session.update("k", |k: &mut u32| *k += 1)).await
            }
        });
    let answers = all(visits).await;
    let refused = answers.iter().filter(|answer| answer.status != 200).count();
    assert_eq!(refused, 0, "of {} updates", 2 * EACH);
    assert_eq!(read(&guest, "k").await, format!("Some({})", 2 * EACH + 1));
}
