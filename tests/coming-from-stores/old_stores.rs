//! The stores of tower-sessions, each on a server or in a file of its own.

use cloakroom_testing::postgres::{DATABASE, PASSWORD, Server, USER};
use cloakroom_testing::processes::Folder;
use cloakroom_testing::redis::{Flavour, Standalone};
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool};
use tower_sessions_sqlx_store::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tower_sessions_sqlx_store::sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tower_sessions_sqlx_store::{PostgresStore, SqliteStore};

/// Returns a store, and the server that ends when it is dropped.
pub(crate) async fn on_redis() -> (RedisStore<Pool>, Standalone) {
    let server = Standalone::start(Flavour::Redis7);
    let config = Config::from_url(&server.url()).unwrap();
    let pool = Pool::new(config, None, None, None, 2).unwrap();
    pool.connect();
    pool.wait_for_connect().await.unwrap();
    (RedisStore::new(pool), server)
}

pub(crate) async fn on_postgresql() -> (PostgresStore, Server) {
    let server = Server::start();
    let options = PgConnectOptions::new().host("127.0.0.1").port(server.port);
    let options = options.username(USER).password(PASSWORD).database(DATABASE);
    let pool = PgPoolOptions::new().max_connections(2).connect_with(options).await.unwrap();
    let store = PostgresStore::new(pool);
    store.migrate().await.unwrap();
    (store, server)
}

pub(crate) async fn on_sqlite() -> (SqliteStore, Folder) {
    let folder = Folder::new();
    let options = SqliteConnectOptions::new().filename(folder.join("sessions.db"));
    let options = options.create_if_missing(true);
    let pool = SqlitePoolOptions::new().max_connections(2).connect_with(options).await.unwrap();
    let store = SqliteStore::new(pool);
    store.migrate().await.unwrap();
    (store, folder)
}
