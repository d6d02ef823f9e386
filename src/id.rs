//! Names of a session: the secret one in the ticket, and its hash that the store sees.

use std::fmt;

use sha2::{Digest, Sha256};
use zeroize::Zeroize;

use crate::entropy::{Entropy, EntropyError};
use crate::hex::Hex;

/// 160 random bits that only the visitor's ticket carries (ASVS 7.2.3 asks for 128).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SessionId([u8; Self::LEN]);

impl SessionId {
    pub(crate) const LEN: usize = 20;

    pub(crate) fn draw(entropy: Entropy) -> Result<Self, EntropyError> {
        let mut bytes = [0; Self::LEN];
        entropy(&mut bytes)?;
        Ok(Self(bytes))
    }

    pub(crate) fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    pub(crate) fn store_key(&self) -> StoreKey {
        StoreKey(Sha256::digest(self.0).into())
    }
}

impl Drop for SessionId {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}

/// The name under which a store keeps an entry: the SHA-256 of the session id.
///
/// Whoever reads the store cannot make a ticket from it. `Debug` and `Display` print the first
/// four bytes in hex, the same fingerprint that trace events carry: enough to follow one session
/// through a log, useless for anything else.
///
/// ```
/// use cloakroom::store::StoreKey;
///
/// let key = StoreKey::from_bytes([0xab; 32]);
/// assert_eq!(key.to_string(), "abababab");
/// assert_eq!(key.as_bytes().len(), 32);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreKey([u8; 32]);

impl StoreKey {
    /// A key of these bytes, for the tests of a store.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// All 32 bytes, uniformly distributed.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0[..4]).fmt(f)
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreKey({self}..)")
    }
}

/// Eight random bytes that name one commit, drawn by the library.
///
/// A record lists its last commits, so that a write whose answer was lost can be looked up. A
/// store may use it as the [`Version`](crate::store::Version).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CommitId([u8; Self::LEN]);

impl CommitId {
    pub(crate) const LEN: usize = 8;

    pub(crate) fn draw(entropy: Entropy) -> Result<Self, EntropyError> {
        let mut bytes = [0; Self::LEN];
        entropy(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// An id of these bytes, for the tests of a store.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommitId({})", Hex(&self.0))
    }
}
