//! The errors for wrong servers, wrong logins, wrong tables and wrong options.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloakroom::connect;
use cloakroom::store::{
    NewEntry, PostgresServer, PostgresStore, Replaced, SessionStore, StoreError, StoreErrorKind,
    Version,
};
use cloakroom_testing::MINUTE;
use cloakroom_testing::postgres::{DATABASE, PASSWORD, Server, Tls, USER, table};
use cloakroom_testing::processes::free_port;
use cloakroom_testing::wrong_url::{SECRET, kind_of, refused};

use super::stores::{at, builder, created, entry, errors, key, new_store, store};

/// Returns the texts of an error and of all its sources.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        texts.push(error.to_string());
        source = error.source();
    }
    texts.join(": ")
}

#[tokio::test]
async fn a_wrong_url_says_what_is_wrong() {
    for (url, says) in [
        ("postgres:localhost", "`//` is missing"),
        ("postgres://a/b/c", "only a database"),
        ("postgres://:open-sesame@a", "a password and no user"),
        ("postgres://a?tabel=b", "there is no option `tabel`"),
        ("postgres://a?timeout_ms=soon", "`timeout_ms` must be a whole number"),
        ("postgresql://a?connections=-1", "`connections` must be a whole number"),
        ("postgres://a?create=yes", "`create` must be `true` or `false`"),
        ("postgres://a?sslmode=maybe", "`sslmode` must be"),
        ("postgres://a?sslmode=disable&sslrootcert=x", "contradicts"),
        ("postgres://a?target_session_attrs=any", "`read-write` or `primary`"),
        ("postgres://a?target_session_attrs=standby", "`read-write` or `primary`"),
        ("postgres://a?host=b", "the folder of a Unix socket"),
        ("postgres://a?host=/run", "named twice"),
        ("postgres://u:open-sesame@a/x?host=/run", "named twice"),
        ("postgres://?host=/run&port=many", "`port` must be a whole number"),
    ] {
        let error = refused(url).await.to_string();
        assert!(error.contains(says), "{url}: {error}");
    }
}

#[tokio::test]
async fn options_that_cannot_work_are_refused() {
    let long = format!("table={}", "t".repeat(64));
    for option in [
        "table=",
        &long,
        "schema=",
        "table=a%00b",
        "timeout_ms=0",
        "connections=0",
        "connections=1001",
        "connect_timeout=0",
        "application_name=a%00b",
        "sslmode=require&sslrootcert=/nowhere/ca.pem",
    ] {
        let url = format!("postgres://127.0.0.1?{option}");
        assert_eq!(kind_of(&url).await, StoreErrorKind::Misconfigured, "{url}");
    }
    let none = PostgresServer::hosts::<String>([]);
    let error = PostgresStore::builder().connect(&none).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
}

#[tokio::test]
async fn an_unreachable_server_is_unavailable_and_named() {
    let (one, two) = (free_port(), free_port());
    let url = format!("postgres://user:{SECRET}@127.0.0.1:{one},127.0.0.1:{two}/db");
    assert_eq!(kind_of(&url).await, StoreErrorKind::Unavailable);
    let error = chain(&refused(&url).await);
    assert!(error.contains(&format!("127.0.0.1:{one}: ")), "{error}");
    let url = format!("postgres://user:{SECRET}@/db?host=/nowhere&port={one}");
    let error = chain(&refused(&url).await);
    assert!(error.contains(&format!("at /nowhere/.s.PGSQL.{one}: ")), "{error}");
}

/// The server's own text names the user, the database or the table; the error has the SQLSTATE alone.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_wrong_login_and_a_wrong_database_are_refused() {
    let server = Server::guarded(&[]);
    let port = server.port;
    let url = |login: &str, database: &str| {
        format!("postgres://{login}127.0.0.1:{port}/{database}?create=true&connections=1")
    };
    connect(&url(&format!("{USER}:{PASSWORD}@"), DATABASE)).await.unwrap();
    let stranger = format!("stranger:{SECRET}@");
    for (url, kind, code) in [
        (url(&format!("{USER}:{SECRET}@"), DATABASE), StoreErrorKind::Denied, "28P01"),
        (url(&stranger, DATABASE), StoreErrorKind::Denied, "28P01"),
        (url(&format!("{USER}:{PASSWORD}@"), SECRET), StoreErrorKind::Misconfigured, "3D000"),
    ] {
        assert_eq!(kind_of(&url).await, kind, "{url}");
        let error = chain(&refused(&url).await);
        assert!(error.contains(&format!("127.0.0.1:{port}: SQLSTATE {code}")), "{error}");
        assert!(!error.contains("stranger"), "{error}");
    }
    let without = url(&format!("{USER}@"), DATABASE);
    assert_eq!(kind_of(&without).await, StoreErrorKind::Denied);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn the_password_is_asked_for_at_each_connection() {
    let server = Server::guarded(&[]);
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let ask = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, std::io::Error>(PASSWORD.to_owned()) }
    };
    let login = PostgresServer::host("127.0.0.1", server.port).user(USER).database(DATABASE);
    let builder = || builder("asked").connections(1);
    let store = builder().connect(&login.clone().password_from(ask)).await.unwrap();
    created(&store, &key(1), &entry(1)).await;
    // One for each lane, and one for the check.
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    let failing = login.password_from(|| async { Err::<String, _>("no credentials here") });
    let error = builder().connect(&failing).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(chain(&error).contains("no credentials here"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_missing_or_forbidden_table_is_refused() {
    let server = Server::shared();
    let open = async |name: &str, login: PostgresServer| {
        PostgresStore::builder().table(name).connect(&login).await.unwrap_err()
    };
    let missing = open("missing", at(server)).await;
    assert_eq!(missing.kind(), StoreErrorKind::Misconfigured);
    assert!(chain(&missing).contains("SQLSTATE 42P01, the table does not exist"), "{missing:?}");
    let (_, table) = new_store().await;
    let denied = open(&table, at(server).user("powerless")).await;
    assert_eq!(denied.kind(), StoreErrorKind::Denied);
    let other = super::stores::builder("x").schema("nowhere").connect(&at(server)).await;
    let other = other.unwrap_err();
    assert_eq!(other.kind(), StoreErrorKind::Misconfigured, "{other:?}");
    server.sql(&format!("CREATE TABLE wrong_{table} (key bytea PRIMARY KEY, version bytea)"));
    server.sql(&format!("ALTER TABLE wrong_{table} OWNER TO {USER}"));
    let wrong = open(&format!("wrong_{table}"), at(server)).await;
    assert_eq!(wrong.kind(), StoreErrorKind::Misconfigured);
    assert!(chain(&wrong).contains("42703"), "{wrong:?}");
}

/// A table that is dropped, and a privilege that is withdrawn, while the store is open.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_table_that_is_taken_away_is_an_error_of_each_command() {
    let (server, table) = (Server::shared(), table());
    server.sql(&PostgresStore::builder().table(&table).migration());
    server.sql(&format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO powerless"));
    let login = at(server).user("powerless");
    let builder = PostgresStore::builder().table(&table).command_timeout(MINUTE / 2);
    let store = builder.connect(&login).await.unwrap();
    server.sql(&format!("REVOKE ALL ON {table} FROM powerless"));
    assert_eq!(errors(&store, &key(1)).await, [Some(StoreErrorKind::Denied); 5]);
    server.sql(&format!("DROP TABLE {table}"));
    assert_eq!(errors(&store, &key(1)).await, [Some(StoreErrorKind::Misconfigured); 5]);
    server.sql(&PostgresStore::builder().table(&table).migration());
    server.sql(&format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO powerless"));
    created(&store, &key(1), &entry(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn an_entry_over_the_limit_is_not_sent() {
    let table = table();
    let builder = builder(&table).max_entry_bytes(1_000);
    let store = builder.connect(&at(Server::shared())).await.unwrap();
    let sized = |size: usize| NewEntry::new(entry(1).commit, entry(1).deadline, vec![0; size]);
    let version = created(&store, &key(1), &sized(1_000)).await;
    let before = Server::shared().statements(&table);
    let error: StoreError = store.replace(&key(1), &version, &sized(1_001)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    assert!(chain(&error).contains("1001 bytes, the store takes at most 1000"), "{error:?}");
    assert_eq!(
        store.create(&key(2), &sized(1_001)).await.unwrap_err().kind(),
        StoreErrorKind::TooLarge
    );
    assert_eq!(Server::shared().statements(&table), before);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_megabyte_comes_back_as_it_was() {
    let (store, _) = new_store().await;
    let bytes: Vec<u8> = (0..1 << 20).map(|at: u32| (at * 7 % 251) as u8).collect();
    let new = NewEntry::new(entry(1).commit, entry(1).deadline, bytes.clone());
    let version = created(&store, &key(1), &new).await;
    assert_eq!(store.load(&key(1)).await.unwrap().unwrap().bytes, bytes);
    let other = Version::new(b"otherone").unwrap();
    let replaced = store.replace(&key(1), &other, &new).await.unwrap();
    let Replaced::Conflict(found) = replaced else { panic!("{replaced:?}") };
    assert_eq!((found.version, &found.bytes[..]), (version, &bytes[..]));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_certificate_has_to_be_for_the_host_and_by_a_known_authority() {
    let tls = Tls::start();
    let (ca, wrong) = (tls.ca_file().display(), tls.wrong_ca_file().display());
    let url = |options: &str| tls.url_of("localhost", "s", &format!("connections=1&{options}"));
    for mode in ["verify-full", "verify-ca", "require", "prefer", "allow"] {
        connect(&url(&format!("sslmode={mode}&sslrootcert={ca}"))).await.unwrap();
    }
    connect(&url(&format!("sslrootcert={ca}"))).await.unwrap();
    let encrypted = tls.server.sql(&format!(
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = '{USER}'"
    ));
    assert!(["t", ""].contains(&&*encrypted), "{encrypted}");
    for options in [
        format!("sslmode=require&sslrootcert={wrong}"),
        format!("sslmode=verify-ca&sslrootcert={wrong}"),
        format!("sslrootcert={wrong}"),
        "sslmode=require".to_owned(),
    ] {
        assert_eq!(kind_of(&url(&options)).await, StoreErrorKind::Misconfigured, "{options}");
    }
    // In plain text, on this machine, as asked.
    connect(&url("sslmode=disable")).await.unwrap();
    connect(&url("")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_certificate_for_another_host_is_refused_in_every_mode() {
    let tls = Tls::named("DNS:db.example");
    let ca = tls.ca_file().display();
    for mode in ["verify-full", "verify-ca", "require"] {
        let url = tls.url_of("localhost", "s", &format!("sslmode={mode}&sslrootcert={ca}"));
        assert_eq!(kind_of(&url).await, StoreErrorKind::Misconfigured, "{mode}");
    }
    let plain = Server::shared();
    let url = format!("{}&sslrootcert={ca}", plain.url_of("s"));
    assert_eq!(kind_of(&url).await, StoreErrorKind::Misconfigured, "a server without TLS");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_unix_socket_is_reached_by_its_folder() {
    let (server, table) = (Server::shared(), table());
    let folder = server.socket_folder();
    let (folder, port) = (folder.display(), server.port);
    let url = format!(
        "postgres://{USER}@/{DATABASE}?host={folder}&port={port}&table={table}&create=true"
    );
    connect(&url).await.unwrap();
    let reached = store(server, &table).await;
    assert!(reached.load(&key(1)).await.unwrap().is_none());
}
