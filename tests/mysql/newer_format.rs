//! Rows of a newer format stay as they are, and say what they are (P12).

use cloakroom::store::StoreErrorKind;
use cloakroom::{Key, SessionLayer};
use cloakroom_testing::mariadb::{Server, TABLE};
use cloakroom_testing::{Visitor, patient, respond};

use super::setup::{created, entry, errors, hex, key, store};

const ALL: &str = "SELECT HEX(`key`), HEX(version), deadline, HEX(bytes) FROM cloakroom";

/// A newer format has a longer version, whose first byte is the format's number.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn no_command_replaces_or_deletes_a_row_of_a_newer_format() {
    let server = Server::start();
    let store = store(&server).await;
    for version in ["020000000000000001", "ff01010101010101010101"] {
        // Live and expired: what the deadline means there, this release does not know.
        for deadline in ["deadline", "1", "-1"] {
            let key = key(7);
            created(&store, &key, &entry(1)).await;
            server
                .sql(&format!("UPDATE {TABLE} SET version = x'{version}', deadline = {deadline}"));
            let before = server.sql(ALL);
            let kinds = errors(&store, &key).await;
            assert_eq!(kinds, [Some(StoreErrorKind::NewerFormat); 5], "{version} {deadline}");
            store.sweep().await.unwrap();
            assert_eq!(server.sql(ALL), before);
            server.sql(&format!("DELETE FROM {TABLE} WHERE `key` = {}", hex(&key)));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_logout_leaves_a_row_of_a_newer_format() {
    let server = Server::start();
    let layer = SessionLayer::new(store(&server).await, Key::from_bytes(&[7; 32]).unwrap());
    let guest = Visitor::new(patient(layer));
    guest.visit(async |session| session.insert("k", &1)).await.is_ok();
    server.sql(&format!("UPDATE {TABLE} SET version = CONCAT(x'02', version)"));
    let before = server.sql(ALL);
    let answer = guest.ask(async |lazy| respond(lazy.destroy().await)).await;
    assert_eq!((answer.status.as_u16(), answer.set_cookies()), (503, vec![]));
    assert!(format!("{:?}", answer.error).contains("newer format"), "{answer:?}");
    assert_eq!(server.sql(ALL), before);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_row_that_the_store_cannot_have_written_is_corrupt_and_only_a_delete_removes_it() {
    let server = Server::start();
    let store = store(&server).await;
    let corrupt = Some(StoreErrorKind::Corrupt);
    for damage in [
        "version = ''",
        "version = x'01020304050607'",
        "version = x'010203040506070809'",
        "deadline = -1",
        "deadline = 281474976710656",
        "deadline = 9223372036854775807",
    ] {
        let key = key(7);
        created(&store, &key, &entry(9)).await;
        server.sql(&format!("UPDATE {TABLE} SET {damage}"));
        let kinds = errors(&store, &key).await;
        assert_eq!(kinds, [corrupt, corrupt, corrupt, corrupt, None], "{damage}");
        assert_eq!(server.sql(ALL), "");
    }
}
