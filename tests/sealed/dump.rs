//! A dump of the store, in every form that can be had cheaply, shows no value.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cloakroom::store::{
    Created, Entry, FileStore, MemoryStore, NewEntry, Replaced, SessionStore, SqliteStore,
    StoreError, StoreKey, Touched, Version,
};
use cloakroom::{Key, ManualClock, Roster, Sealing, SessionLayer};
use cloakroom_testing::processes::Folder;
use cloakroom_testing::{Visitor, clock};

use crate::contains;

/// Names and values, all of which are to be looked for.
const SECRETS: [&str; 6] =
    ["cart-name", "apple-value", "flash-text", "role-name", "boss-value", "late-value"];

/// In the clear, and the guide says so.
const PRINCIPAL: &str = "ada-the-principal";

fn layer(store: Arc<dyn SessionStore>, clock: &ManualClock, sealing: Sealing) -> SessionLayer {
    let layer = SessionLayer::new(store, Key::from_bytes(&[7; 32]).unwrap()).clock(clock.clone());
    layer.roster(Roster::default()).sealed(sealing)
}

/// A visitor does everything that stores values: before a login, at it, after it, in a merge, as a flash, and
/// through an open handle. `dumped` is called after each step.
async fn live(layer: SessionLayer, mut dumped: impl AsyncFnMut()) {
    let visitor = Visitor::new(layer);
    visitor.visit(async |session| session.insert("cart-name", "apple-value")).await.is_ok();
    dumped().await;
    let tab = visitor.copy();
    let login = visitor.visit(async |session| {
        session.log_in(PRINCIPAL).await?;
        session.flash("flash-text")
    });
    login.await.is_ok();
    dumped().await;
    tab.visit(async |session| session.log_in(PRINCIPAL).await).await.is_ok();
    dumped().await;
    let other = visitor.copy();
    let merge = visitor.visit(async |session| {
        other.visit(async |session| session.insert("role-name", "boss-value")).await.is_ok();
        session.insert("cart-name", "late-value")
    });
    merge.await.is_ok();
    dumped().await;
    let mut kept = None;
    let keep = visitor.visit(async |session| {
        kept = Some(session);
        Ok(())
    });
    keep.await.is_ok();
    let session = kept.unwrap();
    session.insert("late-value", "apple-value").unwrap();
    session.save().await.unwrap();
    dumped().await;
    visitor.visit(async |session| session.destroy().await).await.is_ok();
    dumped().await;
}

fn shown(dump: &[u8]) -> Vec<&'static str> {
    SECRETS.into_iter().filter(|secret| contains(dump, secret)).collect()
}

/// Returns the bytes of all files in a folder.
fn files(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(files(&path)),
            // A file of a store that is open may be gone again.
            false => all.extend(fs::read(&path).unwrap_or_default()),
        }
    }
    all
}

/// Keeps everything that the store was ever given.
#[derive(Debug)]
struct Kept {
    store: MemoryStore,
    dump: Arc<Mutex<Vec<u8>>>,
}

impl Kept {
    fn keep(&self, entry: &NewEntry) {
        self.dump.lock().unwrap().extend(&entry.bytes);
    }
}

#[async_trait]
impl SessionStore for Kept {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        self.store.load(key).await
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        self.keep(entry);
        self.store.create(key, entry).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        self.keep(entry);
        self.store.replace(key, expected, entry).await
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: cloakroom::Timestamp,
    ) -> Result<Touched, StoreError> {
        self.store.touch(key, expected, deadline).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.store.delete(key).await
    }
}

/// Returns all that a store in memory was given.
async fn given(sealing: Sealing) -> Vec<u8> {
    let (clock, dump) = (clock(), Arc::<Mutex<Vec<u8>>>::default());
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let store = Kept { store, dump: dump.clone() };
    live(layer(Arc::new(store), &clock, sealing), async || {}).await;
    std::mem::take(&mut *dump.lock().unwrap())
}

#[tokio::test]
async fn r72_a_store_is_given_no_value() {
    for sealing in [Sealing::Write, Sealing::Only] {
        let given = given(sealing).await;
        assert_eq!(shown(&given), Vec::<&str>::new());
        assert!(contains(&given, PRINCIPAL), "the principal is in the clear");
    }
}

/// So that the search is known to find what it looks for.
#[tokio::test]
async fn without_seals_it_is_given_all_of_them() {
    for sealing in [Sealing::Off, Sealing::Read] {
        assert_eq!(shown(&given(sealing).await), SECRETS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r72_the_files_of_a_folder_show_no_value() {
    for (sealing, expected) in [(Sealing::Off, SECRETS.to_vec()), (Sealing::Only, vec![])] {
        let (clock, folder) = (clock(), Folder::new());
        let root = folder.join("");
        let store = FileStore::builder(&root).sweep_every(None).clock(clock.clone());
        let store: Arc<dyn SessionStore> = Arc::new(store.open().await.unwrap());
        let mut dump = Vec::new();
        live(layer(store, &clock, sealing), async || dump.extend(files(&root))).await;
        let mut shown = shown(&dump);
        shown.sort_unstable();
        let mut expected = expected;
        expected.sort_unstable();
        assert_eq!(shown, expected, "{sealing:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r72_a_database_and_its_log_show_no_value() {
    for (sealing, expected) in [(Sealing::Off, SECRETS.len()), (Sealing::Only, 0)] {
        let (clock, folder) = (clock(), Folder::new());
        let root = folder.join("");
        let store = SqliteStore::builder().sweep_every(None).clock(clock.clone());
        let store = store.open(folder.join("sessions.db")).await.unwrap();
        let mut dump = Vec::new();
        let layer = layer(Arc::new(store), &clock, sealing);
        live(layer, async || dump.extend(files(&root))).await;
        assert_eq!(shown(&dump).len(), expected, "{sealing:?}");
    }
}
