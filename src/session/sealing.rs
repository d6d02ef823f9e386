//! How far a layer seals the values of its sessions.

/// How far a layer seals the values of its sessions; see `SessionLayer::sealed`, of the feature `sealed`.
///
/// The steps stand in the order of a roll-out. Servers may be one step apart, forwards and backwards; a new app
/// begins with [`Only`](Self::Only).
///
/// ```
/// use cloakroom::Sealing;
///
/// assert_eq!(Sealing::default(), Sealing::Off);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Sealing {
    /// Values are written in the clear, and a session whose values are sealed is of a
    /// [newer format](crate::SessionError::NewerFormat), which nothing overwrites. The default.
    #[default]
    Off,
    /// Both forms are read, and values are written in the clear. A session that is sealed is written in the
    /// clear at its next change.
    Read,
    /// Both forms are read, and values are written sealed. A session in the clear is sealed at its next change.
    Write,
    /// Values are written sealed, and a session whose values are in the clear is
    /// [damaged](crate::SessionError::Corrupt). Otherwise whoever can write to the store could put a session of
    /// their own making in the place of a sealed one.
    Only,
}

impl Sealing {
    pub(super) fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Only)
    }
}
