//! A store that its first command opens, because opening is async and [`House::opening`] is not.
//!
//! [`House::opening`]: crate::House::opening

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use cloakroom::Timestamp;
use cloakroom::store::{
    Created, Entry, NewEntry, Replaced, SessionStore, StoreError, StoreKey, Touched, Version,
};
use tokio::sync::OnceCell;

type Opening = Pin<Box<dyn Future<Output = Arc<dyn SessionStore>> + Send>>;

pub struct Late {
    open: Box<dyn Fn() -> Opening + Send + Sync>,
    store: OnceCell<Arc<dyn SessionStore>>,
}

impl Late {
    pub fn new<S, F>(open: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        S: SessionStore,
        F: Future<Output = S> + Send + 'static,
    {
        let open = move || -> Opening {
            let opening = open();
            Box::pin(async move { Arc::new(opening.await) as Arc<dyn SessionStore> })
        };
        Self { open: Box::new(open), store: OnceCell::new() }
    }

    async fn store(&self) -> &dyn SessionStore {
        &**self.store.get_or_init(|| (self.open)()).await
    }
}

impl fmt::Debug for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Late(..)")
    }
}

#[async_trait]
impl SessionStore for Late {
    async fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        self.store().await.load(key).await
    }

    async fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<Created, StoreError> {
        self.store().await.create(key, entry).await
    }

    async fn replace(
        &self,
        key: &StoreKey,
        expected: &Version,
        entry: &NewEntry,
    ) -> Result<Replaced, StoreError> {
        self.store().await.replace(key, expected, entry).await
    }

    async fn touch(
        &self,
        key: &StoreKey,
        expected: &Version,
        deadline: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.store().await.touch(key, expected, deadline).await
    }

    async fn delete(&self, key: &StoreKey) -> Result<(), StoreError> {
        self.store().await.delete(key).await
    }

    fn may_evict(&self) -> bool {
        self.store.get().is_some_and(|store| store.may_evict())
    }
}
