//! The database's file: its path, its permissions, and whether it is still the one that was opened.

use std::error::Error;
use std::fs::{self, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{During, SqliteError};
use crate::entropy;
use crate::error::{StoreError, StoreErrorKind};
use crate::hex::Hex;
use crate::store::mount::Mount;

/// The permission of all users to write.
const WRITABLE_BY_ALL: u32 = 0o002;

/// The path of the database: absolute, without links.
#[derive(Clone, Debug)]
pub(super) struct Place(Arc<Path>);

/// The number that the file system has given to a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

/// The database that gave an error. The error itself is the source.
#[derive(Debug, thiserror::Error)]
#[error("the SQLite database {}", path.display())]
struct InDatabase {
    path: PathBuf,
    source: Box<dyn Error + Send + Sync>,
}

impl Place {
    /// Finds the file, or makes an empty one that only its owner can read and write.
    pub(super) fn prepare(path: &Path) -> Result<Self, SqliteError> {
        let place = Self(resolve(path)?.into());
        let folder = place.0.parent().unwrap_or(&place.0);
        check_folder(&fs::metadata(folder).during("look at its folder")?)?;
        match fs::symlink_metadata(&place.0) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(folder, &place.0)?,
            Err(error) => return Err(error).during("look at it"),
        }
        let file = fs::symlink_metadata(&place.0).during("look at it")?;
        if !file.is_file() {
            return Err(SqliteError::Unusable("it is not a file"));
        }
        if file.mode() & WRITABLE_BY_ALL != 0 {
            return Err(SqliteError::Unusable(
                "all users may write to it, and so could make sessions; take that away with `chmod o-w`",
            ));
        }
        Ok(place)
    }

    /// Names a place that could not be prepared, for its error.
    pub(super) fn unprepared(path: &Path) -> Self {
        Self(path.into())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the length of the log beside the database, in bytes.
    pub(super) fn log_bytes(&self) -> u64 {
        let mut log = self.0.as_os_str().to_owned();
        log.push("-wal");
        fs::metadata(log).map_or(0, |log| log.len())
    }

    /// Returns the number of the file that has the path now.
    pub(super) fn file_id(&self) -> Result<FileId, SqliteError> {
        let file = fs::symlink_metadata(&self.0).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => SqliteError::Missing,
            _ => SqliteError::Io { action: "look at it", source: error },
        })?;
        match file.is_file() {
            true => Ok(FileId { device: file.dev(), inode: file.ino() }),
            false => Err(SqliteError::Unusable("it is not a file any more")),
        }
    }

    /// Returns whether the path still leads to this file. In a log (WAL) SQLite does not look, and would
    /// commit to a file that nobody can open any more.
    pub(super) fn is_still(&self, file: FileId) -> bool {
        self.file_id().is_ok_and(|now| now == file)
    }

    /// Returns the error of a command that changed nothing, or may have changed something if the error
    /// itself says so.
    pub(super) fn error(&self, error: SqliteError) -> StoreError {
        let kind = error.kind();
        self.error_of_kind(kind, error)
    }

    /// Returns the error of a command whose COMMIT failed without proving anything.
    pub(super) fn doubt(&self, error: SqliteError) -> StoreError {
        self.error_of_kind(StoreErrorKind::Indeterminate, error)
    }

    fn error_of_kind(&self, kind: StoreErrorKind, error: SqliteError) -> StoreError {
        StoreError::new(kind, InDatabase { path: self.0.to_path_buf(), source: error.into() })
    }
}

/// Returns the path without links, so that the file, its log and its folder are looked for where they are.
fn resolve(path: &Path) -> Result<PathBuf, SqliteError> {
    match fs::canonicalize(path) {
        Ok(real) => return Ok(real),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).during("look at it"),
    }
    // A file that is there now was made by another process meanwhile.
    if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
        return Err(SqliteError::Unusable("it is a link that leads nowhere"));
    }
    let Some(name) = path.file_name() else {
        return Err(SqliteError::Unusable("its path names no file"));
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")));
    let folder = folder.map_err(|error| match error.kind() {
        // Creating it would put the sessions on the wrong disk when a mount is missing.
        io::ErrorKind::NotFound => SqliteError::Unusable(
            "its folder does not exist. Is the disk mounted? The store does not create the folder",
        ),
        _ => SqliteError::Io { action: "look at its folder", source: error },
    })?;
    Ok(folder.join(name))
}

fn check_folder(folder: &Metadata) -> Result<(), SqliteError> {
    if !folder.is_dir() {
        return Err(SqliteError::Unusable("its folder is not a folder"));
    }
    // Others could put a log beside the database, which SQLite would read.
    if folder.mode() & WRITABLE_BY_ALL != 0 {
        return Err(SqliteError::Unusable(
            "all users may write to its folder; put it into a folder of its own",
        ));
    }
    match Mount::find(folder.dev()) {
        Some(mount) if mount.is_network() => Err(SqliteError::OnNetwork(mount.kind().to_owned())),
        _ => Ok(()),
    }
}

/// Makes an empty file with the permissions that SQLite then gives to the log too.
///
/// It is made under another name and closed before it gets its own. Closing a file drops all the locks
/// that this process has on it, also those of another connection that has opened it meanwhile.
fn make(folder: &Path, path: &Path) -> Result<(), SqliteError> {
    let mut random = [0; 8];
    entropy::operating_system(&mut random)
        .map_err(io::Error::other)
        .during("draw the name of a temporary file")?;
    let staged = folder.join(format!(".{}.cloakroom-new", Hex(&random)));
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&staged);
    drop(made.during("create it")?);
    let linked = match fs::hard_link(&staged, path) {
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    };
    let removed = fs::remove_file(&staged);
    linked.and(removed).during("create it")?;
    // Without this a power cut could remove the name of the file, and with it every commit since.
    fs::File::open(folder).and_then(|folder| folder.sync_all()).during("synchronise its folder")
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::{fs, thread};

    use super::Place;

    #[test]
    fn all_who_make_the_file_at_once_find_it() {
        let root = std::env::temp_dir().join(format!("cloakroom-place-{}", std::process::id()));
        fs::create_dir(&root).unwrap();
        for round in 0..500 {
            let path = root.join(format!("{round}.db"));
            let start = Barrier::new(4);
            thread::scope(|threads| {
                for _ in 0..4 {
                    threads.spawn(|| {
                        start.wait();
                        Place::prepare(&path)
                            .map_err(|error| format!("round {round}: {error}"))
                            .unwrap();
                    });
                }
            });
        }
        fs::remove_dir_all(root).unwrap();
    }
}
