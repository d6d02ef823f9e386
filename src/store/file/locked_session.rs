//! Reading and changing a session under its lock.
//!
//! A change is published by a rename, so a reader finds the old file or the new one, never a part.
//! Writing into the file in place would be fewer requests, and would leave torn sessions behind
//! processes that die.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::error::{CommandError, During, FileError, is_absent, was_removed};
use super::folder::Folder;
use super::format::{self, Damage};
use super::lock_queue::LockGuard;
use super::owner::Exposure;
use super::session_file::SessionFile;
use super::staged_file::{create_new, draw_tag, fill, remove_if_present};
use crate::clock::Timestamp;
use crate::id::StoreKey;
use crate::store::{Entry, NewEntry, Version};

/// How often a file that turns out to be removed is opened again. Only the holder of the lock removes
/// it, and that is this command, so the second attempt is as a rule the last.
const READ_ATTEMPTS: u32 = 8;
/// The pause after the first attempt; each is twice as long as the one before. A session that another host has just
/// created has two names until that host has removed one, and an NFS client may show the old number for a moment
/// longer, and on a busy machine for more than two hundred milliseconds. Together the pauses are two and a half
/// seconds, which only a file costs that somebody has linked to, and that is refused then.
const READ_PAUSE: Duration = Duration::from_millis(20);

/// A session whose lock is held.
pub(super) struct LockedSession<'a> {
    folder: &'a Folder,
    key: StoreKey,
    lock: &'a LockGuard,
}

/// A session's entry and the number of names (hard links) that its file has.
pub(super) type Linked = (Entry, u64);

impl<'a> LockedSession<'a> {
    pub(super) fn new(folder: &'a Folder, key: StoreKey, lock: &'a LockGuard) -> Self {
        Self { folder, key, lock }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.folder.clock.now()
    }

    /// Reads the session, live or not.
    pub(super) fn entry(&self) -> Result<Option<Linked>, CommandError> {
        match self.read()? {
            None => Ok(None),
            Some(found) if !self.has_our_names_only(&found)? => {
                Err(FileError::damaged(&self.key, Damage::Exposed(Exposure::Link)))
            }
            Some(SessionFile { content: Ok(entry), links, .. }) => Ok(Some((entry, links))),
            Some(SessionFile { content: Err(damage), .. }) => {
                Err(FileError::damaged(&self.key, damage))
            }
        }
    }

    /// Reads the session, and returns it if it is live.
    pub(super) fn live(&self) -> Result<Option<Linked>, CommandError> {
        let entry = self.entry()?;
        // After the read and not before: on a slow mount the session may expire meanwhile.
        let now = self.now();
        Ok(entry.filter(|(entry, _)| entry.deadline > now))
    }

    /// Reads what has the session's name on the server now, and completes a write that was
    /// interrupted.
    fn read(&self) -> Result<Option<SessionFile>, CommandError> {
        self.folder.revalidate_shard(&self.key).map_err(FileError::not_applied)?;
        if let Some(found) = self.read_by_name().map_err(FileError::not_applied)? {
            return Ok(Some(found));
        }
        if !self.complete_interrupted_write()? {
            return Ok(None);
        }
        self.read_by_name().map_err(FileError::not_applied)
    }

    fn read_by_name(&self) -> Result<Option<SessionFile>, FileError> {
        let path = self.folder.layout.session_path(&self.key);
        for attempt in 1..=READ_ATTEMPTS {
            match self.folder.read_session(&self.key, &path) {
                // A second name can be that of a `create` which is just removing it. Opening the file
                // again brings its number of names up to date.
                Ok(found)
                    if found.links > 0
                        && (attempt == READ_ATTEMPTS
                            || self.folder.has_our_names_only(&self.key, &found)?) =>
                {
                    return Ok(Some(found));
                }
                Err(error) if is_absent(&error) => return Ok(None),
                Err(error) if !was_removed(&error) => return Err(error).during("read a session"),
                _ if attempt == READ_ATTEMPTS => {}
                _ => {
                    thread::sleep(READ_PAUSE * 2_u32.pow(attempt - 1));
                    self.folder.revalidate_shard(&self.key)?;
                }
            }
        }
        Err(FileError::Unsettled)
    }

    fn has_our_names_only(&self, found: &SessionFile) -> Result<bool, CommandError> {
        self.folder.has_our_names_only(&self.key, found).map_err(FileError::not_applied)
    }

    /// Publishes the successor of a session that is missing; returns whether there was one.
    ///
    /// A missing session with a whole successor means that the writer was killed after its NFS client
    /// had moved the old file away (as it does with one that is open) and before it moved the new one
    /// in. It cannot mean a deleted session, because a delete removes the successor first.
    fn complete_interrupted_write(&self) -> Result<bool, CommandError> {
        let successor = self.folder.layout.successor_path(&self.key);
        match self.folder.read_session(&self.key, &successor) {
            Ok(SessionFile { content: Ok(_), .. }) => {
                self.check_lock().map_err(FileError::not_applied)?;
                let session = self.folder.layout.session_path(&self.key);
                let completed = fs::rename(&successor, session);
                completed
                    .during("complete an interrupted write")
                    .map_err(FileError::maybe_applied)?;
                Ok(true)
            }
            // A newer release was interrupted, and only a newer one can complete it. The session is
            // not missing.
            Ok(SessionFile { content: Err(newer @ Damage::Newer(_)), .. }) => {
                Err(FileError::damaged(&self.key, newer))
            }
            Ok(_) => Ok(false),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => {
                Err(error).during("look for an interrupted write").map_err(FileError::not_applied)
            }
        }
    }

    /// Creates the session as [`Folder::create`] does.
    pub(super) fn create(&self, entry: &NewEntry) -> Result<bool, CommandError> {
        self.folder.create(&self.key, entry)
    }

    /// Replaces the session that [`LockedSession::entry`] has returned.
    pub(super) fn replace(
        &self,
        (found, links): &Linked,
        version: &[u8; 8],
        deadline: Timestamp,
        bytes: &[u8],
    ) -> Result<(), CommandError> {
        let live_until = Some(found.deadline).filter(|deadline| *deadline > self.now());
        let file = format::encode(&self.key, version, deadline, bytes);
        self.stage(&file).map_err(FileError::not_applied)?;
        let prepared = self.remove_second_link(&found.version, *links);
        let _guard = self.folder.lock_for_rename(&self.key);
        let prepared = prepared.and_then(|()| self.make_successor(live_until));
        prepared.map_err(FileError::not_applied)?;
        self.publish().map_err(FileError::maybe_applied)
    }

    /// Writes the session's staged file.
    ///
    /// Its name is the same for every writer, and checks of the lock stand between the steps: see
    /// [`make_successor`](Self::make_successor).
    fn stage(&self, bytes: &[u8]) -> Result<(), FileError> {
        let path = self.folder.layout.staged_path(&self.key);
        let mut created = create_new(&path);
        if matches!(&created, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
            // Left by a writer that died or was cut off, or by a CREATE that the NFS client repeated.
            self.check_lock()?;
            remove_if_present(&path).during("remove a staged file")?;
            self.check_lock()?;
            created = create_new(&path);
        }
        let file = created.during("stage a session")?;
        // A CREATE that was carried out late has made the file where another has the lock by now.
        self.check_lock()?;
        let written = fill(file, bytes, self.folder.file_system.durability);
        if written.is_err() {
            // On a full disk the part that was written would take the space of other sessions.
            self.discard(&path);
        }
        written.during("write a session")
    }

    /// Renames the staged file to the successor's name.
    ///
    /// Renaming it to the session's name at once would be one request less. But a successor is whole,
    /// and all know its name: if this process is killed half-way through the publishing rename, the
    /// next command finds the session there; and if this host is cut off half-way, the next writer
    /// takes the file away, so that the last request of this host, arriving late, has nothing to
    /// publish. Staging under the successor's name at once would let such a request publish half of
    /// another's file.
    ///
    /// This rename is fenced in the same way. A host that was cut off for longer than the server's
    /// lease may have it carried out late; but every writer stages under this one name, and a delete
    /// removes it, so there is nothing left to rename. If the late rename comes while the next writer
    /// has a file there, that writer finds it gone, and fails without having changed anything. A name
    /// of the writer's own would leave its file in place: late between the two last renames of another
    /// write it would be published instead of that one's, and after a delete it would pass for an
    /// interrupted write and bring the session back.
    ///
    /// A host has one such request under way for each write, because each waits for the answer of the
    /// one before it and checks the lock again.
    fn make_successor(&self, live_until: Option<Timestamp>) -> Result<(), FileError> {
        let layout = &self.folder.layout;
        let (staged, successor) = (layout.staged_path(&self.key), layout.successor_path(&self.key));
        if let Err(error) = self.check_may_replace(live_until) {
            self.discard(&staged);
            return Err(error);
        }
        let renamed = fs::rename(&staged, &successor).during("make a file a session's successor");
        // The rename may have taken long, too. And if it failed, the server may have carried it out
        // all the same. The write counts as not applied then, so its file must not lie about.
        renamed.and_then(|()| self.check_may_replace(live_until)).inspect_err(|_| {
            self.discard(&staged);
            self.discard(&successor);
        })
    }

    /// Renames the successor to the session's name.
    fn publish(&self) -> Result<(), FileError> {
        let layout = &self.folder.layout;
        fs::rename(layout.successor_path(&self.key), layout.session_path(&self.key))
            .during("publish a session")?;
        self.folder.sync_folder(&layout.shard_path_for(&self.key))
    }

    /// Removes a file of a write that failed, if the lock still holds. Without it, the file under this
    /// name may be another's by now. Left where it is, it does no harm: nobody reads it while the
    /// session is there, and whoever replaces or removes the session takes it away first.
    fn discard(&self, path: &Path) {
        if self.check_lock().is_ok() {
            let _ = fs::remove_file(path);
        }
    }

    /// Removes the session, readable or not. One of a newer format stays, and is an error.
    pub(super) fn remove(&self) -> Result<(), CommandError> {
        let found = self.read()?;
        if let Some(SessionFile { content: Err(newer @ Damage::Newer(_)), .. }) = found {
            return Err(FileError::damaged(&self.key, newer));
        }
        self.remove_unpublished().map_err(FileError::maybe_applied)?;
        let Some(found) = found else { return Ok(()) };
        if let Ok(entry) = &found.content {
            let removed = self.remove_second_link(&entry.version, found.links);
            removed.map_err(FileError::not_applied)?;
        }
        let layout = &self.folder.layout;
        let _guard = self.folder.lock_for_rename(&self.key);
        self.check_lock().map_err(FileError::not_applied)?;
        remove_if_present(&layout.session_path(&self.key))
            .during("remove a session")
            .and_then(|()| self.folder.sync_folder(&layout.shard_path_for(&self.key)))
            .map_err(FileError::maybe_applied)
    }

    /// Removes what a write has not published yet, before its session is removed or moved away.
    ///
    /// The successor would make the missing session look like an interrupted write. The staged file
    /// would become the successor, if a host that was cut off has its rename carried out late.
    fn remove_unpublished(&self) -> Result<(), FileError> {
        let layout = &self.folder.layout;
        for path in [layout.staged_path(&self.key), layout.successor_path(&self.key)] {
            self.check_lock()?;
            remove_if_present(&path).during("remove what was not published of a session")?;
        }
        Ok(())
    }

    /// Checks that the lock has not been held for too long. Called last, when nothing is left to wait
    /// for but the change itself.
    fn check_lock(&self) -> Result<(), FileError> {
        self.lock.held_too_long().map_or(Ok(()), |held| Err(FileError::LockHeldTooLong(held)))
    }

    /// Checks that a change may still be published: the lock holds, and a session that was live when
    /// it was read has not expired. Once it has, others may have answered that there is none.
    fn check_may_replace(&self, live_until: Option<Timestamp>) -> Result<(), FileError> {
        self.check_lock()?;
        match live_until {
            Some(deadline) if deadline <= self.now() => Err(FileError::Expired),
            _ => Ok(()),
        }
    }

    /// Removes the second name that a killed `create` has left to the session's file. While the file
    /// has a name, an NFS client that knows it by its handle may take it for the current session.
    fn remove_second_link(&self, version: &Version, links: u64) -> Result<(), FileError> {
        if links < 2 {
            return Ok(());
        }
        let staged = self.folder.layout.new_session_path(&self.key, version.as_bytes());
        remove_if_present(&staged).during("remove a staged file")
    }

    /// Removes the session if it expired more than `grace` ago, and sets it aside if it is damaged.
    /// Files of a newer release stay.
    pub(super) fn sweep(&self, grace: Duration) -> Result<SweepOutcome, CommandError> {
        let now = self.now().saturating_sub(grace);
        match self.read()? {
            Some(SessionFile { content: Ok(entry), .. }) if entry.deadline <= now => {
                self.remove().map(|()| SweepOutcome::Removed)
            }
            Some(SessionFile { content: Err(Damage::Newer(_)) | Ok(_), .. }) | None => {
                Ok(SweepOutcome::Kept)
            }
            Some(SessionFile { content: Err(damage), .. }) => {
                self.set_aside().map_err(FileError::maybe_applied)?;
                tracing::warn!(session = %self.key, %damage, "unreadable session set aside");
                Ok(SweepOutcome::SetAside)
            }
        }
    }

    /// Moves the session to `damaged/`. Removing it would destroy what may help to find the cause.
    fn set_aside(&self) -> Result<(), FileError> {
        let target = self.folder.layout.damaged_path(&self.key, self.now(), &draw_tag()?);
        self.remove_unpublished()?;
        let _guard = self.folder.lock_for_rename(&self.key);
        self.check_lock()?;
        let session = self.folder.layout.session_path(&self.key);
        fs::rename(session, target).during("set a damaged session aside")
    }

    /// Removes a staged file or a successor that a killed process has left.
    ///
    /// Reads the session first, which completes an interrupted write: the file may be the session that
    /// only has to be renamed into place.
    pub(super) fn remove_abandoned(&self, path: &Path) -> Result<(), CommandError> {
        self.read()?;
        let removed = self
            .check_lock()
            .and_then(|()| remove_if_present(path).during("remove an abandoned file"));
        removed.map_err(FileError::not_applied)
    }
}

/// The result of sweeping one session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SweepOutcome {
    Kept,
    Removed,
    SetAside,
}

#[cfg(test)]
mod tests;
