//! P12: bad bytes lead to a defined answer, not to a crash.

use bytes::Bytes;
use cloakroom::{Session, SessionError, UnreadablePolicy};

use crate::Command::{Create, Delete, Load, Replace};
use crate::promises::Ground;
use crate::{Answer, HOUR, House, Visitor, respond};

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
    newer[1] = 5;
    house.overwrite(newer).await;
    let before = house.entry().await;

    let attempts = [
        read(&guest).await,
        guest.visit(async |session| session.insert("k", &2)).await,
        log_out(&guest).await,
    ];
    for answer in attempts {
        let Some(SessionError::NewerFormat { version: 5 }) = answer.error else {
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

/// Returns a visitor whose record cannot be read, at a layer that goes on as for an anonymous one.
async fn unreadable(ground: Ground, newer: bool) -> (House, Visitor) {
    let house = ground().with(|layer| layer.on_unreadable(|_| UnreadablePolicy::Anonymous));
    let guest = house.guest().await;
    let mut bytes = house.entry().await.bytes.to_vec();
    match newer {
        true => bytes[1] = 5,
        false => bytes.truncate(20),
    }
    house.overwrite(bytes).await;
    (house, guest)
}

pub async fn p12_where_the_app_says_so_an_unreadable_record_reads_as_anonymous(ground: Ground) {
    for newer in [false, true] {
        let (house, guest) = unreadable(ground, newer).await;
        let before = house.entry().await;
        let answer = guest
            .visit(async |session| {
                assert!(session.is_new());
                let kinds = [
                    session.insert("k", &2),
                    session.remove("k"),
                    session.clear(),
                    session.renew(),
                    session.log_out_keeping_data(),
                ];
                for refused in kinds {
                    match refused {
                        Err(SessionError::Corrupt(_)) if !newer => {}
                        Err(SessionError::NewerFormat { version: 5 }) if newer => {}
                        other => panic!("{other:?}"),
                    }
                }
                session.get::<u32>("k")
            })
            .await;
        assert_eq!((&*answer.is_ok().body, answer.set_cookies().len()), ("None", 0));
        assert_eq!(house.entry().await, before);
        assert_eq!(house.counting.take(), [Load]);
    }
}

pub async fn p12_a_login_over_an_unreadable_record_begins_anew_under_a_new_id(ground: Ground) {
    for newer in [false, true] {
        let (house, guest) = unreadable(ground, newer).await;
        let (key, before) = (house.counting.last_key(), house.entry().await);
        let answer = guest
            .visit(async |session| {
                session.remember(HOUR, HOUR)?;
                session.log_in("ada").await?;
                session.insert("k", &2)
            })
            .await;
        assert_eq!(answer.is_ok().set_cookies().len(), 1);
        assert_eq!(house.counting.take(), [Load, Create]);
        assert_ne!(house.counting.last_key(), key);
        assert_eq!(house.store.load(&key).await.unwrap(), Some(before));
        let answer =
            guest.visit(async |session| Ok((session.principal(), session.get::<u32>("k")?)));
        assert_eq!(answer.await.body, r#"(Some("ada"), Some(2))"#);
    }
}

pub async fn p12_a_login_over_an_unreadable_record_that_fails_changes_nothing(ground: Ground) {
    let (house, guest) = unreadable(ground, false).await;
    let answer = guest
        .ask(async |lazy| {
            lazy.load().await.unwrap().log_in("ada").await.unwrap();
            crate::reply(http::StatusCode::BAD_GATEWAY)
        })
        .await;
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
    assert_eq!(house.counting.take(), [Load]);
}

pub async fn p12_an_unreadable_record_is_ended_by_a_logout_whatever_the_policy(ground: Ground) {
    let (house, guest) = unreadable(ground, false).await;
    let key = house.counting.last_key();
    guest
        .visit(async |session| {
            session.log_in("ada").await?;
            session.destroy().await
        })
        .await
        .is_ok();
    assert_eq!(house.counting.take(), [Load, Load, Replace]);
    assert_eq!(house.counting.last_key(), key);
}

pub async fn p12_the_policy_is_per_request_and_for_unreadable_records_only(ground: Ground) {
    let house = ground().with(|layer| {
        layer.on_unreadable(|request| match request.uri.path() {
            "/login" => UnreadablePolicy::Anonymous,
            _ => UnreadablePolicy::FailClosed,
        })
    });
    let guest = house.guest().await;
    let path = async |path: &str| {
        let service = tower::Layer::layer(
            &house.layer,
            tower::service_fn(async |request: http::Request<()>| {
                let lazy = request.extensions().get::<cloakroom::LazySession>().unwrap();
                Ok::<_, std::convert::Infallible>(respond(lazy.load().await.map(|_| ())))
            }),
        );
        let request = http::Request::builder().uri(path).body(()).unwrap();
        let Ok(answer) = guest.send(service, request).await;
        answer.status.as_u16()
    };
    use cloakroom::store::StoreErrorKind::{Corrupt, Denied, Unavailable};
    for (kind, login) in [(Unavailable, 503), (Denied, 500), (Corrupt, 200)] {
        house.faulty.next(Load, crate::Fault::Fail(kind));
        assert_eq!(path("/login").await, login, "{kind:?}");
    }
    house.overwrite("not ours").await;
    assert_eq!((path("/").await, path("/login").await), (500, 200));
}
