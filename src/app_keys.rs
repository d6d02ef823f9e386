//! Keys for several apps out of one secret.

use crate::keys::{Key, KeyError, KeyRing};

const PURPOSE: &[u8] = b"cloakroom key of one app, v1\0";

impl Key {
    /// Derives the key of one app from a secret that several apps share.
    ///
    /// Two apps under one key accept each other's cookies if the cookies have one name: whoever is
    /// logged in to one app presents that cookie to the other, which finds the same session if the apps share
    /// a store or keep sessions in cookies. With derived keys each app refuses what the other has signed.
    /// Every server of an app uses the same name; another name logs everybody out.
    ///
    /// [Rosters](crate::Roster) are not separated: two apps that share a store need different cookie names for
    /// them. With [`SessionConfig`](crate::SessionConfig), put the derived keys into `SESSION_KEYS`:
    /// `secret.derived_for("shop").to_base64url()`.
    ///
    /// The derivation is HKDF-SHA256 (RFC 5869). A derived key does not tell the secret or another app's
    /// key. Give an app that is less trusted its derived key, and not the secret: whoever has the secret
    /// can derive every key.
    ///
    /// ```
    /// use cloakroom::{Key, SessionLayer, store::MemoryStore};
    ///
    /// let secret = Key::generate()?; // from your configuration
    /// let shop = SessionLayer::new(MemoryStore::new(), secret.derived_for("shop"));
    /// assert_eq!(secret.derived_for("shop"), secret.derived_for("shop"));
    /// assert_ne!(secret.derived_for("shop"), secret.derived_for("admin"));
    /// assert_ne!(secret.derived_for("shop"), secret);
    /// # let _ = shop;
    /// # Ok::<(), cloakroom::KeyError>(())
    /// ```
    #[doc(alias("hkdf", "derive"))]
    pub fn derived_for(&self, app: &str) -> Self {
        self.derive_key(PURPOSE, app.as_bytes())
    }
}

impl KeyRing {
    /// Derives the ring of one app: every key of this ring, [derived for](Key::derived_for) the app, in
    /// the same place. So the secret is replaced as a key is.
    ///
    /// # Errors
    ///
    /// [`KeyError::Duplicate`] when two derived keys cannot be told apart, by a chance of one in four
    /// billion; another secret helps.
    ///
    /// ```
    /// use cloakroom::{Key, KeyRing};
    ///
    /// let (new, old) = (Key::generate()?, Key::generate()?);
    /// let secrets = KeyRing::new(new).verify_also(old)?;
    /// assert_eq!(format!("{:?}", secrets.derived_for("shop")?), "KeyRing(2 keys)");
    /// # Ok::<(), cloakroom::KeyError>(())
    /// ```
    pub fn derived_for(&self, app: &str) -> Result<Self, KeyError> {
        let signer = Self::new(self.signer().derived_for(app));
        let mut verifiers = self.keys().skip(1).map(|key| key.derived_for(app));
        verifiers.try_fold(signer, Self::verify_also)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_derivation_never_changes_unnoticed() {
        let golden = include_str!("golden/app-key-v1.txt").trim();
        let secret = Key::from_bytes(&[7; 32]).unwrap();
        assert_eq!(*secret.derived_for("shop").to_base64url(), golden);
    }

    #[test]
    fn a_derived_ring_has_the_same_order() {
        let [new, old] = [1, 2].map(|byte| Key::from_bytes(&[byte; 32]).unwrap());
        let ring = KeyRing::new(new.clone()).verify_also(old.clone()).unwrap();
        let derived = ring.derived_for("shop").unwrap();
        assert!(derived.keys().eq(&[new.derived_for("shop"), old.derived_for("shop")]));
    }
}
