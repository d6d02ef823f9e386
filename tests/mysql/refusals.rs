//! The errors for wrong servers, wrong logins, wrong tables and wrong options.

use std::path::Path;

use cloakroom::connect;
use cloakroom::store::{MysqlStore, SessionStore, StoreErrorKind};
use cloakroom_testing::mariadb::{DATABASE, PASSWORD, Server, TABLE, Tls, USER};
use cloakroom_testing::processes::free_port;
use cloakroom_testing::wrong_url::{SECRET, kind_of, refused};

use super::setup::{at, chain, created, entry, errors, hex, key, patient, store};

/// The option of a URL to a server that answers, on a busy machine.
const PATIENT: &str = "timeout_ms=20000";

#[tokio::test]
async fn options_that_cannot_work_are_refused() {
    for option in [
        "table=a%20b",
        "table=a%60b",
        "table=",
        "timeout_ms=0",
        "max_connections=0",
        "max_entry_bytes=16777216",
        "ca=/nowhere.pem",
    ] {
        let url = format!("mysql://{USER}:{SECRET}@127.0.0.1/{DATABASE}?{option}");
        assert_eq!(kind_of(&url).await, StoreErrorKind::Misconfigured, "{url}");
    }
    let url = format!("mysql://127.0.0.1/d?max_connections={}", usize::MAX);
    assert_eq!(kind_of(&url).await, StoreErrorKind::Misconfigured);
}

#[tokio::test]
async fn an_unreachable_server_is_unavailable_and_named() {
    let port = free_port();
    for scheme in ["mysql", "mariadb"] {
        let url = format!("{scheme}://user:{SECRET}@127.0.0.1:{port}/shop");
        assert_eq!(kind_of(&url).await, StoreErrorKind::Unavailable, "{url}");
        let error = chain(&refused(&url).await);
        assert!(error.contains(&format!("127.0.0.1:{port}: ")), "{error}");
    }
    let url = format!("mysql://user:{SECRET}@localhost/shop?socket=/nowhere/socket");
    assert_eq!(kind_of(&url).await, StoreErrorKind::Unavailable);
    assert!(chain(&refused(&url).await).contains("/nowhere/socket"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_wrong_login_and_a_wrong_database_are_refused_and_the_user_is_not_shown() {
    let server = Server::start();
    let right = format!("{}?{PATIENT}", server.url());
    connect(&right).await.unwrap();
    connect(&right.replace("mysql:", "mariadb:")).await.unwrap();
    server.sql(
        "CREATE USER 'admin'@'%' IDENTIFIED BY 'open-sesame'; GRANT ALL ON *.* TO 'admin'@'%'",
    );
    for (login, database, kind) in [
        (format!("{USER}:{SECRET}"), DATABASE, StoreErrorKind::Denied),
        (format!("nobody:{SECRET}"), DATABASE, StoreErrorKind::Denied),
        (format!("{USER}:{PASSWORD}"), "other", StoreErrorKind::Denied),
        (format!("admin:{SECRET}"), "other", StoreErrorKind::Misconfigured),
    ] {
        let url = format!("mysql://{login}@127.0.0.1:{}/{database}?{PATIENT}", server.port);
        assert_eq!(kind_of(&url).await, kind, "{url}");
        let shown = format!("{:?} {}", refused(&url).await, chain(&refused(&url).await));
        assert!(!shown.contains(USER) && !shown.contains("nobody"), "{shown}");
        assert!(shown.contains(&format!("the MySQL server 127.0.0.1:{}", server.port)), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn an_untrusted_certificate_and_a_server_without_tls_are_refused() {
    let tls = Tls::start();
    let url = |host: &str, port: u16, options: &str| {
        // Where nothing listens on 127.0.0.2, nobody waits for it.
        let patience = if host == "127.0.0.2" { "" } else { PATIENT };
        format!("mysql://{USER}:{PASSWORD}@{host}:{port}/{DATABASE}?{options}&{patience}")
    };
    let (port, ca) = (tls.server.port, |file: &Path| format!("ca={}", file.display()));
    connect(&url("localhost", port, &ca(tls.ca_file()))).await.unwrap();
    connect(&url("127.0.0.1", port, &ca(tls.ca_file()))).await.unwrap();
    let plain = Server::start();
    for wrong in [
        url("localhost", port, &ca(tls.wrong_ca_file())),
        // The certificate is for other names.
        url("127.0.0.2", port, &ca(tls.ca_file())),
        url("localhost", port, "tls=verified"),
        url("localhost", plain.port, &ca(tls.ca_file())),
    ] {
        // Where nothing listens on 127.0.0.2, that server cannot be reached.
        let kind = kind_of(&wrong).await;
        let expected = if wrong.contains("127.0.0.2") && kind == StoreErrorKind::Unavailable {
            StoreErrorKind::Unavailable
        } else {
            StoreErrorKind::Misconfigured
        };
        assert_eq!(kind, expected, "{wrong}: {}", chain(&refused(&wrong).await));
    }
    // This server takes no login in plain text.
    for plain_text in ["", "tls=insecure_off"] {
        assert_eq!(kind_of(&url("localhost", port, plain_text)).await, StoreErrorKind::Denied);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_missing_table_is_refused_unless_it_is_to_be_created() {
    let server = Server::start();
    let connect = |name: &str| {
        let builder = patient().table(name);
        let (server, create) = (at(server.port), builder.clone().create_table());
        async move { (builder.connect(&server).await, create.connect(&server).await) }
    };
    let (missing, made) = connect("brand_new").await;
    assert_eq!(missing.unwrap_err().kind(), StoreErrorKind::Misconfigured);
    created(&made.unwrap(), &key(1), &entry(1)).await;
    // It is there now, and stays as it is.
    let (first, second) = connect("brand_new").await;
    assert!(first.unwrap().load(&key(1)).await.unwrap().is_some());
    assert!(second.unwrap().load(&key(1)).await.unwrap().is_some());
    let url = format!("{}?create=true&table=by_url&{PATIENT}", server.url());
    cloakroom::connect(&url).await.unwrap();
    assert_eq!(server.sql("SELECT COUNT(*) FROM by_url"), "0");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn another_table_than_the_guides_is_refused_with_the_reason() {
    let server = Server::start();
    for (change, says) in [
        ("ENGINE = MyISAM", "must have the engine InnoDB"),
        ("ENGINE = Aria", "must have the engine InnoDB"),
        ("DROP COLUMN bytes", "lacks the column `bytes`"),
        ("MODIFY `key` varchar(64) NOT NULL", "column `key` of another type"),
        ("MODIFY version binary(8) NOT NULL", "column `version` of another type"),
        ("MODIFY deadline datetime NOT NULL", "column `deadline` of another type"),
        ("MODIFY bytes blob NOT NULL", "column `bytes` of another type"),
        ("ADD UNIQUE (version)", "no other unique key"),
        ("DROP PRIMARY KEY", "the primary key `key`"),
    ] {
        server.sql(&format!("CREATE TABLE other LIKE {TABLE}; ALTER TABLE other {change}"));
        let error = patient().table("other").connect(&at(server.port)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{change}");
        assert!(chain(&error).contains(says), "{change}: {}", chain(&error));
        server.sql("DROP TABLE other");
    }
    server.sql(&format!("CREATE VIEW other AS SELECT * FROM {TABLE}"));
    let error = patient().table("other").connect(&at(server.port)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
}

/// A privilege that is missing shows at the start, and not at the first login.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_missing_privilege_is_denied_at_the_start_and_later() {
    let server = Server::start();
    for privilege in ["INSERT", "UPDATE", "DELETE"] {
        server.sql(&format!("REVOKE {privilege} ON {DATABASE}.* FROM '{USER}'@'%'"));
        let error = patient().connect(&at(server.port)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Denied, "{privilege}: {}", chain(&error));
        assert!(!chain(&error).contains(USER), "{}", chain(&error));
        server.sql(&format!("GRANT {privilege} ON {DATABASE}.* TO '{USER}'@'%'"));
    }
    // The server looks at privileges on a table anew for each statement.
    let rights = "SELECT, INSERT, UPDATE, DELETE";
    server.sql(&format!("REVOKE {rights} ON {DATABASE}.* FROM '{USER}'@'%'"));
    server.sql(&format!("GRANT {rights} ON {TABLE} TO '{USER}'@'%'"));
    let store = store(&server).await;
    created(&store, &key(1), &entry(1)).await;
    server.sql(&format!("REVOKE INSERT, UPDATE, DELETE ON {TABLE} FROM '{USER}'@'%'"));
    let denied = Some(StoreErrorKind::Denied);
    assert_eq!(errors(&store, &key(1)).await, [None, denied, denied, denied, denied]);
}

/// A table that goes away, or loses a column, while the store is open.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_table_that_changes_under_the_store_is_misconfigured_and_no_key_is_shown() {
    let server = Server::start();
    let store = store(&server).await;
    created(&store, &key(0x5a), &entry(1)).await;
    server.sql(&format!("ALTER TABLE {TABLE} CHANGE bytes data mediumblob NOT NULL"));
    let misconfigured = Some(StoreErrorKind::Misconfigured);
    let kinds = errors(&store, &key(0x5a)).await;
    assert_eq!(kinds, [misconfigured, misconfigured, misconfigured, None, None]);
    server.sql(&format!("DROP TABLE {TABLE}"));
    assert_eq!(errors(&store, &key(0x5a)).await, [misconfigured; 5]);
    let error = store.create(&key(0x5a), &entry(2)).await.unwrap_err();
    let shown = format!("{error:?}");
    for secret in [hex(&key(0x5a)).as_str(), "ZZZZ", "bytes", TABLE] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("error 1146"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn a_server_that_takes_small_statements_only_is_refused() {
    let server = Server::with(&["--max-allowed-packet=1M"]);
    let error = patient().connect(&at(server.port)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    assert!(chain(&error).contains("`max_allowed_packet` is 1048576"), "{}", chain(&error));
    let store = patient().max_entry_bytes(1 << 19).connect(&at(server.port)).await.unwrap();
    created(&store, &key(1), &entry(1)).await;
}

/// The SQL that the guide shows is the one of the builder, and makes a table that is taken.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mariadb-server"]
async fn the_sql_of_the_guide_makes_a_table_that_is_taken() {
    let sql = MysqlStore::builder().migration();
    let guide = include_str!("../../docs/mysql.md");
    assert!(guide.contains(&sql), "the guide must show:\n{sql}");
    let server = Server::start();
    server.sql(&format!("DROP TABLE {TABLE}; {sql}"));
    let store = store(&server).await;
    created(&store, &key(1), &entry(1)).await;
}
