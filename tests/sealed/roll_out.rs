//! Servers that run are changed over, one step after the other and back.

use cloakroom::store::MemoryStore;
use cloakroom::{Key, Sealing, SessionError, SessionLayer};
use cloakroom_testing::{Visitor, clock};

use crate::{insert, log_in, value};

use Sealing::{Off, Only, Read, Write};

/// Returns servers over one store, each at its step.
fn servers<const N: usize>(steps: [Sealing; N]) -> ([SessionLayer; N], MemoryStore) {
    let clock = clock();
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let key = Key::from_bytes(&[7; 32]).unwrap();
    let layer = SessionLayer::new(store.clone(), key).clock(clock);
    (steps.map(|step| layer.clone().sealed(step)), store)
}

/// A visitor whom the balancer sends to two servers in turn. What either has stored, the other reads.
async fn is_served_by_both(here: &SessionLayer, there: &SessionLayer) {
    let visitor = Visitor::new(here.clone());
    let elsewhere = |visitor: &Visitor| visitor.at(there);
    insert(&visitor, "cart", "apple").await;
    assert_eq!(value(&elsewhere(&visitor), "cart").await, r#"Some("apple")"#);
    insert(&elsewhere(&visitor), "cart", "pear").await;
    assert_eq!(value(&visitor, "cart").await, r#"Some("pear")"#);
    // A merge of changes on both.
    let (tab, add) = (elsewhere(&visitor), |n: &mut u32| *n += 1);
    let merged = visitor.visit(async |session| {
        tab.visit(async move |session| session.update("n", add)).await.is_ok();
        session.update("n", add)
    });
    merged.await.is_ok();
    let n = tab.visit(async |session| session.get::<u32>("n")).await;
    assert_eq!(n.body, "Some(2)");
    // A login here, repeated there with the old ticket.
    let late = elsewhere(&visitor).copy();
    log_in(&visitor, "ada").await;
    assert_eq!(value(&elsewhere(&visitor), "cart").await, r#"Some("pear")"#);
    late.visit(async |session| session.insert("k", "v")).await.is_gone();
    log_in(&late, "ada").await;
    assert_eq!(late.visit(async |session| Ok(session.principal())).await.body, r#"Some("ada")"#);
    // A renewal and a logout there.
    let there = elsewhere(&visitor);
    there.visit(async |session| session.renew()).await.is_ok();
    let here = there.at(here);
    assert_eq!(value(&here, "cart").await, r#"Some("pear")"#);
    there.visit(async |session| session.destroy().await).await.is_ok();
    assert_eq!(value(&here, "cart").await, "None");
}

#[tokio::test]
async fn servers_of_neighbouring_steps_serve_each_others_visitors() {
    for steps in [[Off, Read], [Read, Write], [Write, Only]] {
        let ([one, other], _) = servers(steps);
        is_served_by_both(&one, &other).await;
        is_served_by_both(&other, &one).await;
    }
}

#[tokio::test]
async fn a_session_goes_along_step_by_step_and_back() {
    let ([off, read, write, only], store) = servers([Off, Read, Write, Only]);
    let visitor = Visitor::new(off.clone());
    insert(&visitor, "cart", "apple").await;
    let way = [(&off, 1), (&read, 1), (&write, 4), (&only, 4), (&write, 4), (&read, 1), (&off, 1)];
    for (at, (server, format)) in way.into_iter().enumerate() {
        let visitor = visitor.at(server);
        assert_eq!(value(&visitor, "cart").await, r#"Some("apple")"#, "at {at}");
        insert(&visitor, "at", &at.to_string()).await;
        assert_eq!(format_of(&visitor, &store).await, format, "at {at}");
    }
}

/// Returns the format of the visitor's record: 1 in the clear, 4 sealed.
async fn format_of(visitor: &Visitor, store: &MemoryStore) -> u8 {
    use base64::Engine;
    use cloakroom::store::{SessionStore, StoreKey};
    use sha2::Digest;

    let ticket = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(visitor.ticket()).unwrap();
    let key = StoreKey::from_bytes(sha2::Sha256::digest(&ticket[11..31]).into());
    store.load(&key).await.unwrap().unwrap().bytes[1]
}

/// A session is sealed at its next change, and not because it is read.
#[tokio::test]
async fn a_read_changes_no_form() {
    let ([off, write], store) = servers([Off, Write]);
    let visitor = Visitor::new(off);
    insert(&visitor, "cart", "apple").await;
    let visitor = visitor.at(&write);
    value(&visitor, "cart").await;
    assert_eq!(format_of(&visitor, &store).await, 1);
    log_in(&visitor, "ada").await;
    assert_eq!(format_of(&visitor, &store).await, 4);
}

/// The reason for the first step.
#[tokio::test]
async fn a_server_without_seals_neither_reads_nor_overwrites_a_sealed_session() {
    let ([off, write], store) = servers([Off, Write]);
    let visitor = Visitor::new(write.clone());
    insert(&visitor, "cart", "apple").await;
    let old = visitor.at(&off);
    let attempts = [
        old.visit(async |session| session.get::<String>("cart")).await,
        old.visit(async |session| session.insert("cart", "pear")).await,
        old.visit(async |session| session.log_in("ada").await).await,
    ];
    for answer in attempts {
        let error = &answer.error;
        assert!(matches!(error, Some(SessionError::NewerFormat { version: 4 })), "{answer:?}");
        assert_eq!((answer.status.as_u16(), answer.set_cookies().len()), (503, 0));
    }
    assert_eq!(value(&visitor, "cart").await, r#"Some("apple")"#);
    // An open handle that had loaded it in the clear meets it sealed.
    let shared = Visitor::new(off.clone());
    insert(&shared, "cart", "apple").await;
    let answer = shared.visit(async |session| {
        insert(&shared.at(&write), "cart", "pear").await;
        session.insert("n", "1")
    });
    let answer = answer.await;
    let error = &answer.error;
    assert!(matches!(error, Some(SessionError::NewerFormat { version: 4 })), "{answer:?}");
    assert_eq!(value(&shared.at(&write), "cart").await, r#"Some("pear")"#);
    assert_eq!(format_of(&shared, &store).await, 4);
    // It can be ended.
    let ended = old.ask(async |lazy| cloakroom_testing::respond(lazy.destroy().await)).await;
    assert_eq!(ended.status, 200, "{ended:?}");
    assert_eq!(value(&visitor, "cart").await, "None");
}

/// The reason to wait before the last step, until the last session in the clear has expired.
#[tokio::test]
async fn a_session_in_the_clear_that_is_left_is_damaged_in_the_last_step() {
    let ([read, only], _) = servers([Read, Only]);
    let visitor = Visitor::new(read);
    insert(&visitor, "cart", "apple").await;
    let answer = visitor.at(&only).visit(async |session| session.get::<String>("cart")).await;
    assert!(matches!(answer.error, Some(SessionError::Corrupt(_))), "{answer:?}");
}
