//! Why a cookie of our name is not a session.

use std::fmt;

/// The reason, for the operator's log. The visitor is told nothing, and the text holds nothing of the
/// cookie.
///
/// Of several refused cookies, the greatest reason is the one that helps: a cookie that expired was
/// once good, while a malformed one may be anything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Refusal {
    Malformed,
    /// No key on the ring has the hint: a key that was replaced too early, or that another server or
    /// app has.
    ForeignKey,
    Forged,
    Expired,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed",
            Self::ForeignKey => "signed by a key that is not on the ring",
            Self::Forged => "its signature does not hold",
            Self::Expired => "expired",
        })
    }
}
