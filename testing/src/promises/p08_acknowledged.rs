//! P8: an acknowledged change is stored.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use cloakroom::store::{SessionStore, StoreErrorKind};
use cloakroom::{LazySession, SessionError, SessionLayer};
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

/// Sends a request whose handler changes `k` and makes this response.
async fn change_and_respond(visitor: &Visitor, response: crate::Handled) -> crate::Answer {
    visitor
        .ask(async |lazy| {
            lazy.load().await.unwrap().insert("k", &2_u32).unwrap();
            response
        })
        .await
}

/// An inner timeout layer answers so after it has dropped the handler half way.
pub async fn p8_an_answer_408_commits_nothing(ground: Ground) {
    let house = ground();
    let guest = house.guest().await;
    assert_eq!(change_and_answer(&guest, 408).await.status, 408);
    assert_eq!(house.counting.take(), [Load]);
    assert_eq!(value(&guest).await, "Some(1)");
}

pub async fn p8_an_answer_that_carries_our_error_commits_nothing(ground: Ground) {
    let limit = 4096;
    for error in [SessionError::Gone, SessionError::TooLarge { size: 5000, limit }] {
        let house = ground();
        let guest = house.guest().await;
        let status = error.status();
        let answer = change_and_respond(&guest, crate::respond(Err::<(), _>(error))).await;
        assert!(answer.error.is_some());
        assert_eq!(answer.status, status);
        assert_eq!(house.counting.take(), [Load]);
        assert_eq!(value(&guest).await, "Some(1)");
    }
}

pub async fn p8_a_grpc_answer_commits_with_status_0_alone(ground: Ground) {
    for (status, expected) in [("0", "Some(2)"), ("9", "Some(1)"), ("", "Some(1)")] {
        let house = ground();
        let guest = house.guest().await;
        let response = Response::builder().header("grpc-status", status);
        let answer = change_and_respond(&guest, response.body(String::new()).unwrap()).await;
        assert_eq!(answer.is_ok().header("grpc-status"), Some(status));
        assert_eq!(value(&guest).await, expected, "{status}");
    }
}

pub async fn p8_the_apps_own_rule_decides_what_is_stored(ground: Ground) {
    for (status, stored) in [(200, true), (408, true), (404, false), (503, true), (500, false)] {
        let house = ground().with(|layer| {
            layer.commit_when(|response| {
                let status = response.status.as_u16();
                matches!(status, 408 | 503) || (SessionLayer::succeeded(response) && status != 404)
            })
        });
        let guest = house.guest().await;
        assert_eq!(change_and_answer(&guest, status).await.status, status);
        let expected = if stored { "Some(2)" } else { "Some(1)" };
        assert_eq!(value(&guest).await, expected, "{status}");
    }
}

pub async fn p8_the_apps_own_rule_is_asked_about_used_sessions_alone(ground: Ground) {
    let house = ground().with(|layer| layer.commit_when(|_| panic!("asked")));
    house.visitor().ask(async |_| reply(StatusCode::OK)).await.is_ok();
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

/// Polls a request until it is answered or a panic comes out of it, as a server does.
async fn panics(request: impl Future) -> bool {
    let mut future = pin!(request);
    std::future::poll_fn(|cx| {
        let poll = AssertUnwindSafe(|| future.as_mut().poll(cx));
        match std::panic::catch_unwind(poll) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(_)) => Poll::Ready(false),
            Err(_) => Poll::Ready(true),
        }
    })
    .await
}

fn panic_quietly() {
    std::panic::resume_unwind(Box::new("a bug in the app"));
}

pub async fn p8_a_handler_that_panics_changes_nothing() {
    let house = House::open();
    let guest = house.guest().await;
    let handler = guest.ask(async |lazy| {
        lazy.load().await.unwrap().insert("k", &2).unwrap();
        panic_quietly();
        reply(StatusCode::OK)
    });
    assert!(panics(handler).await);
    crate::settle().await;
    assert_eq!(house.counting.take(), [Load]);
    assert_eq!(value(&guest).await, "Some(1)");
}

/// The rule is code of the app: it may use the session, and a panic in it is one of the handler.
pub async fn p8_a_rule_that_panics_changes_nothing() {
    let used: Arc<Mutex<Option<LazySession>>> = Arc::default();
    let lazy = Arc::clone(&used);
    let house = House::open().with(|layer| {
        layer.commit_when(move |_| {
            let lazy = lazy.lock().unwrap().take();
            let lazy = lazy.unwrap();
            let session = crate::poll_once(&mut Box::pin(lazy.load())).unwrap().unwrap();
            session.insert("k", &3_u32).unwrap();
            panic_quietly();
            true
        })
    });
    let guest = house.visitor();
    let plain = house.layer.clone().commit_when(SessionLayer::succeeded);
    guest.at(&plain).visit(async |session| session.insert("k", &1_u32)).await.is_ok();
    house.counting.take();
    let request = guest.ask(async |lazy| {
        lazy.load().await.unwrap().insert("k", &2_u32).unwrap();
        *used.lock().unwrap() = Some(lazy);
        reply(StatusCode::OK)
    });
    assert!(panics(request).await);
    crate::settle().await;
    assert_eq!(house.counting.take(), [Load]);
    assert_eq!(value(&guest.at(&plain)).await, "Some(1)");
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
