//! A session without HTTP.

use std::time::Duration;

use cloakroom::store::{MemoryStore, StoreErrorKind};
use cloakroom::testing::{CommandKind, Fault, FaultyStore, TestSession};
use cloakroom::{CookieSessions, Field, Key, Roster, Session, SessionError, SessionLayer};

const CART: Field<Vec<String>> = Field::new("cart");

fn layer() -> SessionLayer {
    SessionLayer::new(MemoryStore::new(), Key::generate().unwrap())
}

/// A function as an app has them.
fn add(session: &Session, item: &str) -> Result<(), SessionError> {
    let item = item.to_owned();
    session.update(CART, move |cart| cart.push(item.clone()))
}

async fn check_out(session: Session) -> Result<usize, SessionError> {
    let items = session.take(CART)?.unwrap_or_default();
    session.insert("order", &items)?;
    session.save().await?;
    Ok(items.len())
}

#[test]
fn a_plain_test_needs_no_runtime() {
    let mut session = TestSession::new();
    assert!(session.is_new());
    add(&session, "apple").unwrap();
    assert_eq!(session.get(CART).unwrap().unwrap(), ["apple"]);
    let outcome = session.commit_now().unwrap();
    assert!(!outcome.renewed() && !outcome.ended() && !outcome.saved());
    assert_eq!(outcome.set_cookies().len(), 1);
    assert!(!session.is_new());
    add(&session, "pear").unwrap();
    assert!(session.commit_now().unwrap().set_cookies().is_empty());
    assert_eq!(session.get(CART).unwrap().unwrap(), ["apple", "pear"]);
}

#[test]
fn given_values_and_a_principal_are_found() {
    let cart = vec!["apple".to_owned()];
    let session = TestSession::new().with_value(CART, &cart).logged_in_as(7).with_value("n", &1);
    assert!(!session.is_new());
    assert_eq!(session.principal().as_deref(), Some("7"));
    assert_eq!(session.get(CART).unwrap().unwrap(), cart);
    assert_eq!(session.get::<u8>("n").unwrap(), Some(1));
}

#[tokio::test]
async fn what_a_function_did_is_seen() {
    let mut session = TestSession::new().with_value(CART, &vec!["apple".to_owned()]);
    assert_eq!(check_out(session.session()).await.unwrap(), 1);
    let outcome = session.commit().await.unwrap();
    assert!(outcome.saved() && !outcome.renewed() && !outcome.ended(), "{outcome:?}");
    assert_eq!(session.get::<Vec<String>>("order").unwrap().unwrap(), ["apple"]);
    assert!(!session.contains(CART).unwrap());
}

#[tokio::test]
async fn a_save_of_a_new_visitor_is_seen() {
    let mut session = TestSession::new();
    session.insert("k", &1).unwrap();
    session.save().await.unwrap();
    session.insert("k", &2).unwrap();
    assert!(session.commit().await.unwrap().saved());
    assert_eq!(session.get::<u8>("k").unwrap(), Some(2));
}

#[tokio::test]
async fn a_renewal_is_told_from_an_end() {
    let mut session = TestSession::new().with_value("k", &1);
    session.log_in("ada").await.unwrap();
    let outcome = session.commit().await.unwrap();
    assert!(outcome.renewed() && !outcome.ended(), "{outcome:?}");

    session.destroy().await.unwrap();
    let outcome = session.commit().await.unwrap();
    assert!(!outcome.renewed() && outcome.ended(), "{outcome:?}");
    assert!(session.is_new() && session.principal().is_none());

    // Nothing was there, so nothing ended.
    let outcome = session.commit().await.unwrap();
    assert!(!outcome.renewed() && !outcome.ended(), "{outcome:?}");

    let mut session = TestSession::new().with_value("k", &1);
    session.destroy().await.unwrap();
    session.insert("k", &2).unwrap();
    let outcome = session.commit().await.unwrap();
    assert!(!outcome.renewed() && outcome.ended(), "{outcome:?}");
    assert_eq!(session.get::<u8>("k").unwrap(), Some(2));
}

#[tokio::test]
async fn a_save_that_renews_is_both() {
    let mut session = TestSession::new().with_value("k", &1);
    session.renew().unwrap();
    session.save().await.unwrap();
    let outcome = session.commit().await.unwrap();
    assert!(outcome.saved() && outcome.renewed(), "{outcome:?}");
}

#[tokio::test]
async fn of_a_request_that_failed_only_what_was_saved_is_stored() {
    let mut session = TestSession::new().with_value("k", &1);
    session.insert("k", &2).unwrap();
    let outcome = session.fail().await.unwrap();
    assert!(!outcome.saved() && !outcome.ended(), "{outcome:?}");
    assert_eq!(session.get::<u8>("k").unwrap(), Some(1));
    session.insert("k", &3).unwrap();
    session.save().await.unwrap();
    session.insert("k", &4).unwrap();
    assert!(session.fail().await.unwrap().saved());
    assert_eq!(session.get::<u8>("k").unwrap(), Some(3));
}

#[test]
fn a_session_that_is_dropped_stores_nothing() {
    let store = MemoryStore::new();
    let layer = SessionLayer::new(store.clone(), Key::generate().unwrap());
    let session = TestSession::in_layer(&layer);
    session.insert("k", &1).unwrap();
    drop(session);
    assert_eq!(store.len(), 0);
}

#[tokio::test]
async fn a_handle_that_outlives_its_request_behaves_as_in_an_app() {
    let mut session = TestSession::new().with_value("k", &1);
    let kept = session.session();
    session.commit().await.unwrap();
    kept.insert("k", &2).unwrap();
    kept.save().await.unwrap();
    session.reload().await.unwrap();
    assert_eq!(session.get::<u8>("k").unwrap(), Some(2));
    session.destroy().await.unwrap();
    kept.insert("k", &3).unwrap();
    assert!(matches!(kept.save().await, Err(SessionError::Gone)));
}

#[tokio::test]
async fn the_error_of_a_commit_is_what_the_client_would_get() {
    let store = FaultyStore::new(MemoryStore::new());
    let layer = SessionLayer::new(store.clone(), Key::generate().unwrap());
    let mut session = TestSession::in_layer(&layer).with_value("k", &1);
    store.next(CommandKind::Replace, Fault::Fail(StoreErrorKind::Denied));
    session.insert("k", &2).unwrap();
    let error = session.commit().await.unwrap_err();
    assert_eq!(error.status(), 500);
    // The next request has begun, and finds what was there.
    assert_eq!(session.get::<u8>("k").unwrap(), Some(1));
}

#[tokio::test]
async fn a_failed_load_after_a_commit_can_be_repeated() {
    let store = FaultyStore::new(MemoryStore::new());
    let layer = SessionLayer::new(store.clone(), Key::generate().unwrap());
    let mut session = TestSession::in_layer(&layer).with_value("k", &1);
    session.insert("k", &2).unwrap();
    store.next(CommandKind::Load, Fault::Fail(StoreErrorKind::Unavailable));
    assert!(session.commit().await.unwrap_err().is_outage());
    session.commit().await.unwrap();
    assert_eq!(session.get::<u8>("k").unwrap(), Some(2));
}

#[tokio::test]
async fn a_store_that_takes_its_time_needs_await() {
    let store = FaultyStore::new(MemoryStore::new());
    let layer = SessionLayer::new(store.clone(), Key::generate().unwrap());
    let mut session = TestSession::in_layer(&layer);
    store.next(CommandKind::Create, Fault::Delay(Duration::from_millis(1)));
    session.insert("k", &1).unwrap();
    session.commit().await.unwrap();
    assert_eq!(session.get::<u8>("k").unwrap(), Some(1));
}

#[tokio::test]
#[should_panic = "use `commit().await`"]
async fn a_store_that_takes_its_time_is_named() {
    let store = FaultyStore::new(MemoryStore::new());
    let layer = SessionLayer::new(store.clone(), Key::generate().unwrap());
    store.next(CommandKind::Create, Fault::Delay(Duration::from_millis(1)));
    let _ = TestSession::in_layer(&layer).with_value("k", &1);
}

#[tokio::test]
async fn a_layer_with_a_roster_works_too() {
    let layer = layer().roster(Roster::default());
    let session = TestSession::in_layer(&layer).logged_in_as("ada");
    let listed = layer.users().sessions_of("ada").await.unwrap();
    assert_eq!(listed.len(), 1);
    let mut session = session;
    layer.users().end_all("ada").await.unwrap();
    assert!(session.commit().await.unwrap().ended());
}

#[tokio::test]
async fn sessions_in_cookies_work_too() {
    let layer = SessionLayer::new(CookieSessions::signed(), Key::generate().unwrap());
    let mut session = TestSession::in_layer(&layer).with_value("k", &1).logged_in_as("ada");
    assert_eq!(session.principal().as_deref(), Some("ada"));
    session.renew().unwrap();
    let outcome = session.commit().await.unwrap();
    assert!(!outcome.renewed() && !outcome.ended(), "{outcome:?}");
    session.destroy().await.unwrap();
    let outcome = session.commit().await.unwrap();
    assert!(outcome.ended(), "{outcome:?}");
    assert!(session.is_new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_can_be_handed_to_another_task() {
    let session = TestSession::new();
    let task = tokio::spawn(async move {
        add(&session, "apple").unwrap();
        session.save().await.unwrap();
        session
    });
    assert!(!task.await.unwrap().is_new());
}
