//! The names of a session: the secret id in the ticket, and its hash, which the store sees.

use std::fmt;

use sha2::{Digest, Sha256};
use zeroize::Zeroize;

use crate::entropy::{Entropy, EntropyError};
use crate::hex::Hex;

/// 160 random bits that only the visitor's ticket carries (ASVS 7.2.3 asks for 128). They are wiped
/// from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SessionId([u8; Self::LEN]);

impl SessionId {
    pub(crate) const LEN: usize = 20;

    /// Draws an id, and that of the commit which creates its record: one call into the operating system
    /// for both.
    pub(crate) fn draw_with_commit(entropy: Entropy) -> Result<(Self, CommitId), EntropyError> {
        let mut bytes = [0; Self::LEN + CommitId::LEN];
        entropy(&mut bytes)?;
        let (mut id, mut commit) = ([0; Self::LEN], [0; CommitId::LEN]);
        id.copy_from_slice(&bytes[..Self::LEN]);
        commit.copy_from_slice(&bytes[Self::LEN..]);
        bytes.zeroize();
        Ok((Self(id), CommitId(commit)))
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
/// Somebody who reads the store cannot make a ticket from it. `Debug` and `Display` print the first
/// four bytes in hexadecimal digits, as trace events do: enough to follow one session through a log,
/// and too little to find its entry in a store.
///
/// ```
/// use cloakroom::store::StoreKey;
///
/// let key = StoreKey::from_bytes([0xab; 32]);
/// assert_eq!(key.to_string(), "abababab");
/// assert_eq!(key.as_bytes().len(), 32);
/// ```
// A hash without a secret is enough, because the id is random: nobody can guess the input. One under
// a key of the ring would change with the key, and end every session at each rotation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreKey([u8; 32]);

impl StoreKey {
    /// Creates a key from these bytes, for the tests of a store.
    ///
    /// ```
    /// use cloakroom::store::StoreKey;
    ///
    /// const KEY: StoreKey = StoreKey::from_bytes([7; 32]);
    /// assert_eq!(KEY.as_bytes(), &[7; 32]);
    /// ```
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns all 32 bytes. They are distributed evenly, so any of them can choose a shard.
    ///
    /// ```
    /// use cloakroom::store::StoreKey;
    ///
    /// let key = StoreKey::from_bytes([0xab; 32]);
    /// let shard = usize::from(key.as_bytes()[0]) % 64;
    /// assert_eq!(shard, 43);
    /// ```
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
/// store may use it as the [`Version`](crate::store::Version) of the entry.
///
/// ```
/// use cloakroom::store::{CommitId, Version};
///
/// let commit = CommitId::from_bytes([7; 8]);
/// assert_eq!(Version::from(commit).as_bytes(), commit.as_bytes());
/// assert_eq!(format!("{commit:?}"), "CommitId(0707070707070707)");
/// ```
// A counter would be shorter, but two servers that write at once would choose the same number.
// Sixteen bytes would double the list in every record, for nothing: an id is only ever compared with
// the few others of one session.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CommitId([u8; Self::LEN]);

impl CommitId {
    pub(crate) const LEN: usize = 8;

    pub(crate) fn draw(entropy: Entropy) -> Result<Self, EntropyError> {
        let mut bytes = [0; Self::LEN];
        entropy(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Creates an id from these bytes, for the tests of a store.
    ///
    /// ```
    /// use cloakroom::store::CommitId;
    ///
    /// assert_ne!(CommitId::from_bytes([1; 8]), CommitId::from_bytes([2; 8]));
    /// ```
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    ///
    /// ```
    /// use cloakroom::store::CommitId;
    ///
    /// assert_eq!(CommitId::from_bytes([7; 8]).as_bytes(), &[7; 8]);
    /// ```
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommitId({})", Hex(&self.0))
    }
}
