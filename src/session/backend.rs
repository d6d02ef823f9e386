//! Where sessions are kept: the one place that knows the kinds there are.

use std::sync::Arc;

use crate::store::SessionStore;

/// Where sessions are kept; what [`SessionLayer::new`](crate::SessionLayer::new) takes.
///
/// Any [`SessionStore`] becomes one by itself, an `Arc<dyn SessionStore>` included, and
/// [`connect`](crate::connect) makes one from a URL.
///
/// ```
/// use cloakroom::Backend;
/// use cloakroom::store::{MemoryStore, SessionStore};
/// use std::sync::Arc;
///
/// let _ = Backend::from(MemoryStore::new());
/// let chosen_at_run_time: Arc<dyn SessionStore> = Arc::new(MemoryStore::new());
/// let _ = Backend::from(chosen_at_run_time);
/// ```
#[derive(Clone, Debug)]
pub struct Backend(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Store(Arc<dyn SessionStore>),
}

impl Backend {
    pub(super) fn store(&self) -> &dyn SessionStore {
        match &self.0 {
            Kind::Store(store) => &**store,
        }
    }
}

impl<S: SessionStore> From<S> for Backend {
    fn from(store: S) -> Self {
        Self(Kind::Store(Arc::new(store)))
    }
}
