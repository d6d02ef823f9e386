//! How strong a login was, and when it was proved.

use bytes::{Buf, BufMut, Bytes};

use super::fields::take_time;
use crate::clock::Timestamp;

/// How strong a login was: a number that the app chooses, the higher the stronger.
///
/// The library compares levels and knows nothing of their meaning. An app may count factors, or take the assurance
/// levels of NIST SP 800-63B. The lowest, 0, is that of every login that names none.
///
/// ```
/// use cloakroom::AuthLevel;
///
/// const PASSWORD: AuthLevel = AuthLevel::new(1);
/// const SECURITY_KEY: AuthLevel = AuthLevel::new(3);
///
/// assert!(SECURITY_KEY > PASSWORD && PASSWORD > AuthLevel::default());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct AuthLevel(u8);

impl AuthLevel {
    /// Creates a level.
    ///
    /// ```
    /// use cloakroom::AuthLevel;
    ///
    /// assert_eq!(AuthLevel::new(0), AuthLevel::default());
    /// ```
    pub const fn new(level: u8) -> Self {
        Self(level)
    }

    /// Returns the number.
    ///
    /// ```
    /// assert_eq!(cloakroom::AuthLevel::new(2).as_u8(), 2);
    /// ```
    pub const fn as_u8(self) -> u8 {
        self.0
    }
}

/// The level of a login and its true time, beside the time from which it counts. Most logins have neither.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Assurance {
    pub(crate) level: AuthLevel,
    /// The moment of the authentication, where the login counts from a later one: a session that has ended all others
    /// of its user goes on as a login that was made after the end, without a new proof of the user.
    proved: Option<Timestamp>,
}

impl Assurance {
    pub(super) const LEN: usize = 7;

    /// The assurance of a login that counts from `counts_from` and was proved at `proved`.
    pub(crate) fn new(level: AuthLevel, proved: Timestamp, counts_from: Timestamp) -> Self {
        Self { level, proved: (proved != counts_from).then_some(proved) }
    }

    /// Returns when the user of a login that counts from `counts_from` was authenticated.
    pub(crate) fn proved_at(self, counts_from: Timestamp) -> Timestamp {
        self.proved.unwrap_or(counts_from)
    }

    /// `level 1 | proved 6`
    pub(super) fn encode(self, counts_from: Timestamp, out: &mut Vec<u8>) {
        out.put_u8(self.level.0);
        out.put_slice(&self.proved_at(counts_from).to_six_bytes());
    }

    /// Returns `None` for one that says nothing: a record has one encoding only.
    pub(super) fn decode(counts_from: Option<Timestamp>, input: &mut Bytes) -> Option<Self> {
        let level = AuthLevel(input.try_get_u8().ok()?);
        let assurance = Self::new(level, take_time(input)?, counts_from?);
        (assurance != Self::default()).then_some(assurance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_ordered_as_their_numbers() {
        let levels: Vec<_> = (0..=u8::MAX).map(AuthLevel::new).collect();
        assert!(levels.is_sorted_by(|lower, higher| lower < higher));
        assert!(levels.into_iter().map(AuthLevel::as_u8).eq(0..=u8::MAX));
    }
}
