//! Whose files and folders the store accepts: those of one user, which nobody else may write to.
//!
//! Whoever can put a file into the folder can make a session, with any principal in it. So each
//! session's file is looked at when it is read, and the folders when the store is opened.
//!
//! The user is the owner of a file that the store has made itself. Comparing with the process's own
//! user would refuse folders on NFS and EFS, where the server decides whom new files belong to.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// The permission of the group and of all others to write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The user that owns the store's files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Owner(u32);

/// The way in which other users could have changed a file or a folder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Exposure {
    OtherUser,
    Writable,
    /// A link in place of a folder, or a file with a name that the store has not given it.
    Link,
}

impl Owner {
    /// Returns the owner of a file that the store has just made.
    pub(super) fn of(made: &Metadata) -> Self {
        Self(made.uid())
    }

    /// Checks a file or folder. Access lists need no look: where one lets others write, the group's
    /// permission shows it.
    pub(super) fn check(self, found: &Metadata) -> Result<(), Exposure> {
        if found.uid() != self.0 {
            return Err(Exposure::OtherUser);
        }
        match found.mode() & WRITABLE_BY_OTHERS {
            0 => Ok(()),
            _ => Err(Exposure::Writable),
        }
    }

    #[cfg(test)]
    pub(super) fn other(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Exposure {
    /// Returns what an administrator can do about it, for a folder of the store.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::OtherUser => "all servers have to run as one user, who owns the whole folder",
            Self::Writable => "take the permission away with `chmod -R go-w`",
            Self::Link => "move what it leads to here",
        }
    }
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherUser => "another user owns it",
            Self::Writable => "other users may write to it",
            Self::Link => "it is a link or has been linked to",
        })
    }
}
