//! Reading the file of a session.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use super::format::{self, Damage, HEADER};
use super::options::LARGEST_ENTRY;
use crate::id::StoreKey;
use crate::store::Entry;

/// A file that was read.
#[derive(Debug)]
pub(super) struct SessionFile {
    pub(super) content: Result<Entry, Damage>,
    /// The number of names (hard links) of the file. With none it was removed or replaced while it
    /// was being opened, or before: an NFS client may open a file that it knows by its handle.
    pub(super) links: u64,
}

/// Opens a file for reading. Follows no link, and a pipe or a device under the name does not block.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Reads a session: open, `fstat`, read, close.
///
/// The `fstat` sends nothing to an NFS server, because the answer to OPEN has brought the attributes.
/// Without it the end of the file would be found by a second `read`, which does send a request.
pub(super) fn read_session(key: &StoreKey, path: &Path) -> io::Result<SessionFile> {
    let mut file = open_file(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > (LARGEST_ENTRY + HEADER) as u64 {
        return Ok(SessionFile { content: Err(Damage::Foreign), links: metadata.nlink() });
    }
    let mut bytes = vec![0; usize::try_from(metadata.len()).unwrap_or(usize::MAX)];
    let content = match file.read_exact(&mut bytes) {
        Ok(()) => format::decode(key, bytes),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Damage::Length),
        Err(error) => return Err(error),
    };
    Ok(SessionFile { content, links: metadata.nlink() })
}

/// Reads the first bytes of a file, enough for its header, and its length.
pub(super) fn read_header(path: &Path) -> io::Result<(Vec<u8>, u64)> {
    let file = open_file(path)?;
    let metadata = file.metadata()?;
    let mut header = Vec::with_capacity(HEADER);
    if metadata.is_file() {
        file.take(HEADER as u64).read_to_end(&mut header)?;
    }
    Ok((header, metadata.len()))
}
