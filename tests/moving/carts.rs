//! The cart's nodes change their store while visitors go on shopping. From Redis to DynamoDB it is in
//! `tests/dynamodb`.

use cloakroom::store::{FileStore, PostgresServer, PostgresStore, SqliteStore};
use cloakroom_testing::fleet::{STEPS, StoreMove, Trade, keys_of_files, move_the_rest};
use cloakroom_testing::postgres::{DATABASE, PASSWORD, Server, USER, table};
use cloakroom_testing::processes::Folder;

/// A folder of files and a database beside it. No server is needed, so the wrong roll-outs are tried on them.
struct Local {
    folder: Folder,
    from: String,
    to: String,
}

impl Local {
    fn new() -> Self {
        let folder = Folder::new();
        let root = folder.join("old");
        std::fs::create_dir(&root).unwrap();
        // Not durable, because other tests keep the disk busy and this one crashes no machine.
        let from = format!("file://{}?durability=none", root.display());
        let to = format!("sqlite://{}?timeout_ms=30000", folder.join("new.db").display());
        Self { folder, from, to }
    }

    fn stores(&self) -> StoreMove<'_> {
        StoreMove { from: &self.from, to: &self.to, features: "axum,file,sqlite", variables: &[] }
    }

    async fn files(&self) -> FileStore {
        FileStore::open(self.folder.join("old")).await.unwrap()
    }

    async fn move_the_rest(&self) -> Result<(), String> {
        let database = SqliteStore::open(self.folder.join("new.db")).await.unwrap();
        let keys = || keys_of_files(&self.folder.join("old"));
        move_the_rest(self.files().await, database, keys).await
    }

    /// Rolls out these steps without a look at what is left in the old store.
    async fn broken_promise(&self, steps: &[usize]) -> String {
        let done = self.stores().under_load(steps, async || Ok(()), || ()).await;
        done.unwrap_err()
    }
}

/// Prints what happened, for whoever looks, and checks that something did.
fn was_busy(trade: &Trade) {
    println!("{trade:?}");
    assert!(trade.logouts > 20 && trade.done > 500, "{trade:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_files_to_sqlite_nobody_notices() {
    let local = Local::new();
    let retire = || std::fs::remove_dir_all(local.folder.join("old")).unwrap();
    let done =
        local.stores().under_load(&STEPS, async || local.move_the_rest().await, retire).await;
    was_busy(&done.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs postgresql"]
async fn from_files_to_postgresql_nobody_notices() {
    let (local, server, name) = (Local::new(), Server::start(), table());
    let url = server.url_of(&name);
    let stores = StoreMove { to: &url, features: "axum,file,postgres", ..local.stores() };
    let rest = async || {
        let login = PostgresServer::host("127.0.0.1", server.port).database(DATABASE);
        let login = login.credentials(USER, PASSWORD);
        let table = PostgresStore::builder().table(&name).connect(&login).await.unwrap();
        let keys = || keys_of_files(&local.folder.join("old"));
        move_the_rest(local.files().await, table, keys).await
    };
    let retire = || std::fs::remove_dir_all(local.folder.join("old")).unwrap();
    was_busy(&stores.under_load(&STEPS, rest, retire).await.unwrap());
}

/// Checks that a visitor has missed something, has been logged out, or has found an ended session again: a
/// node that does not see a session has nothing to end either.
fn assert_noticed(broken: &str) {
    let seen = ["were acknowledged, and are lost", "not Some", "a session came back"];
    assert!(seen.iter().any(|seen| broken.contains(seen)), "{broken}");
}

/// Each session of the old store is missed as soon as its visitor comes to a node with the new store alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_new_store_alone_is_noticed() {
    assert_noticed(&Local::new().broken_promise(&[0, 3]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_out_without_the_second_step_is_noticed() {
    assert_noticed(&Local::new().broken_promise(&[0, 1, 3]).await);
}

/// A node with the old store alone knows no fence, and answers 503.
#[tokio::test(flavor = "multi_thread")]
async fn a_roll_out_without_the_first_step_is_noticed() {
    let broken = Local::new().broken_promise(&[0, 2]).await;
    assert!(broken.contains("no answer"), "{broken}");
}

/// A visitor who did nothing since the second step is left behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_last_step_that_does_not_wait_for_everybody_is_noticed() {
    let broken = Local::new().broken_promise(&STEPS).await;
    assert!(broken.contains("sleeper 0"), "{broken}");
}
