//! What every type here keeps to: it can go anywhere, and shows no ticket.

use std::fmt::Debug;

use cloakroom::store::MemoryStore;
use cloakroom::testing::{Fault, FaultyStore, Outcome, TestResponse, TestSession, TestVisitor};
use cloakroom::{Key, Session, SessionLayer};
use http::Request;
use tower::{Layer, service_fn};

fn is_sendable<T: Send>() {}
fn is_shareable<T: Send + Sync + Debug + 'static>() {}

#[test]
fn all_types_can_go_to_another_thread() {
    is_shareable::<TestVisitor<()>>();
    is_shareable::<TestSession>();
    is_shareable::<TestResponse<String>>();
    is_shareable::<FaultyStore>();
    is_shareable::<Outcome>();
    is_sendable::<Fault>();
}

#[tokio::test]
async fn debug_shows_no_ticket() {
    let layer = SessionLayer::new(MemoryStore::new(), Key::generate().unwrap());
    let visitor = TestVisitor::new(());
    visitor.with_session(&layer, async |session| session.insert("k", &1)).await.unwrap();
    let ticket = visitor.cookie("__Host-id").unwrap();
    assert!(!format!("{visitor:?}").contains(&ticket));

    let app = layer.layer(service_fn(async |request: Request<String>| {
        let lazy: &cloakroom::LazySession = request.extensions().get().unwrap();
        let session: Session = lazy.load().await?;
        session.renew()?;
        Ok::<_, cloakroom::SessionError>(http::Response::new(String::new()))
    }));
    let response = visitor.at(app).get("/").await;
    let ticket = visitor.cookie("__Host-id").unwrap();
    assert!(!format!("{response:?}").contains(&ticket));

    let mut session = TestSession::new();
    session.insert("k", &1).unwrap();
    let shown = format!("{session:?} {:?}", session.commit().await.unwrap());
    assert!(!shown.contains("__Host-id="), "{shown}");
}
