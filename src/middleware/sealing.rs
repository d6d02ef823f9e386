//! The option of a layer that seals the values of its sessions.

use super::layer::SessionLayer;
use crate::record::GcmSiv;
use crate::session::Sealing;

/// # Sealed values
impl<E> SessionLayer<E> {
    /// Seals the values of sessions, so that whoever reads the store, a backup or a dump of it reads none of
    /// them. Default: [`Sealing::Off`].
    ///
    /// Each session's values, their names included, are encrypted and authenticated under a key that only its
    /// visitor's ticket and the app's signing key yield together. Times, the principal, ids of commits and sizes
    /// stay readable, and are authenticated. The [guide](crate::guide::sealed) has the details, and the steps by
    /// which servers that run are changed over. New apps begin with [`Sealing::Only`].
    ///
    /// Sessions that were found through [`Users`](crate::Users) answer [`Sealed`](crate::SessionError::Sealed)
    /// when their values are looked at or changed, because no ticket leads to them. It has no effect on sessions
    /// that travel in cookies; encrypt those with [`CookieSessions`](crate::CookieSessions).
    ///
    /// ```
    /// use cloakroom::{Key, Sealing, SessionLayer, store::MemoryStore};
    ///
    /// let layer = SessionLayer::new(MemoryStore::new(), Key::generate()?).sealed(Sealing::Only);
    /// assert!(format!("{layer:?}").contains("sealing: Only"));
    /// # Ok::<(), cloakroom::KeyError>(())
    /// ```
    #[doc(alias("encrypt", "encryption", "encrypted"))]
    pub fn sealed(mut self, sealing: Sealing) -> Self {
        self.config().change(|settings| {
            settings.terms.sealing = sealing;
            settings.terms.cipher = (sealing != Sealing::Off).then_some(&GcmSiv);
        });
        self
    }
}
