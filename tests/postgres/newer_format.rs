//! Rows of a newer format stay as they are, and say what they are (P12). So do damaged rows, except that they
//! can be deleted.

use cloakroom::store::{SessionStore, StoreErrorKind};
use cloakroom::{Key, SessionLayer};
use cloakroom_testing::postgres::Server;
use cloakroom_testing::{Visitor, patient, respond};

use super::stores::{created, entry, errors, key, new_store};

fn rows(table: &str) -> String {
    Server::shared().sql(&format!("SELECT key, version, deadline, bytes FROM {table}"))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn no_command_replaces_or_deletes_a_row_of_a_newer_format() {
    let (store, table) = new_store().await;
    let (key, server) = (key(1), Server::shared());
    created(&store, &key, &entry(1)).await;
    for change in [
        "version = '\\x020101010101010101'",
        "version = decode(repeat('ff', 32), 'hex')",
        "deadline = 0",
        "deadline = -1, bytes = ''",
    ] {
        server.sql(&format!("UPDATE {table} SET {change}"));
        let newer = rows(&table);
        assert_eq!(errors(&store, &key).await, [Some(StoreErrorKind::NewerFormat); 5], "{change}");
        assert_eq!(rows(&table), newer, "{change}");
        assert_eq!(store.sweep().await.unwrap(), 0);
        assert_eq!(rows(&table), newer, "{change}");
    }
    let shown = format!("{:?}", store.load(&key).await.unwrap_err());
    assert!(shown.contains("format 255 is newer than this release reads"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_logout_leaves_a_row_of_a_newer_format() {
    let (store, table) = new_store().await;
    let layer = SessionLayer::new(store, Key::from_bytes(&[7; 32]).unwrap());
    let guest = Visitor::new(patient(layer));
    guest.visit(async |session| session.insert("k", &1)).await.is_ok();
    Server::shared().sql(&format!("UPDATE {table} SET version = '\\x02' || version"));
    let newer = rows(&table);
    let answer = guest.ask(async |lazy| respond(lazy.destroy().await)).await;
    assert_eq!((answer.status.as_u16(), answer.set_cookies()), (503, vec![]));
    assert!(format!("{:?}", answer.error).contains("newer format"), "{answer:?}");
    assert_eq!(rows(&table), newer);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_damaged_row_is_an_error_until_it_is_deleted() {
    let (store, table) = new_store().await;
    let (key, server) = (key(1), Server::shared());
    for damage in [
        "version = ''",
        "version = '\\x01010101010101'",
        "version = decode(repeat('02', 33), 'hex')",
        "deadline = -1",
        "deadline = 9223372036854775807",
    ] {
        created(&store, &key, &entry(1)).await;
        server.sql(&format!("UPDATE {table} SET {damage}"));
        let kinds = errors(&store, &key).await;
        let corrupt = Some(StoreErrorKind::Corrupt);
        assert_eq!(kinds, [corrupt, corrupt, corrupt, corrupt, None], "{damage}");
        assert_eq!(store.load(&key).await.unwrap(), None);
    }
}
