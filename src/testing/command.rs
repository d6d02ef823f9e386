//! The commands of a store, to say which of them meets a fault.

use crate::events::CommandKind;

/// The commands that a fault is for: those of one kind, or all.
///
/// Methods take `impl Into<Commands>`, so a [`CommandKind`] alone will do.
///
/// ```
/// use cloakroom::store::{MemoryStore, StoreErrorKind};
/// use cloakroom::testing::{Commands, Fault, FaultyStore, CommandKind};
///
/// let store = FaultyStore::new(MemoryStore::new());
/// store.next(CommandKind::Load, Fault::Hang); // the next load
/// store.next(Commands::All, Fault::Hang); // the next command, whatever it is
/// assert!(!store.is_spent());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Commands {
    /// Every command.
    All,
    /// The commands of this kind.
    Only(CommandKind),
}

impl Commands {
    pub(super) fn include(self, command: CommandKind) -> bool {
        match self {
            Self::All => true,
            Self::Only(kind) => kind == command,
        }
    }
}

impl From<CommandKind> for Commands {
    fn from(command: CommandKind) -> Self {
        Self::Only(command)
    }
}
