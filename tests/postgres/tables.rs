//! The table: the SQL of the guide, names of all kinds, and making it.

use cloakroom::store::{PostgresStore, SessionStore};
use cloakroom_testing::MINUTE;
use cloakroom_testing::postgres::{Server, table};
use tokio::task::JoinSet;

use super::stores::{at, builder, created, entry, key};

#[test]
fn the_sql_of_the_guide_is_the_one_that_the_store_runs() {
    let guide = include_str!("../../docs/postgres.md");
    let sql = PostgresStore::builder().migration();
    assert!(guide.contains(&format!("```sql\n{sql}```")), "{sql}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_table_is_made_as_the_migration_says() {
    let (server, table) = (Server::shared(), table());
    builder(&table).connect(&at(server)).await.unwrap();
    let options = server.sql(&format!(
        "SELECT c.reloptions, t.reloptions, a.attstorage FROM pg_class c \
         JOIN pg_class t ON t.oid = c.reltoastrelid \
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'bytes' \
         WHERE c.relname = '{table}'"
    ));
    assert_eq!(options, "{fillfactor=80}|{autovacuum_vacuum_scale_factor=0.05}|e");
    let indexes =
        server.sql(&format!("SELECT count(*) FROM pg_indexes WHERE tablename = '{table}'"));
    assert_eq!(indexes, "1");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn a_migration_and_no_privilege_but_on_the_table_is_enough() {
    let (server, table) = (Server::shared(), table());
    server.sql(&PostgresStore::builder().table(&table).migration());
    let privileges = "SELECT, INSERT, UPDATE, DELETE";
    server.sql(&format!("GRANT {privileges} ON {table} TO powerless"));
    let login = at(server).user("powerless");
    let builder = PostgresStore::builder().table(&table).command_timeout(MINUTE / 2);
    let store = builder.connect(&login).await.unwrap();
    let version = created(&store, &key(1), &entry(1)).await;
    let later = entry(1).deadline.saturating_add(MINUTE);
    store.touch(&key(1), &version, later).await.unwrap();
    store.replace(&key(1), &version, &entry(2)).await.unwrap();
    assert!(store.load(&key(1)).await.unwrap().is_some());
    store.delete(&key(1)).await.unwrap();
    assert_eq!(store.sweep().await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn any_name_is_taken_literally() {
    let server = Server::shared();
    server.sql("CREATE SCHEMA \"My \"\"Shop\"\"'s\" AUTHORIZATION sessions");
    for name in ["Sessions", "user", "x\"; DROP TABLE y; --", "it's", "two words", "$1", "%s"] {
        let builder = builder(name).schema("My \"Shop\"'s");
        let store = builder.connect(&at(server)).await.unwrap();
        created(&store, &key(1), &entry(1)).await;
        assert!(store.load(&key(1)).await.unwrap().is_some(), "{name}");
        assert_eq!(store.sweep().await.unwrap(), 0, "{name}");
    }
    let made = server.sql("SELECT count(*) FROM pg_tables WHERE schemaname LIKE 'My %'");
    assert_eq!(made, "7");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn many_servers_make_the_table_at_once() {
    let table = table();
    let servers: JoinSet<_> = (0..8)
        .map(|_| {
            let builder = builder(&table).connections(1);
            async move { builder.connect(&at(Server::shared())).await.map(drop) }
        })
        .collect();
    for made in servers.join_all().await {
        made.unwrap();
    }
}
