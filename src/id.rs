//! The names of a session: the secret id in the ticket, its hash, which the store sees, and its public
//! handle.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use zeroize::Zeroize;

use crate::entropy::{Entropy, EntropyError};
use crate::hex::Hex;

/// 160 random bits that only the visitor's ticket carries (ASVS 7.2.3 asks for 128). They are wiped
/// from memory when dropped. Only tests can compare two: `==` stops at the first byte that differs, and its time
/// would tell how much of a guess is right.
#[derive(Clone)]
#[cfg_attr(test, derive(PartialEq, Eq))]
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

    /// The key under which the roster of `principal` is kept. The cookie's name tells apart the layers
    /// that share a store.
    pub(crate) fn of_roster(cookie_name: &str, principal: &[u8]) -> Self {
        let mut hash = Sha256::new_with_prefix(b"cloakroom roster 1\0");
        hash.update(cookie_name.as_bytes());
        hash.update(b"\0");
        hash.update(principal);
        Self(hash.finalize().into())
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

/// The public name of one login, for pages, URLs and logs: "end this device".
///
/// Eight random bytes that stay the same through renewals, and that no ticket can be made from. Sessions
/// have one from their login on if the layer keeps a [roster](crate::Roster). `Display` prints 16
/// hexadecimal digits, and `FromStr` reads them.
///
/// ```
/// use cloakroom::SessionHandle;
///
/// let handle: SessionHandle = "00c0ffee00c0ffee".parse()?;
/// assert_eq!(handle.to_string(), "00c0ffee00c0ffee");
/// assert!("c0ffee".parse::<SessionHandle>().is_err());
/// # Ok::<(), cloakroom::InvalidHandle>(())
/// ```
// Not the store key, which is the hash of the secret id and changes with every renewal: a link on a page
// of devices would lead nowhere after the next login step.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionHandle([u8; Self::LEN]);

impl SessionHandle {
    pub(crate) const LEN: usize = 8;

    pub(crate) fn draw(entropy: Entropy) -> Result<Self, EntropyError> {
        let mut bytes = [0; Self::LEN];
        entropy(&mut bytes)?;
        Ok(Self(bytes))
    }

    pub(crate) const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionHandle({self})")
    }
}

impl FromStr for SessionHandle {
    type Err = InvalidHandle;

    /// Reads exactly 16 hexadecimal digits, in either case.
    fn from_str(text: &str) -> Result<Self, InvalidHandle> {
        let digits = text.as_bytes();
        let mut bytes = [0; Self::LEN];
        if digits.len() != 2 * bytes.len() {
            return Err(InvalidHandle);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            *byte = pair.iter().try_fold(0, |byte, digit| {
                let digit = char::from(*digit).to_digit(16).ok_or(InvalidHandle)?;
                // Cannot overflow: two digits of four bits each.
                Ok(byte << 4 | digit as u8)
            })?;
        }
        Ok(Self(bytes))
    }
}

/// The error of a text that is no [`SessionHandle`].
///
/// ```
/// use cloakroom::{InvalidHandle, SessionHandle};
///
/// assert_eq!("..".parse::<SessionHandle>(), Err(InvalidHandle));
/// assert_eq!(InvalidHandle.to_string(), "a session handle has 16 hexadecimal digits");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidHandle;

impl fmt::Display for InvalidHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a session handle has 16 hexadecimal digits")
    }
}

impl Error for InvalidHandle {}

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
