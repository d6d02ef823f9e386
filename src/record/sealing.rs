//! The seal of one session's values: a key that the visitor's ticket and the app's signing key yield together.
//!
//! ```text
//! layer key    HKDF-SHA256(signing key, "cloakroom sealed values, form 1" 0 | name of the cookie or header)
//! seal         HKDF-Expand-SHA256(layer key, session id)
//! sealed       head | nonce 12 | values | tag 16          the head is the associated data
//! ```
//!
//! The store knows the hash of the id and not the id, so nothing in it yields the seal. The signing key is
//! part of it so that a visitor who can also write to the store cannot seal a record of their own making: the
//! ticket alone would tell them its session's id. It is the key that has signed the ticket. A ring keeps that
//! key for as long as the ticket holds, so a rotation changes nothing.
//!
//! The store key is not repeated in the associated data. It is the hash of the id that the seal is derived
//! from, so another store key has another seal.
//!
//! The nonce is 12 random bytes. A session would have to be written four billion times before two of them are
//! likely to be the same, and a machine that is restored from a snapshot can draw some again. AES-GCM-SIV
//! (RFC 8452) shows then whether both records hold the same values, and nothing else; AES-GCM would give its
//! authentication key away.

use std::fmt;
use std::sync::Arc;

use hmac::Mac;
use zeroize::{Zeroize, Zeroizing};

use crate::id::SessionId;
use crate::keys::{HmacSha256, KeyRing};

pub(crate) const NONCE_LEN: usize = 12;
pub(super) const TAG_LEN: usize = 16;

/// Bytes that a seal adds to a record.
pub(crate) const SEAL_LEN: usize = NONCE_LEN + TAG_LEN;

const PURPOSE: &[u8] = b"cloakroom sealed values, form 1\0";

pub(crate) type Nonce = [u8; NONCE_LEN];
pub(super) type Tag = [u8; TAG_LEN];

/// Encrypts and authenticates. A trait, so that builds without the feature `sealed` have no cipher and
/// everything else.
pub(crate) trait Cipher: fmt::Debug + Send + Sync {
    /// Encrypts `values` in place, and returns the tag of both.
    fn seal(&self, key: &[u8; 32], nonce: &Nonce, head: &[u8], values: &mut [u8]) -> Tag;

    /// Decrypts `values` in place. Returns `false` if they, the head or the tag are not what was sealed.
    fn open(
        &self,
        key: &[u8; 32],
        nonce: &Nonce,
        head: &[u8],
        values: &mut [u8],
        tag: &Tag,
    ) -> bool;
}

/// The layer keys of a ring: one for each signing key, in the ring's order.
#[derive(Clone)]
pub(crate) struct SealKeys(Arc<[HmacSha256]>);

impl SealKeys {
    pub(crate) fn new(ring: &KeyRing, bound_name: &str) -> Self {
        let keys = ring.keys().map(|key| key.derive_key(PURPOSE, bound_name.as_bytes()).mac(b""));
        Self(keys.collect())
    }

    /// Returns the seal of the session whose ticket the key at `signer` has signed.
    pub(crate) fn seal_of(
        &self,
        id: &SessionId,
        signer: usize,
        cipher: &'static dyn Cipher,
    ) -> Option<Arc<Seal>> {
        // The one block of HKDF-Expand (RFC 5869 section 2.3): the info, and the block's number.
        let mac = self.0.get(signer)?.clone().chain_update(id.as_bytes()).chain_update([1]);
        let mut derived = mac.finalize().into_bytes();
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(&derived);
        derived.as_mut_slice().zeroize();
        Some(Arc::new(Seal { key, cipher }))
    }
}

impl fmt::Debug for SealKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKeys({})", self.0.len())
    }
}

/// Seals and opens the values of one session. Its key is wiped from memory when it is dropped.
pub(crate) struct Seal {
    key: Zeroizing<[u8; 32]>,
    cipher: &'static dyn Cipher,
}

impl Seal {
    /// Seals what stands behind the head of `raw` and the nonce that follows the head, and appends the tag.
    pub(super) fn close(&self, raw: &mut Vec<u8>, head_len: usize, nonce: &Nonce) {
        let (head, rest) = raw.split_at_mut(head_len);
        let values = rest.get_mut(NONCE_LEN..).unwrap_or_default();
        let tag = self.cipher.seal(&self.key, nonce, head, values);
        raw.extend(tag);
    }

    /// Returns the values of `sealed`, which stood behind `head`, if this seal has closed exactly these bytes.
    pub(super) fn open(&self, head: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_first_chunk()?;
        let (values, tag) = rest.split_last_chunk()?;
        let mut values = values.to_vec();
        self.cipher.open(&self.key, nonce, head, &mut values, tag).then_some(values)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(..)")
    }
}
