//! P12: bad bytes lead to a defined answer, not to a crash.

use bytes::Bytes;
use cloakroom::{Session, SessionError};

use crate::Command::{Delete, Load, Replace};
use crate::promises::Ground;
use crate::{Answer, House, Visitor, respond};

async fn read(visitor: &Visitor) -> Answer {
    visitor.visit(async |session| session.get::<u32>("k")).await
}

/// Returns a visitor whose record has every kind of field, and the bytes of that record.
async fn rich(house: &House) -> (Visitor, Bytes) {
    let guest = house.visitor();
    let answer = guest.visit(async |session| {
        session.insert("k", &1_u32)?;
        session.insert("name", "Ada")?;
        session.log_in("ada").await
    });
    answer.await.is_ok();
    read(&guest).await.is_ok();
    (guest, house.entry().await.bytes)
}

pub async fn p12_every_truncation_of_a_real_record_is_corrupt(ground: Ground) {
    let house = ground();
    let (guest, good) = rich(&house).await;
    for length in 0..good.len() {
        house.overwrite(good.slice(..length)).await;
        let answer = read(&guest).await;
        assert!(matches!(answer.error, Some(SessionError::Corrupt(_))), "{length}: {answer:?}");
        assert_eq!(answer.status, 500);
    }
    house.overwrite(good).await;
    assert_eq!(read(&guest).await.body, "Some(1)");
}

pub async fn p12_every_flipped_bit_of_a_real_record_gets_a_defined_answer(ground: Ground) {
    let house = ground();
    let (guest, good) = rich(&house).await;
    let mut refused = 0;
    for bit in 0..good.len() * 8 {
        let mut bad = good.to_vec();
        bad[bit / 8] ^= 1 << (bit % 8);
        house.overwrite(bad).await;
        let answer = guest.visit(async |session| {
            drop(session.get::<u32>("k"));
            drop(session.get::<String>("name"));
            Ok((session.keys(), session.principal(), session.expires_at()))
        });
        let answer = answer.await;
        assert!([200, 500, 503].contains(&answer.status.as_u16()), "{bit}: {answer:?}");
        refused += usize::from(!answer.status.is_success());
    }
    assert!(refused > 100, "only {refused} were noticed");
}

async fn log_out(visitor: &Visitor) -> Answer {
    visitor.ask(async |lazy| respond(lazy.destroy().await)).await
}

pub async fn p12_a_newer_format_is_an_error_and_is_never_written_over(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let mut newer = house.entry().await.bytes.to_vec();
    newer[1] = 2;
    house.overwrite(newer).await;
    let before = house.entry().await;

    let attempts = [
        read(&guest).await,
        guest.visit(async |session| session.insert("k", &2)).await,
        log_out(&guest).await,
    ];
    for answer in attempts {
        let Some(SessionError::NewerFormat { version: 2 }) = answer.error else {
            panic!("{answer:?}")
        };
        assert_eq!(answer.status, 503);
        assert_eq!(answer.set_cookies(), Vec::<&str>::new());
    }
    assert_eq!(house.entry().await, before);
    assert_eq!(house.counting.take(), [Load, Load, Load]);
}

/// Checks a change that finds a record of a newer format, written while its handler ran.
async fn overtaken(ground: Ground, change: impl AsyncFnOnce(Session) -> Result<(), SessionError>) {
    let house = ground();
    let guest = house.guest().await;
    let mut before = None;
    let answer = guest
        .visit(async |session| {
            let mut newer = house.entry().await.bytes.to_vec();
            newer[1] = 9;
            house.overwrite(newer).await;
            before = Some(house.entry().await);
            change(session).await
        })
        .await;
    let error = &answer.error;
    assert!(matches!(error, Some(SessionError::NewerFormat { version: 9 })), "{answer:?}");
    assert_eq!(Some(house.entry().await), before);
}

pub async fn p12_a_newer_format_met_by_a_write_is_not_written_over(ground: Ground) {
    overtaken(ground, async |session| session.insert("k", &2)).await;
}

pub async fn p12_a_newer_format_met_by_a_logout_is_not_written_over(ground: Ground) {
    overtaken(ground, async |session| session.destroy().await).await;
}

pub async fn p12_a_newer_format_met_by_a_renewal_is_not_written_over(ground: Ground) {
    overtaken(ground, async |session| {
        session.renew().unwrap();
        Ok(())
    })
    .await;
}

pub async fn p12_a_corrupt_record_is_an_error_and_writes_do_not_replace_it(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    house.overwrite("not ours").await;
    let before = house.entry().await;
    for _ in 0..2 {
        let answer = guest.visit(async |session| session.insert("k", &2)).await;
        assert!(matches!(answer.error, Some(SessionError::Corrupt(_))), "{answer:?}");
        assert_eq!(answer.status, 500);
        assert_eq!(answer.set_cookies(), Vec::<&str>::new());
    }
    assert_eq!(house.entry().await, before);
}

pub async fn p12_a_corrupt_record_can_be_left() {
    let house = House::open();
    let guest = house.guest().await;
    house.overwrite("not ours").await;
    let answer = log_out(&guest).await;
    assert!(answer.is_ok().set_cookies()[0].contains("Max-Age=0"));
    assert_eq!(house.counting.take(), [Load, Delete]);
    assert_eq!(house.memory().len(), 0);
}

pub async fn p12_a_record_with_our_head_and_a_damaged_rest_can_be_left(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    let thief = guest.copy();
    let damaged = house.entry().await.bytes.slice(..9);
    house.overwrite(damaged).await;
    assert_eq!(read(&guest).await.status, 500);
    log_out(&guest).await.is_ok();
    assert_eq!(house.counting.take(), [Load, Load, Replace]);
    assert_eq!(read(&thief).await.body, "None");
}

pub async fn p12_a_store_that_calls_its_entry_corrupt_can_be_left_too() {
    use crate::{Command, Fault};
    use cloakroom::store::StoreErrorKind::Corrupt;
    let house = House::open();
    let guest = house.guest().await;
    house.faulty.always(Command::Load, || Fault::Fail(Corrupt));
    assert_eq!(read(&guest).await.status, 500);
    log_out(&guest).await.is_ok();
    assert_eq!(house.memory().len(), 0);
}
