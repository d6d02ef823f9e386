//! A folder of files and a database beside it. No server is needed, so the wrong roll-outs are tried on them.

use cloakroom::store::{FileStore, SqliteStore};
use cloakroom_testing::fleet::{Crowd, StoreMove, keys_of_files, move_the_rest};
use cloakroom_testing::processes::Folder;

pub(crate) struct Local {
    pub(crate) folder: Folder,
    from: String,
    to: String,
}

impl Local {
    pub(crate) fn new() -> Self {
        let folder = Folder::new();
        let root = folder.join("old");
        std::fs::create_dir(&root).unwrap();
        // Not durable, because other tests keep the disk busy and this one crashes no machine.
        let from = format!("file://{}?durability=none", root.display());
        let to = format!("sqlite://{}?timeout_ms=30000", folder.join("new.db").display());
        Self { folder, from, to }
    }

    pub(crate) fn stores(&self) -> StoreMove<'_> {
        StoreMove { from: &self.from, to: &self.to, features: "axum,file,sqlite", variables: &[] }
    }

    pub(crate) async fn files(&self) -> FileStore {
        FileStore::open(self.folder.join("old")).await.unwrap()
    }

    pub(crate) async fn move_the_rest(&self) -> Result<(), String> {
        let database = SqliteStore::open(self.folder.join("new.db")).await.unwrap();
        let keys = || keys_of_files(&self.folder.join("old"));
        move_the_rest(self.files().await, database, keys).await
    }

    /// Rolls out these steps without a look at what is left in the old store.
    pub(crate) async fn broken_promise<C: Crowd>(&self, steps: &[usize]) -> String {
        let done = self.stores().under_load::<C>(steps, async || Ok(()), || ()).await;
        done.unwrap_err()
    }
}
