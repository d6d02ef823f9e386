//! Signing keys, and the ring that replaces them without logging anybody out.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::entropy;
use crate::error_chain::WithCauses;

pub(crate) type HmacSha256 = Hmac<Sha256>;

/// A secret that signs tickets: at least 32 bytes, wiped from memory when dropped.
///
/// `Debug` shows nothing of it, and a comparison takes the same time whatever differs. Load it from
/// your configuration; every server of the app needs the same one.
///
/// ```
/// use cloakroom::Key;
///
/// let key = Key::from_base64url("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY")?;
/// assert_eq!(key, Key::from_bytes(b"0123456789abcdef0123456789abcdef")?);
/// assert_eq!(format!("{key:?}"), "Key(..)");
/// # Ok::<(), cloakroom::KeyError>(())
/// ```
// HMAC and not a public-key signature: the servers that sign are those that verify, and a MAC is
// some hundred times quicker.
#[doc(alias = "secret")]
#[derive(Clone)]
pub struct Key(Zeroizing<Vec<u8>>);

impl Key {
    /// The least number of bytes: as many as HMAC-SHA256 returns. RFC 2104 section 3 says that a
    /// shorter key weakens it.
    pub const MIN_BYTES: usize = 32;

    /// Creates a key from these bytes, which must be random: a passphrase is not a key.
    ///
    /// # Errors
    ///
    /// [`KeyError::TooShort`] under 32 bytes.
    ///
    /// ```
    /// use cloakroom::{Key, KeyError};
    ///
    /// let bytes: [u8; 32] = std::array::from_fn(|at| at as u8); // from your secret manager
    /// assert!(Key::from_bytes(&bytes).is_ok());
    /// assert_eq!(Key::from_bytes(&bytes[..8]), Err(KeyError::TooShort { bytes: 8 }));
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        if bytes.len() < Self::MIN_BYTES {
            return Err(KeyError::TooShort { bytes: bytes.len() });
        }
        Ok(Self(Zeroizing::new(bytes.to_vec())))
    }

    /// Creates a key from its base64url text (RFC 4648 section 5), with or without `=` at the end.
    ///
    /// Plain base64 with `+` or `/` is refused, although it could be read. One key then has one
    /// text, on every server and in every tool.
    ///
    /// # Errors
    ///
    /// [`KeyError::NotBase64Url`], or [`KeyError::TooShort`] under 32 bytes.
    ///
    /// ```
    /// use cloakroom::{Key, KeyError};
    ///
    /// assert!(Key::from_base64url("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=").is_ok());
    /// assert_eq!(Key::from_base64url("correct horse"), Err(KeyError::NotBase64Url));
    /// ```
    pub fn from_base64url(text: &str) -> Result<Self, KeyError> {
        let bytes = URL_SAFE_NO_PAD
            .decode(text.trim_end_matches('='))
            .map_err(|_| KeyError::NotBase64Url)?;
        Self::from_bytes(&Zeroizing::new(bytes))
    }

    /// Generates a random key of 32 bytes.
    ///
    /// Use it in tests, and to make a key that you then keep. An app that generates its key at every
    /// start logs everybody out with each restart, and its servers refuse each other's tickets.
    ///
    /// # Errors
    ///
    /// [`KeyError::Entropy`] when the operating system returns no random bytes.
    ///
    /// ```
    /// use cloakroom::Key;
    ///
    /// assert_ne!(Key::generate()?, Key::generate()?);
    /// # Ok::<(), cloakroom::KeyError>(())
    /// ```
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new(vec![0; Self::MIN_BYTES]);
        entropy::operating_system(&mut bytes)
            .map_err(|error| KeyError::Entropy(error.to_string()))?;
        Ok(Self(bytes))
    }

    /// Returns the key as base64url text without padding, to be put where secrets are kept. The text
    /// is wiped from memory when it is dropped.
    ///
    /// ```
    /// use cloakroom::Key;
    ///
    /// let key = Key::generate()?;
    /// assert_eq!(Key::from_base64url(&key.to_base64url())?, key);
    /// # Ok::<(), cloakroom::KeyError>(())
    /// ```
    pub fn to_base64url(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(&self.0))
    }

    /// Returns an HMAC that has taken in `purpose`. The purpose keeps a signature made for one use
    /// from passing for another under the same key.
    pub(crate) fn mac(&self, purpose: &[u8]) -> HmacSha256 {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104)")]
        let mut mac = HmacSha256::new_from_slice(&self.0).expect("any length is a valid HMAC key");
        mac.update(purpose);
        mac
    }

    /// Returns four bytes that tell verifiers apart, and tell nothing about the key. Trying every key
    /// of the ring instead would let a forged ticket cost as many MACs as there are keys.
    pub(crate) fn hint(&self) -> [u8; 4] {
        let digest = self.mac(b"cloakroom key hint v1").finalize().into_bytes();
        [digest[0], digest[1], digest[2], digest[3]]
    }

    /// Derives 32 bytes for one use alone, by HKDF-SHA256 (RFC 5869). A derived key tells
    /// nothing about another, nor about this one.
    pub(crate) fn derive(&self, purpose: &[u8], context: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut derived = Zeroizing::new([0; 32]);
        #[expect(clippy::expect_used, reason = "HKDF returns up to 255 times 32 bytes (RFC 5869)")]
        hkdf::Hkdf::<Sha256>::new(None, &self.0)
            .expand_multi_info(&[purpose, context], &mut *derived)
            .expect("32 bytes are not too many");
        derived
    }

    /// Derives a key for one use alone.
    pub(crate) fn derive_key(&self, purpose: &[u8], context: &[u8]) -> Self {
        Self(Zeroizing::new(self.derive(purpose, context).to_vec()))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        // Compares MACs under each key, because `verify` takes constant time. Comparing the bytes
        // with `==` would stop at the first that differs. The length alone is public.
        self.0.len() == other.0.len()
            && self
                .mac(b"cloakroom key equality")
                .verify(&other.mac(b"cloakroom key equality").finalize().into_bytes())
                .is_ok()
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// One key that signs, and any number of others that still verify.
///
/// A ticket is never signed again under a newer key, because a late answer would then put an old id
/// over a fresh login. So a key stays a verifier until the last ticket it signed has expired: for the
/// longest lifetime that the app gives a session. That is the
/// [absolute lifetime](crate::SessionLayer::absolute_lifetime) (12 hours unless you chose another), or
/// the longest that [`remember`](crate::Session::remember) is called with, if that is longer. A key that
/// goes earlier logs out the visitors who asked to be remembered.
///
/// Replacing a key takes two roll-outs, so that no server ever meets a ticket it cannot verify:
///
/// 1. every server gets the new key as a verifier: `"old,new"`;
/// 2. when all have it, the new key signs and the old one verifies: `"new,old"`;
/// 3. one such lifetime later (30 days, say, where visitors are remembered for 30 days) the old key can
///    go: `"new"`.
///
/// A key that has leaked goes at once, whoever it logs out.
///
/// ```
/// use cloakroom::{Key, KeyRing};
///
/// let (old, new) = (Key::generate()?, Key::generate()?);
/// let step_1 = KeyRing::new(old.clone()).verify_also(new.clone())?;
/// let step_2 = KeyRing::new(new.clone()).verify_also(old)?;
/// let step_3 = KeyRing::new(new);
/// assert_eq!(format!("{step_2:?} {step_3:?}"), "KeyRing(2 keys) KeyRing(1 key)");
/// # let _ = step_1;
/// # Ok::<(), cloakroom::KeyError>(())
/// ```
// Two fields and not one list: a list could be empty, and every use would have to handle that.
#[doc(alias = "rotation")]
#[derive(Clone)]
pub struct KeyRing {
    signer: Key,
    verifiers: Vec<Key>,
}

impl KeyRing {
    /// Creates a ring whose one key signs and verifies.
    ///
    /// Whatever takes a ring takes a [`Key`] too.
    ///
    /// ```
    /// use cloakroom::{Key, KeyRing};
    ///
    /// let ring = KeyRing::new(Key::generate()?);
    /// assert_eq!(format!("{ring:?}"), "KeyRing(1 key)");
    /// # Ok::<(), cloakroom::KeyError>(())
    /// ```
    pub fn new(signer: Key) -> Self {
        Self { signer, verifiers: Vec::new() }
    }

    /// Adds a key whose tickets are accepted, but which signs none.
    ///
    /// # Errors
    ///
    /// [`KeyError::Duplicate`] when the key is on the ring already. Keys are told apart by four
    /// bytes, so two different keys can be taken for one by a chance of one in four billion;
    /// another key helps.
    ///
    /// ```
    /// use cloakroom::{Key, KeyError, KeyRing};
    ///
    /// let (new, old) = (Key::generate()?, Key::generate()?);
    /// let ring = KeyRing::new(new).verify_also(old.clone())?;
    /// assert_eq!(ring.verify_also(old).unwrap_err(), KeyError::Duplicate);
    /// # Ok::<(), cloakroom::KeyError>(())
    /// ```
    pub fn verify_also(mut self, key: Key) -> Result<Self, KeyError> {
        if self.keys().any(|present| present.hint() == key.hint()) {
            return Err(KeyError::Duplicate);
        }
        self.verifiers.push(key);
        Ok(self)
    }

    pub(crate) fn signer(&self) -> &Key {
        &self.signer
    }

    /// The signer first.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.signer).chain(&self.verifiers)
    }
}

impl From<Key> for KeyRing {
    fn from(signer: Key) -> Self {
        Self::new(signer)
    }
}

impl FromStr for KeyRing {
    type Err = KeyError;

    /// Reads base64url keys with commas or line breaks between them: the first signs, the others verify.
    /// Spaces around a key are ignored, and so are empty lines: the text may be that of a file.
    ///
    /// ```
    /// use cloakroom::{Key, KeyRing};
    ///
    /// let (new, old) = (Key::generate()?.to_base64url(), Key::generate()?.to_base64url());
    /// let ring: KeyRing = format!("{}, {}", *new, *old).parse()?;
    /// assert_eq!(format!("{ring:?}"), "KeyRing(2 keys)");
    /// assert!("".parse::<KeyRing>().is_err());
    /// # Ok::<(), cloakroom::KeyError>(())
    /// ```
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let mut keys =
            lines.flat_map(|line| line.split(',')).map(|part| Key::from_base64url(part.trim()));
        let signer = keys.next().unwrap_or(Err(KeyError::TooShort { bytes: 0 }))?;
        keys.try_fold(Self::new(signer), |ring, key| ring.verify_also(key?))
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys().count();
        write!(f, "KeyRing({keys} {})", if keys == 1 { "key" } else { "keys" })
    }
}

/// Why a key cannot be used; the text says what to do.
///
/// ```
/// use cloakroom::Key;
///
/// let error = Key::from_base64url("c2hvcnQ").unwrap_err();
/// assert!(error.to_string().contains("at least 32 random bytes, this one has 5"));
/// assert_eq!(format!("{error:?}"), error.to_string());
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Under 32 bytes.
    #[error(
        "a signing key needs at least 32 random bytes, this one has {bytes}: make one with `openssl rand -base64 32 | tr '+/' '-_'`"
    )]
    TooShort {
        /// Bytes that were given.
        bytes: usize,
    },
    /// Not base64url.
    #[error(
        "a signing key is written in base64url (A-Z a-z 0-9 - _): make one with `openssl rand -base64 32 | tr '+/' '-_'`"
    )]
    NotBase64Url,
    /// Two keys of a ring are the same, or a ticket could not tell them apart.
    #[error("this key is already on the ring: list every key once")]
    Duplicate,
    /// The operating system returned no random bytes.
    #[error("no key could be generated: {0}")]
    // The text and not the error itself, so that apps can compare a `KeyError` in their tests.
    Entropy(String),
}

impl fmt::Debug for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", WithCauses(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_key() {
        let key = Key::from_bytes(&[b'k'; 32]).unwrap();
        let shown = format!("{key:?} {:?}", KeyRing::new(key.clone()));
        assert_eq!(shown, "Key(..) KeyRing(1 key)");
    }

    #[test]
    fn equality_is_by_content_and_length() {
        let key = Key::from_bytes(&[7; 32]).unwrap();
        assert_eq!(key, Key::from_base64url(&key.to_base64url()).unwrap());
        assert_ne!(key, Key::from_bytes(&[8; 32]).unwrap());
        // HMAC pads keys with zeros, so these two sign alike; they are not the same key.
        assert_ne!(key, Key::from_bytes(&[&[7; 32][..], &[0]].concat()).unwrap());
    }

    #[test]
    fn bad_keys_say_what_to_do() {
        assert_eq!(Key::from_bytes(&[0; 31]), Err(KeyError::TooShort { bytes: 31 }));
        assert_eq!(Key::from_base64url("****"), Err(KeyError::NotBase64Url));
        for error in [KeyError::TooShort { bytes: 3 }, KeyError::NotBase64Url] {
            assert!(error.to_string().contains("openssl rand"), "{error}");
            assert_eq!(format!("{error:?}"), error.to_string());
        }
    }

    #[test]
    fn a_ring_refuses_the_same_key_twice() {
        let key = Key::generate().unwrap();
        let ring = KeyRing::new(key.clone());
        assert_eq!(ring.verify_also(key).unwrap_err(), KeyError::Duplicate);
    }

    #[test]
    fn padding_is_optional() {
        let text = Key::generate().unwrap().to_base64url();
        assert_eq!(Key::from_base64url(&text), Key::from_base64url(&format!("{}=", *text)));
    }
}
