//! Reading and changing a session under its lock.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::error::{During, FileError, damaged, is_absent, is_gone};
use super::files::{Files, Found, read};
use super::format::{self, Damage};
use super::lock::Held;
use super::publish::{random, remove};
use crate::clock::Timestamp;
use crate::error::StoreError;
use crate::id::StoreKey;
use crate::store::{Entry, NewEntry, Version};

/// How often a file that turns out to be removed is looked for again. Only who holds the lock removes
/// it, so the second look is as a rule the last.
const LOOKS: usize = 3;

/// A session whose lock is held.
pub(super) struct Locked<'a> {
    files: &'a Files,
    key: StoreKey,
    held: &'a Held,
}

impl<'a> Locked<'a> {
    pub(super) fn new(files: &'a Files, key: StoreKey, held: &'a Held) -> Self {
        Self { files, key, held }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.files.clock.now()
    }

    /// The session, live or not.
    pub(super) fn entry(&self) -> Result<Option<(Entry, u64)>, StoreError> {
        match self.find()? {
            None => Ok(None),
            Some(Found { content: Ok(entry), links }) => Ok(Some((entry, links))),
            Some(Found { content: Err(damage), .. }) => Err(damaged(&self.key, damage)),
        }
    }

    /// The session, if it is live.
    pub(super) fn live(&self) -> Result<Option<(Entry, u64)>, StoreError> {
        let entry = self.entry()?;
        // Looked at last: to read may take long on a slow mount.
        let now = self.now();
        Ok(entry.filter(|(entry, _)| entry.deadline > now))
    }

    /// What is under the session's name on the server, now.
    pub(super) fn find(&self) -> Result<Option<Found>, StoreError> {
        self.files.refresh(&self.key).map_err(FileError::unavailable)?;
        if let Some(found) = self.look().map_err(FileError::unavailable)? {
            return Ok(Some(found));
        }
        if !self.finish_interrupted().map_err(FileError::unknown)? {
            return Ok(None);
        }
        self.look().map_err(FileError::unavailable)
    }

    fn look(&self) -> Result<Option<Found>, FileError> {
        let path = self.files.layout.session(&self.key);
        for _ in 0..LOOKS {
            match read(&self.key, &path) {
                Ok(found) if found.links > 0 => return Ok(Some(found)),
                Err(error) if is_absent(&error) => return Ok(None),
                Err(error) if !is_gone(&error) => return Err(error).during("read a session"),
                _ => self.files.refresh(&self.key)?,
            }
        }
        Err(FileError::Unsettled)
    }

    /// A session that is missing while its successor lies ready, whole: whoever replaced it was
    /// killed between moving the old file away, as an NFS client does with one that is open, and
    /// moving the new one in. Whoever deletes a session removes the successor first.
    fn finish_interrupted(&self) -> Result<bool, FileError> {
        let next = self.files.layout.next(&self.key);
        match read(&self.key, &next) {
            Ok(Found { content: Ok(_), .. }) => {
                self.check_lock()?;
                let target = self.files.layout.session(&self.key);
                fs::rename(&next, target).during("finish an interrupted write")?;
                Ok(true)
            }
            Ok(_) => Ok(false),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(error).during("look for an interrupted write"),
        }
    }

    /// As without the lock.
    pub(super) fn create(&self, entry: &NewEntry) -> Result<bool, StoreError> {
        self.files.create(&self.key, entry)
    }

    /// Writes over what [`Locked::entry`] has found.
    pub(super) fn replace(
        &self,
        (found, links): &(Entry, u64),
        version: &[u8; 8],
        deadline: Timestamp,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let layout = &self.files.layout;
        let live_until = Some(found.deadline).filter(|deadline| *deadline > self.now());
        let tag = random().map_err(FileError::unavailable)?;
        let (staged, next) = (layout.staged(&self.key, tag.as_bytes()), layout.next(&self.key));
        let file = format::encode(&self.key, version, deadline, bytes);
        self.files.stage(&staged, &file).map_err(FileError::unavailable)?;
        let ready = self.remove_twin(&found.version, *links);
        let _writing = self.files.writing(&self.key);
        let ready = ready.and_then(|()| self.line_up(&staged, &next, live_until));
        if let Err(late) = ready {
            let _ = fs::remove_file(&staged);
            return Err(late.unavailable());
        }
        // The request before may have taken long, too.
        if let Err(late) = self.check_still(live_until) {
            let _ = fs::remove_file(&next);
            return Err(late.unavailable());
        }
        let published = fs::rename(&next, layout.session(&self.key)).during("publish a session");
        let settled = published.and_then(|()| self.files.settle(&layout.shard_of(&self.key)));
        settled.map_err(FileError::unknown)
    }

    /// Makes a staged file the session's successor.
    ///
    /// Not at once the session: under a name that all know, who comes next finds it if this process
    /// is killed half-way, and takes it away from a host that was cut off half-way and whose last
    /// request arrives later. And not staged under that name: such a host could publish half of it.
    fn line_up(
        &self,
        staged: &Path,
        next: &Path,
        live_until: Option<Timestamp>,
    ) -> Result<(), FileError> {
        self.check_still(live_until)?;
        let lined_up = fs::rename(staged, next).during("line up a session");
        if lined_up.is_err() {
            // It may be there all the same, and nobody is to find it: this write is not applied.
            let _ = fs::remove_file(next);
        }
        lined_up
    }

    /// Removes the session, readable or not.
    pub(super) fn remove(&self) -> Result<(), StoreError> {
        let layout = &self.files.layout;
        let found = self.find()?;
        self.check_lock().map_err(FileError::unavailable)?;
        remove(&layout.next(&self.key))
            .during("remove a staged file")
            .map_err(FileError::unknown)?;
        let Some(found) = found else { return Ok(()) };
        if let Ok(entry) = &found.content {
            self.remove_twin(&entry.version, found.links).map_err(FileError::unavailable)?;
        }
        let _writing = self.files.writing(&self.key);
        self.check_lock().map_err(FileError::unavailable)?;
        remove(&layout.session(&self.key))
            .during("remove a session")
            .and_then(|()| self.files.settle(&layout.shard_of(&self.key)))
            .map_err(FileError::unknown)
    }

    /// To be asked last, when nothing is left to wait for but the change itself.
    fn check_lock(&self) -> Result<(), FileError> {
        self.held.overdue().map_or(Ok(()), |since| Err(FileError::HeldTooLong(since)))
    }

    /// Likewise, for what replaces a session that was live: once it has expired, others may have said
    /// that there is none.
    fn check_still(&self, live_until: Option<Timestamp>) -> Result<(), FileError> {
        self.check_lock()?;
        match live_until {
            Some(deadline) if deadline <= self.now() => Err(FileError::Expired),
            _ => Ok(()),
        }
    }

    /// A `create` that was killed leaves its file under a second name, and as long as it has a name
    /// another NFS client may take it for the session.
    fn remove_twin(&self, version: &Version, links: u64) -> Result<(), FileError> {
        if links < 2 {
            return Ok(());
        }
        let twin = self.files.layout.staged(&self.key, version.as_bytes());
        remove(&twin).during("remove a staged file")
    }

    /// Removes the session if it expired more than `grace` ago, and moves it out of the way if it is
    /// damaged. Files of a newer release stay.
    pub(super) fn sweep(&self, grace: Duration) -> Result<Sweep, StoreError> {
        let now = self.now().saturating_sub(grace);
        match self.find()? {
            Some(Found { content: Ok(entry), .. }) if entry.deadline <= now => {
                self.remove().map(|()| Sweep::Removed)
            }
            Some(Found { content: Err(Damage::Newer(_)) | Ok(_), .. }) | None => Ok(Sweep::Left),
            Some(Found { content: Err(damage), .. }) => {
                self.set_aside().map_err(FileError::unknown)?;
                tracing::warn!(session = %self.key, %damage, "unreadable session set aside");
                Ok(Sweep::SetAside)
            }
        }
    }

    fn set_aside(&self) -> Result<(), FileError> {
        let to = self.files.layout.set_aside(&self.key, &random()?);
        let _writing = self.files.writing(&self.key);
        self.check_lock()?;
        fs::rename(self.files.layout.session(&self.key), to).during("set a damaged session aside")
    }

    /// Removes a staged file that a killed process has left. `find` comes first: it may be a session
    /// that only has to be moved into place.
    pub(super) fn remove_staged(&self, path: &Path) -> Result<(), StoreError> {
        self.find()?;
        let removed = self.check_lock().and_then(|()| remove(path).during("remove a staged file"));
        removed.map_err(FileError::unavailable)
    }
}

/// What was done with a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sweep {
    Left,
    Removed,
    SetAside,
}

#[cfg(test)]
mod tests;
