//! A user's sessions that travel in cookies: they can be ended, and nobody can list them.

use cloakroom::store::MemoryStore;
use cloakroom::{CookieSessions, Roster, Session, SessionError};
use cloakroom_testing::{House, MINUTE, Visitor};

use crate::revocation::Node;

async fn who(visitor: &Visitor) -> String {
    visitor.visit(async |session| Ok(session.principal())).await.is_ok().body.clone()
}

const ADA: &str = r#"Some("ada")"#;
const NOBODY: &str = "None";

#[tokio::test]
async fn ending_all_ends_this_users_sessions() {
    let node = Node::over(&MemoryStore::new());
    let (ada, bob) = (node.login("ada").await, node.login("bob").await);
    node.house.clock.advance(MINUTE);
    assert_eq!(node.house.layer.users().end_all("ada").await.unwrap(), None, "nobody can count");
    assert_eq!(who(&ada).await, NOBODY);
    assert_eq!(who(&bob).await, r#"Some("bob")"#);
    node.house.clock.advance(MINUTE);
    assert_eq!(who(&node.login("ada").await).await, ADA);
}

#[tokio::test]
async fn ending_the_others_leaves_the_caller_logged_in() {
    for minutes in [0, 5] {
        let node = Node::over(&MemoryStore::new());
        let users = node.house.layer.users();
        let (here, there) = (node.login("ada").await, node.login("ada").await);
        let thief = here.copy();
        node.house.clock.advance(minutes * MINUTE);
        let answer = here.visit(async |session| {
            session.insert("k", &2)?;
            users.end_others(&session).await
        });
        assert_eq!(answer.await.is_ok().body, "None");
        node.house.clock.advance(MINUTE);
        assert_eq!(who(&here).await, ADA);
        assert_eq!(crate::value(&here).await, Some(2));
        assert_eq!((who(&there).await, who(&thief).await), (NOBODY.into(), NOBODY.into()));
    }
}

#[tokio::test]
async fn a_session_whose_cookie_cannot_be_sent_ends_no_others() {
    let node = Node::over(&MemoryStore::new());
    let (here, there) = (node.login("ada").await, node.login("ada").await);
    let mut kept = None;
    let keep = async |session: Session| {
        session.principal();
        kept = Some(session);
        Ok(())
    };
    here.visit(keep).await.is_ok();
    node.house.clock.advance(MINUTE);
    let refused = node.house.layer.users().end_others(&kept.unwrap()).await;
    assert!(matches!(refused, Err(SessionError::TooLate)), "{refused:?}");
    assert_eq!(who(&there).await, ADA);
}

#[tokio::test]
async fn what_cannot_be_done_is_said() {
    let house = House::in_cookies(CookieSessions::signed());
    let house = house.with(|layer| layer.roster(Roster::default()));
    let users = house.layer.users();
    let ada = house.visitor();
    let answer = ada.visit(async |session| {
        session.log_in("ada").await?;
        session.save().await?;
        assert_eq!(session.handle(), None);
        users.end_others(&session).await
    });
    let ended = answer.await.error;
    let handle = "0000000000000000".parse().unwrap();
    for error in [
        users.sessions_of("ada").await.err(),
        users.end("ada", handle).await.err(),
        users.edit("ada", |_| Ok(())).await.err(),
        users.end_all("ada").await.err(),
        ended,
    ] {
        assert!(matches!(error, Some(SessionError::Unsupported(_))), "{error:?}");
    }
}
