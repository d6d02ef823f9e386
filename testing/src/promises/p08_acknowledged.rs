//! P8: an acknowledged change is stored.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use cloakroom::store::{SessionStore, StoreErrorKind};
use cloakroom::{LazySession, SessionError};
use http::{Request, Response, StatusCode};
use tower::{Layer, service_fn};

use crate::Command::{Create, Load, Replace};
use crate::promises::Ground;
use crate::{Fault, House, Visitor, reply};

async fn value(visitor: &Visitor) -> String {
    visitor.visit(async |session| session.get::<u32>("k")).await.body
}

/// Sends a request whose handler changes `k` and answers with this status.
async fn change_and_answer(visitor: &Visitor, status: u16) -> crate::Answer {
    visitor
        .ask(async |lazy| {
            let session = lazy.load().await.unwrap();
            session.insert("k", &2_u32).unwrap();
            reply(StatusCode::from_u16(status).unwrap())
        })
        .await
}

pub async fn p8_a_failed_commit_turns_200_into_503(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    house.faulty.next(Replace, Fault::Fail(StoreErrorKind::Unavailable));
    let answer = guest
        .ask(async |lazy| {
            lazy.load().await.unwrap().insert("k", &2).unwrap();
            let response = Response::builder()
                .header("set-cookie", "theme=dark")
                .header("set-cookie", "lang=en")
                .header("content-type", "text/html")
                .header("etag", "\"it was stored\"");
            response.body("it was stored".to_owned()).unwrap()
        })
        .await;
    answer.is_outage();
    assert_eq!(answer.body, "");
    assert_eq!(answer.set_cookies(), ["theme=dark", "lang=en"]);
    assert_eq!(answer.header("etag"), None);
    assert_eq!(answer.header("content-type"), None);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("vary").map(str::to_ascii_lowercase).as_deref(), Some("cookie"));
    assert!(matches!(answer.error, Some(SessionError::Store(_))));
    assert_eq!(value(&guest).await, "Some(1)");
}

pub async fn p8_each_kind_of_failure_has_its_status(ground: Ground) {
    for (kind, status) in [
        (StoreErrorKind::Unavailable, 503),
        (StoreErrorKind::TooLarge, 413),
        (StoreErrorKind::Corrupt, 500),
        (StoreErrorKind::Denied, 500),
        (StoreErrorKind::Misconfigured, 500),
    ] {
        let house = ground();
        let guest = house.guest().await;
        house.faulty.next(Replace, Fault::Fail(kind));
        let answer = change_and_answer(&guest, 200).await;
        assert_eq!(answer.status, status, "{kind:?}");
        assert_eq!(answer.header("retry-after"), (status == 503).then_some("2"), "{kind:?}");
        assert_eq!(value(&guest).await, "Some(1)");
    }
}

pub async fn p8_a_new_session_that_cannot_be_stored_gets_no_cookie(ground: Ground) {
    let house = ground();
    house.faulty.always(Create, || Fault::Fail(StoreErrorKind::Unavailable));
    let answer = house.visitor().visit(async |session| session.insert("k", &1)).await;
    answer.is_outage();
    assert_eq!(answer.set_cookies(), Vec::<&str>::new());
}

pub async fn p8_answers_below_500_commit(ground: Ground) {
    for status in [200, 204, 302, 400, 404, 409, 422, 499] {
        let house = ground();
        let guest = house.guest().await;
        assert_eq!(change_and_answer(&guest, status).await.status, status);
        assert_eq!(house.counting.take(), [Load, Replace], "{status}");
        assert_eq!(value(&guest).await, "Some(2)");
    }
}

pub async fn p8_answers_from_500_on_do_not(ground: Ground) {
    for status in [500, 502, 503, 599] {
        let house = ground();
        let guest = house.guest().await;
        assert_eq!(change_and_answer(&guest, status).await.status, status);
        assert_eq!(house.counting.take(), [Load], "{status}");
        assert_eq!(value(&guest).await, "Some(1)");
    }
}

pub async fn p8_a_failed_handler_renews_nothing_and_sets_no_cookie(ground: Ground) {
    let house = ground();
    for visitor in [house.visitor(), house.guest().await] {
        let answer = visitor
            .ask(async |lazy| {
                let session = lazy.load().await.unwrap();
                session.log_in("ada").await.unwrap();
                reply(StatusCode::BAD_GATEWAY)
            })
            .await;
        assert_eq!(answer.set_cookies(), Vec::<&str>::new());
        assert!(!house.counting.take().iter().any(|command| *command != Load));
    }
}

pub async fn p8_a_handler_that_returns_an_error_changes_nothing_and_the_error_passes_through(
    ground: Ground,
) {
    let house = ground();
    let guest = house.guest().await;
    let service = house.layer.layer(service_fn(async |request: Request<()>| {
        let lazy = request.extensions().get::<LazySession>().unwrap();
        lazy.load().await.unwrap().insert("k", &2).unwrap();
        Err::<Response<String>, _>("out of paper")
    }));
    let error = guest.send(service, Request::new(())).await.unwrap_err();
    assert_eq!(error, "out of paper");
    assert_eq!(house.counting.take(), [Load]);
    assert_eq!(value(&guest).await, "Some(1)");
}

pub async fn p8_a_handler_that_panics_changes_nothing() {
    let house = House::open();
    let guest = house.guest().await;
    let service = house.layer.layer(service_fn(async |request: Request<()>| {
        let lazy = request.extensions().get::<LazySession>().unwrap();
        lazy.load().await.unwrap().insert("k", &2).unwrap();
        if true {
            std::panic::resume_unwind(Box::new("a bug in the app"));
        }
        Ok::<_, Infallible>(reply(StatusCode::OK))
    }));
    {
        let mut future = pin!(guest.send(service, Request::new(())));
        let panicked = std::future::poll_fn(|cx| {
            let poll = AssertUnwindSafe(|| future.as_mut().poll(cx));
            match std::panic::catch_unwind(poll) {
                Ok(Poll::Pending) => Poll::Pending,
                Ok(Poll::Ready(_)) => Poll::Ready(false),
                Err(_) => Poll::Ready(true),
            }
        });
        assert!(panicked.await);
    }
    crate::settle().await;
    assert_eq!(house.counting.take(), [Load]);
    assert_eq!(value(&guest).await, "Some(1)");
}

pub async fn p8_what_save_stored_stands_even_with_a_500(ground: Ground) {
    let house = ground();
    let visitor = house.visitor();
    let answer = visitor
        .ask(async |lazy| {
            let session = lazy.load().await.unwrap();
            session.insert("k", &1_u32).unwrap();
            session.save().await.unwrap();
            session.insert("k", &2_u32).unwrap();
            reply(StatusCode::INTERNAL_SERVER_ERROR)
        })
        .await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.set_cookies().len(), 1);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(value(&visitor).await, "Some(1)");
}

pub async fn p8_what_save_stored_stands_when_the_last_commit_fails(ground: Ground) {
    let house = ground();
    let visitor = house.visitor();
    house.faulty.next(Replace, Fault::Fail(StoreErrorKind::Unavailable));
    let answer = visitor
        .visit(async |session| {
            session.insert("k", &1_u32)?;
            session.save().await?;
            session.insert("k", &2_u32)
        })
        .await;
    answer.is_outage();
    assert_eq!(answer.set_cookies().len(), 1);
    assert_eq!(value(&visitor).await, "Some(1)");
}

pub async fn p8_after_gone_not_even_a_saved_sessions_cookie_goes_out(ground: Ground) {
    let house = ground();
    let visitor = house.visitor();
    let answer = visitor
        .visit(async |session| {
            session.insert("k", &1_u32)?;
            session.save().await?;
            house.store.delete(&house.counting.last_key()).await.unwrap();
            session.insert("k", &2_u32)
        })
        .await;
    answer.is_gone();
}

/// The response head waits for the store: nothing reaches the client before the commit has
/// succeeded.
pub async fn p8_no_head_leaves_before_the_store_has_answered() {
    let house = House::open();
    let guest = house.guest().await;
    house.faulty.next(Replace, Fault::Delay(std::time::Duration::from_secs(1)));
    let start = tokio::time::Instant::now();
    let mut answer = pin!(change_and_answer(&guest, 200));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(answer.as_mut().poll(&mut cx).is_pending());
    answer.await.is_ok();
    assert_eq!(start.elapsed().as_secs(), 1);
}

/// A clone of the session in a spawned task still saves when the handler has answered.
pub async fn p8_the_head_waits_for_a_save_under_way() {
    let house = House::open();
    let guest = house.guest().await;
    house.faulty.next(Replace, Fault::Delay(std::time::Duration::from_secs(1)));
    let start = tokio::time::Instant::now();
    let answer = guest
        .visit(async |session| {
            session.insert("k", &2_u32)?;
            let saving = tokio::spawn(async move { session.save().await });
            tokio::task::yield_now().await;
            drop(saving);
            Ok(())
        })
        .await;
    answer.is_ok();
    assert_eq!(start.elapsed().as_secs(), 1);
    assert_eq!(value(&guest).await, "Some(2)");
}

/// If `save` succeeds, the client gets the ticket. Otherwise the record would exist, and nobody
/// could reach it.
pub async fn p8_a_save_under_way_when_the_handler_fails_is_not_cut_off_from_its_ticket() {
    let house = House::open();
    let visitor = house.visitor();
    house.faulty.next(Create, Fault::Delay(std::time::Duration::from_secs(1)));
    let mut saving = None;
    let answer = visitor
        .ask(async |lazy| {
            let session = lazy.load().await.unwrap();
            session.insert("k", &1_u32).unwrap();
            saving = Some(tokio::spawn(async move { session.save().await }));
            tokio::task::yield_now().await;
            reply(StatusCode::INTERNAL_SERVER_ERROR)
        })
        .await;
    let saved = saving.unwrap().await.unwrap();
    assert_eq!(saved.is_ok(), !answer.set_cookies().is_empty(), "{saved:?}, {answer:?}");
}
