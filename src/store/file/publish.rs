//! Writing: into a file beside, and then into place.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::error::{During, FileError, is_absent};
use super::files::Files;
use super::format;
use super::options::Durability;
use crate::entropy;
use crate::error::StoreError;
use crate::id::{CommitId, StoreKey};
use crate::store::NewEntry;

impl Files {
    /// Puts a session where none is; `false` when there is a file already, live or not. Needs no
    /// lock: a link is made only where nothing is.
    pub(super) fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<bool, StoreError> {
        let commit = entry.commit.as_bytes();
        let staged = self.layout.staged(key, commit);
        let bytes = format::encode(key, commit, entry.deadline, &entry.bytes);
        self.stage(&staged, &bytes).map_err(FileError::unavailable)?;
        let target = self.layout.session(key);
        let linked = match fs::hard_link(&staged, &target) {
            Ok(()) => true,
            // A LINK that was sent again after the server restarted meets what it has made itself.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                is_same(&staged, &target).during("look at a session").map_err(FileError::unknown)?
            }
            Err(error) => return Err(error).during("link a session").map_err(FileError::unknown),
        };
        // If it stays, the sweeper removes it.
        let _ = fs::remove_file(&staged);
        if linked {
            self.settle(&self.layout.shard_of(key)).map_err(FileError::unknown)?;
        }
        Ok(linked)
    }

    /// Writes a file that nobody looks at yet, under a name that nobody else uses. Closed at the end:
    /// an NFS client that removes or replaces an open file first moves it away.
    pub(super) fn stage(&self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        let file = match create_new(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                remove(path).during("remove a staged file")?;
                create_new(path)
            }
            created => created,
        };
        let mut file = file.during("stage a session")?;
        let written = file.write_all(bytes).and_then(|()| match self.durability {
            Durability::None => Ok(()),
            Durability::File | Durability::Folder => file.sync_all(),
        });
        drop(file);
        if written.is_err() {
            // What does not fit onto the disk should not stay there.
            let _ = fs::remove_file(path);
        }
        written.during("write a session")
    }

    /// Makes the last change of this folder durable, if that is wanted.
    pub(super) fn settle(&self, folder: &Path) -> Result<(), FileError> {
        match self.durability {
            Durability::None | Durability::File => Ok(()),
            Durability::Folder => {
                File::open(folder).and_then(|folder| folder.sync_all()).during("sync a folder")
            }
        }
    }
}

fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// For names that nobody else uses.
pub(super) fn random() -> Result<CommitId, FileError> {
    let drawn = CommitId::draw(entropy::operating_system).map_err(io::Error::other);
    drawn.during("draw a name")
}

/// Its absence is success.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if is_absent(&error) => Ok(()),
        removed => removed,
    }
}

fn is_same(staged: &Path, target: &Path) -> io::Result<bool> {
    let ours = fs::symlink_metadata(staged)?;
    match fs::symlink_metadata(target) {
        Ok(there) => Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino())),
        // Removed since.
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(error),
    }
}
