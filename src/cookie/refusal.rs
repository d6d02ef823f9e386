//! Why a cookie of our name is not a session.

use std::fmt;

/// The reason why a cookie was refused.
///
/// It is for the operator: the visitor is told nothing, and neither its name nor its text holds anything of
/// the cookie. Of several cookies of one request that were all refused, the one that tells most is given: a
/// cookie that has expired was once good, while a malformed one may be anything.
///
/// ```
/// use cloakroom::events::Refusal;
///
/// assert_eq!(Refusal::Forged.name(), "forged");
/// assert_eq!(Refusal::Forged.to_string(), "its signature does not hold");
/// ```
// Of several refused cookies, the greatest reason counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// It does not have the form of a ticket, or of a sealed session.
    Malformed,
    /// No key on the ring has its hint: a key that was replaced too early, or that another server or
    /// app has.
    ForeignKey,
    /// Its signature does not hold. Nobody makes such a cookie by accident.
    Forged,
    /// Its signature holds, and a later ticket of the same session has been used: a copy, perhaps a stolen one, or a
    /// browser that was set back to an earlier state. In layers that [renew tickets by
    /// time](crate::SessionLayer::renew_every).
    Outdated,
    /// Its signature holds, and its time is over.
    Expired,
}

impl Refusal {
    /// Returns a short name, as for the label of a metric.
    ///
    /// ```
    /// use cloakroom::events::Refusal;
    ///
    /// assert_eq!(Refusal::ForeignKey.name(), "foreign_key");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::ForeignKey => "foreign_key",
            Self::Forged => "forged",
            Self::Outdated => "outdated",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed",
            Self::ForeignKey => "signed by a key that is not on the ring",
            Self::Forged => "its signature does not hold",
            Self::Outdated => "a later one of its session has been used",
            Self::Expired => "expired",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn reasons_are_told_apart_by_label_and_by_text() {
        let reasons = [
            Refusal::Malformed,
            Refusal::ForeignKey,
            Refusal::Forged,
            Refusal::Outdated,
            Refusal::Expired,
        ];
        let names: HashSet<_> = reasons.map(Refusal::name).into();
        let texts: HashSet<_> = reasons.map(|reason| reason.to_string()).into();
        assert_eq!((names.len(), texts.len()), (reasons.len(), reasons.len()));
        let is_label = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(names.into_iter().all(is_label));
    }
}
