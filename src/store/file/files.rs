//! What the blocking threads work with, and reading without a lock.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, RwLockReadGuard, RwLockWriteGuard};

use rustix::fs::OFlags;

use super::error::{During, FileError, is_absent, is_gone};
use super::format::{self, Damage, HEADER};
use super::layout::Layout;
use super::options::{Durability, FileStoreBuilder, LARGEST_ENTRY};
use super::siblings::Siblings;
use crate::clock::Clock;
use crate::id::StoreKey;
use crate::store::Entry;

#[derive(Debug)]
pub(super) struct Files {
    pub(super) layout: Layout,
    pub(super) clock: Clock,
    pub(super) durability: Durability,
    pub(super) siblings: Arc<Siblings>,
    /// Whether a load asks first if the folder has changed.
    asks: bool,
}

/// What was found under a session's name.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) content: Result<Entry, Damage>,
    /// Names that the file has. None: it was removed or replaced while, or before, it was opened.
    pub(super) links: u64,
}

/// What a look without the lock has shown.
pub(super) enum Glance {
    /// A whole session.
    Entry(Entry),
    /// Nothing, or damage, or a file that is no longer there. An NFS client may believe that for up
    /// to a minute after another host has written, so it is looked at again under the lock.
    Doubtful,
}

impl Files {
    pub(super) fn new(options: &FileStoreBuilder, siblings: Arc<Siblings>, asks: bool) -> Self {
        let layout = Layout::new(options.root.clone());
        let (clock, durability) = (options.clock.clone(), options.durability);
        Self { layout, clock, durability, siblings, asks }
    }

    /// Open, `fstat`, read, close. The `fstat` is no trip to the server: OPEN has brought what it
    /// answers with.
    pub(super) fn glance(&self, key: &StoreKey) -> Result<Glance, FileError> {
        if self.asks {
            self.refresh(key)?;
        }
        let _reading = self.reading(key);
        match read(key, &self.layout.session(key)) {
            Ok(Found { content: Ok(entry), links: 1.. }) => Ok(Glance::Entry(entry)),
            Ok(_) => Ok(Glance::Doubtful),
            Err(error) if is_absent(&error) || is_gone(&error) => Ok(Glance::Doubtful),
            Err(error) => Err(error).during("read a session"),
        }
    }

    /// Makes an NFS client ask whether the folder has changed; if so, it forgets which names it held
    /// for taken and for free. Opening a folder does that (close-to-open), and it also tells a
    /// missing session from a missing folder.
    pub(super) fn refresh(&self, key: &StoreKey) -> Result<(), FileError> {
        File::open(self.layout.shard_of(key)).map(drop).during("open a session's folder")
    }

    /// As long as it lives, this process neither replaces nor removes the session's file.
    ///
    /// An NFS client that is told to rename over a file which it has open itself first moves that
    /// file out of the way, to `.nfs…`. In between there is no session under the name, and if the
    /// process is killed there, that is how it stays.
    pub(super) fn reading(&self, key: &StoreKey) -> RwLockReadGuard<'_, ()> {
        self.siblings.gates.reading(key)
    }

    pub(super) fn writing(&self, key: &StoreKey) -> RwLockWriteGuard<'_, ()> {
        self.siblings.gates.writing(key)
    }
}

/// Opens what was written under this name: no link is followed, and nothing else than a file blocks.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

pub(super) fn read(key: &StoreKey, path: &Path) -> io::Result<Found> {
    let mut file = open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > (LARGEST_ENTRY + HEADER) as u64 {
        return Ok(Found { content: Err(Damage::Foreign), links: metadata.nlink() });
    }
    let mut bytes = vec![0; usize::try_from(metadata.len()).unwrap_or(usize::MAX)];
    let content = match file.read_exact(&mut bytes) {
        Ok(()) => format::decode(key, bytes),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Damage::Length),
        Err(error) => return Err(error),
    };
    Ok(Found { content, links: metadata.nlink() })
}

/// The first bytes of a file, and how long it is.
pub(super) fn read_head(path: &Path) -> io::Result<(Vec<u8>, u64)> {
    let file = open(path)?;
    let metadata = file.metadata()?;
    let mut head = Vec::with_capacity(HEADER);
    if metadata.is_file() {
        file.take(HEADER as u64).read_to_end(&mut head)?;
    }
    Ok((head, metadata.len()))
}
