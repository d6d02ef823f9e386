//! Staged files: written under a name that nobody reads, to be renamed or linked into place.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::error::{During, FileError, is_absent};
use super::open::open_folder;
use super::options::Durability;
use crate::entropy;
use crate::id::CommitId;

/// Writes a file under a name that nobody else uses, and closes it.
///
/// It is closed before it is published, because an NFS client that is told to remove or replace a file
/// which it has open moves that file out of the way first.
pub(super) fn write_staged_file(
    path: &Path,
    bytes: &[u8],
    durability: Durability,
) -> Result<(), FileError> {
    let file = match create_new(path) {
        // The name is ours alone, so this is a leftover: of a command that died, or of a CREATE that
        // the NFS client repeated after the server restarted.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            remove_if_present(path).during("remove a staged file")?;
            create_new(path)
        }
        created => created,
    };
    let written = fill(file.during("stage a session")?, bytes, durability);
    if written.is_err() {
        // On a full disk the part that was written would take the space of other sessions.
        let _ = fs::remove_file(path);
    }
    written.during("write a session")
}

/// Writes and closes a new file.
pub(super) fn fill(mut file: File, bytes: &[u8], durability: Durability) -> io::Result<()> {
    file.write_all(bytes)?;
    match durability {
        Durability::None => Ok(()),
        Durability::File | Durability::Folder | Durability::Full => file.sync_all(),
    }
}

/// Makes the last change of a folder durable, if the option asks for it.
pub(super) fn sync_folder(path: &Path, durability: Durability) -> Result<(), FileError> {
    match durability {
        Durability::None | Durability::File => Ok(()),
        Durability::Folder | Durability::Full => {
            open_folder(path).and_then(|folder| folder.sync_all()).during("synchronise a folder")
        }
    }
}

/// Creates a file where none is.
pub(super) fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Draws random bytes for a name that nobody else uses. A process id or a counter would repeat on
/// another host.
pub(super) fn draw_tag() -> Result<CommitId, FileError> {
    let drawn = CommitId::draw(entropy::operating_system).map_err(io::Error::other);
    drawn.during("draw random bytes for a file's name")
}

/// Removes a file. A file that is missing is success.
pub(super) fn remove_if_present(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if is_absent(&error) => Ok(()),
        removed => removed,
    }
}
