//! Signing keys, and the ring that lets them be replaced without logging anybody out.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::entropy;

pub(crate) type HmacSha256 = Hmac<Sha256>;

/// A secret that signs tickets: at least 32 bytes, wiped from memory when dropped.
///
/// `Debug` shows nothing of it, and equality takes the same time whatever differs. Load it from
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
#[derive(Clone)]
pub struct Key(Zeroizing<Vec<u8>>);

impl Key {
    /// The least number of bytes: as many as HMAC-SHA256 puts out (RFC 2104 section 3).
    pub const MIN_BYTES: usize = 32;

    /// A key of these bytes, which must be random: a passphrase is not a key.
    ///
    /// # Errors
    ///
    /// [`KeyError::TooShort`] under 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        if bytes.len() < Self::MIN_BYTES {
            return Err(KeyError::TooShort { bytes: bytes.len() });
        }
        Ok(Self(Zeroizing::new(bytes.to_vec())))
    }

    /// A key from its base64url text (RFC 4648 section 5), with or without `=` at the end.
    ///
    /// # Errors
    ///
    /// [`KeyError::NotBase64Url`], or [`KeyError::TooShort`] under 32 bytes.
    pub fn from_base64url(text: &str) -> Result<Self, KeyError> {
        let bytes = URL_SAFE_NO_PAD
            .decode(text.trim_end_matches('='))
            .map_err(|_| KeyError::NotBase64Url)?;
        Self::from_bytes(&Zeroizing::new(bytes))
    }

    /// A new random key of 32 bytes.
    ///
    /// Tickets signed with it are worthless to any process that does not have it, this one after a
    /// restart included: fit for tests and for making a key to keep.
    ///
    /// # Errors
    ///
    /// [`KeyError::Entropy`] when the operating system gives no random bytes.
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new(vec![0; Self::MIN_BYTES]);
        entropy::operating_system(&mut bytes)
            .map_err(|error| KeyError::Entropy(error.to_string()))?;
        Ok(Self(bytes))
    }

    /// The key as base64url text without padding, to be put where secrets are kept.
    pub fn to_base64url(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(&self.0))
    }

    /// An HMAC that has taken in `purpose`. The purpose keeps a signature made for one use from
    /// passing for another under the same key.
    pub(crate) fn mac(&self, purpose: &[u8]) -> HmacSha256 {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104)")]
        let mut mac = HmacSha256::new_from_slice(&self.0).expect("any length is a valid HMAC key");
        mac.update(purpose);
        mac
    }

    /// Four bytes that tell verifiers apart, and tell nothing about the key.
    pub(crate) fn hint(&self) -> [u8; 4] {
        let digest = self.mac(b"cloakroom key hint v1").finalize().into_bytes();
        [digest[0], digest[1], digest[2], digest[3]]
    }
}

impl Key {
    /// 32 bytes for one use alone, by HKDF-SHA256 (RFC 5869): what is known of one derived key
    /// tells nothing of another, nor of this one.
    pub(crate) fn derive(&self, purpose: &[u8], context: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut derived = Zeroizing::new([0; 32]);
        #[expect(clippy::expect_used, reason = "HKDF puts out up to 255 times 32 bytes")]
        hkdf::Hkdf::<Sha256>::new(None, &self.0)
            .expand_multi_info(&[purpose, context], &mut *derived)
            .expect("32 bytes are not too many");
        derived
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        // Comparing MACs under each key, not the bytes: `verify` is constant-time, and so is the
        // comparison of keys whose lengths differ.
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
/// A ticket is never signed anew: a late answer would put an old id over a fresh login. So a key
/// stays a verifier until the last ticket it signed has expired, one absolute lifetime
/// ([12 hours](crate::SessionLayer::absolute_lifetime) unless you chose another).
///
/// Replacing a key takes two roll-outs, so that no server ever meets a ticket it cannot verify:
///
/// 1. every server gets the new key as a verifier: `"old,new"`;
/// 2. when all have it, the new key signs and the old one verifies: `"new,old"`;
/// 3. one absolute lifetime later the old key can go: `"new"`.
///
/// ```
/// use cloakroom::{Key, KeyRing};
///
/// let (old, new) = (Key::generate()?, Key::generate()?);
/// let step_1 = KeyRing::new(old.clone()).verify_also(new.clone())?;
/// let step_2 = KeyRing::new(new).verify_also(old)?;
/// # let _ = (step_1, step_2);
/// # Ok::<(), cloakroom::KeyError>(())
/// ```
#[derive(Clone)]
pub struct KeyRing {
    signer: Key,
    verifiers: Vec<Key>,
}

impl KeyRing {
    /// A ring whose one key signs and verifies.
    pub fn new(signer: Key) -> Self {
        Self { signer, verifiers: Vec::new() }
    }

    /// Adds a key whose tickets are accepted.
    ///
    /// # Errors
    ///
    /// [`KeyError::SameHint`] when a key with the same four-byte hint is on the ring: nearly always
    /// the same key twice, else a one-in-four-billion chance, mended by another key.
    pub fn verify_also(mut self, key: Key) -> Result<Self, KeyError> {
        if self.keys().any(|present| present.hint() == key.hint()) {
            return Err(KeyError::SameHint);
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

    /// Base64url keys with commas between them: the first signs, the others verify.
    ///
    /// ```
    /// use cloakroom::{Key, KeyRing};
    ///
    /// let text = format!("{},{}", *Key::generate()?.to_base64url(), *Key::generate()?.to_base64url());
    /// let ring: KeyRing = text.parse()?;
    /// # let _ = ring;
    /// assert!("".parse::<KeyRing>().is_err());
    /// # Ok::<(), cloakroom::KeyError>(())
    /// ```
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut keys = text.split(',').map(|part| Key::from_base64url(part.trim()));
        let signer = keys.next().unwrap_or(Err(KeyError::TooShort { bytes: 0 }))?;
        keys.try_fold(Self::new(signer), |ring, key| ring.verify_also(key?))
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({} keys)", 1 + self.verifiers.len())
    }
}

/// Why a key cannot be used; the text says what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
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
    /// Two keys of a ring that a ticket could not tell apart.
    #[error("this key is on the ring already: list every key once")]
    SameHint,
    /// The operating system gave no random bytes.
    #[error("no key could be drawn: {0}")]
    Entropy(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_key() {
        let key = Key::from_bytes(&[b'k'; 32]).unwrap();
        let shown = format!("{key:?} {:?}", KeyRing::new(key.clone()));
        assert_eq!(shown, "Key(..) KeyRing(1 keys)");
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
        }
    }

    #[test]
    fn a_ring_refuses_the_same_key_twice() {
        let key = Key::generate().unwrap();
        let ring = KeyRing::new(key.clone());
        assert_eq!(ring.verify_also(key).unwrap_err(), KeyError::SameHint);
    }

    #[test]
    fn padding_is_optional() {
        let text = Key::generate().unwrap().to_base64url();
        assert_eq!(Key::from_base64url(&text), Key::from_base64url(&format!("{}=", *text)));
    }
}
