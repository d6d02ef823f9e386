//! The folder of a store, as the worker threads use it: everything that needs no session's lock.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, RwLockReadGuard, RwLockWriteGuard};

use super::error::{CommandError, During, FileError, is_absent, was_removed};
use super::file_id::FileId;
use super::format;
use super::layout::Layout;
use super::open::open_folder;
use super::options::{Durability, Options};
use super::owner::Owner;
use super::process_locks::ProcessLocks;
use super::session_file::{SessionFile, read_session};
use super::staged_file::{sync_folder, write_staged_file};
use crate::clock::Clock;
use crate::id::StoreKey;
use crate::store::{Entry, NewEntry};

/// An open folder. All clones of a store share one.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) layout: Layout,
    pub(super) clock: Clock,
    pub(super) locks: Arc<ProcessLocks>,
    pub(super) file_system: FileSystem,
}

/// The facts about a folder's file system that were found out when the store was opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileSystem {
    pub(super) owner: Owner,
    /// Never [`Durability::Full`], but what that means here.
    pub(super) durability: Durability,
    /// Whether a load first makes the NFS client ask if the shard has changed.
    pub(super) revalidates: bool,
}

/// The result of reading a session without its lock.
pub(super) enum UnlockedRead {
    /// A whole session.
    Found(Entry),
    /// Nothing, a damaged file, or a file that was removed meanwhile. An NFS client may go on
    /// believing each of these for a minute after another host has written, so the session has to be
    /// read again under its lock.
    Uncertain,
}

impl Folder {
    pub(super) fn new(
        options: &Options,
        locks: Arc<ProcessLocks>,
        file_system: FileSystem,
    ) -> Self {
        Self {
            layout: Layout::new(options.root.clone()),
            clock: options.clock.clone(),
            locks,
            file_system,
        }
    }

    /// Reads a session without its lock. Never concludes that it is missing.
    pub(super) fn read_unlocked(&self, key: &StoreKey) -> Result<UnlockedRead, FileError> {
        if self.file_system.revalidates {
            self.revalidate_shard(key)?;
        }
        let _guard = self.lock_against_rename(key);
        match self.read_session(key, &self.layout.session_path(key)) {
            Ok(found) if found.links == 0 || !self.has_our_names_only(key, &found)? => {
                Ok(UnlockedRead::Uncertain)
            }
            Ok(SessionFile { content: Ok(entry), .. }) => Ok(UnlockedRead::Found(entry)),
            Ok(_) => Ok(UnlockedRead::Uncertain),
            Err(error) if is_absent(&error) || was_removed(&error) => Ok(UnlockedRead::Uncertain),
            Err(error) => Err(error).during("read a session"),
        }
    }

    /// See [`read_session`].
    pub(super) fn read_session(&self, key: &StoreKey, path: &Path) -> io::Result<SessionFile> {
        read_session(key, path, self.file_system.owner)
    }

    /// Returns whether the session's file has no name that the store has not given it.
    ///
    /// A second name is right while [`create`](Self::create) is at work, or after it was killed: the
    /// staged file's. Whoever gives the file another one (a hard link) can keep a session that was
    /// replaced, or put it under another name. A file with one name costs no system call here.
    pub(super) fn has_our_names_only(
        &self,
        key: &StoreKey,
        found: &SessionFile,
    ) -> Result<bool, FileError> {
        match (found.links, &found.content, found.id) {
            (0 | 1, ..) | (_, Err(_), _) => Ok(true),
            (2, Ok(entry), Some(id)) => {
                let staged = self.layout.new_session_path(key, entry.version.as_bytes());
                is_named(&staged, id).during("look at a staged file")
            }
            _ => Ok(false),
        }
    }

    /// Makes an NFS client ask the server whether the shard has changed; if it has, the client forgets
    /// which names it had cached as taken and as free.
    ///
    /// Opening a folder does that (close-to-open consistency). It also tells a missing session from a
    /// missing folder, which `stat` of the session would not.
    pub(super) fn revalidate_shard(&self, key: &StoreKey) -> Result<(), FileError> {
        open_folder(&self.layout.shard_path_for(key)).map(drop).during("open a session's folder")
    }

    /// Prevents this process from replacing or removing the session's file while the guard lives.
    ///
    /// An NFS client that is told to rename over a file which it has open itself first moves that file
    /// out of the way, to `.nfs…`. Between the two renames no session has the name, and a process that
    /// is killed there leaves it so.
    pub(super) fn lock_against_rename(&self, key: &StoreKey) -> RwLockReadGuard<'_, ()> {
        self.locks.renames.read(key)
    }

    /// Waits until no reader of this process has the session's file open.
    pub(super) fn lock_for_rename(&self, key: &StoreKey) -> RwLockWriteGuard<'_, ()> {
        self.locks.renames.write(key)
    }

    /// Creates a session where none is; returns `false` when there is a file already, live or not.
    ///
    /// Needs no lock, because the file system makes a hard link only where nothing has the name. A
    /// rename would overwrite, and `O_EXCL` would show readers a file that is not written yet.
    pub(super) fn create(&self, key: &StoreKey, entry: &NewEntry) -> Result<bool, CommandError> {
        let commit = entry.commit.as_bytes();
        let staged = self.layout.new_session_path(key, commit);
        let bytes = format::encode(key, commit, entry.deadline, &entry.bytes);
        self.write_staged_file(&staged, &bytes).map_err(FileError::not_applied)?;
        let session = self.layout.session_path(key);
        let linked = match fs::hard_link(&staged, &session) {
            Ok(()) => true,
            // A LINK that the client repeated after the server restarted meets the link that it has
            // made itself.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let same = are_same_file(&staged, &session).during("look at a session");
                same.map_err(FileError::maybe_applied)?
            }
            Err(error) => {
                return Err(error).during("link a session").map_err(FileError::maybe_applied);
            }
        };
        // If this fails, the sweeper removes the file after an hour.
        let _ = fs::remove_file(&staged);
        if linked {
            let synced = self.sync_folder(&self.layout.shard_path_for(key));
            synced.map_err(FileError::maybe_applied)?;
        }
        Ok(linked)
    }

    /// See [`write_staged_file`].
    pub(super) fn write_staged_file(&self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        write_staged_file(path, bytes, self.file_system.durability)
    }

    /// See [`sync_folder`].
    pub(super) fn sync_folder(&self, path: &Path) -> Result<(), FileError> {
        sync_folder(path, self.file_system.durability)
    }
}

/// Returns whether both paths name one file. A session that is missing by now counts as another.
fn are_same_file(staged: &Path, session: &Path) -> io::Result<bool> {
    is_named(session, FileId::from_metadata(&fs::symlink_metadata(staged)?))
}

/// Returns whether the file has this name.
fn is_named(path: &Path, id: FileId) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(FileId::from_metadata(&found) == id),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(error),
    }
}
