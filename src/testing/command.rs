//! The commands of a store, to say which of them meets a fault.

/// A command of a store: one for each method of [`SessionStore`](crate::store::SessionStore).
///
/// ```
/// use cloakroom::testing::{Commands, StoreCommand};
///
/// assert_eq!(Commands::from(StoreCommand::Load), Commands::Only(StoreCommand::Load));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum StoreCommand {
    /// Reads a session. It is what a request that only reads costs.
    Load,
    /// Writes a session under a new id: a visitor's first write, and each login.
    Create,
    /// Writes a session that exists, or the mark of one that a logout or a login ends.
    Replace,
    /// Moves the deadline of a session that was used.
    Touch,
    /// Removes an entry.
    Delete,
}

/// The commands that a fault is for: those of one kind, or all.
///
/// Methods take `impl Into<Commands>`, so a [`StoreCommand`] alone will do.
///
/// ```
/// use cloakroom::store::{MemoryStore, StoreErrorKind};
/// use cloakroom::testing::{Commands, Fault, FaultyStore, StoreCommand};
///
/// let store = FaultyStore::new(MemoryStore::new());
/// store.next(StoreCommand::Load, Fault::Hang); // the next load
/// store.next(Commands::All, Fault::Hang); // the next command, whatever it is
/// assert!(!store.is_spent());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Commands {
    /// Every command.
    All,
    /// The commands of this kind.
    Only(StoreCommand),
}

impl Commands {
    pub(super) fn include(self, command: StoreCommand) -> bool {
        match self {
            Self::All => true,
            Self::Only(kind) => kind == command,
        }
    }
}

impl From<StoreCommand> for Commands {
    fn from(command: StoreCommand) -> Self {
        Self::Only(command)
    }
}
