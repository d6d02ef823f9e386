//! Lock files, and taking their lock without waiting.
//!
//! `flock` locks a whole file for as long as it is open; Linux turns it into a lock on the NFS server
//! that holds on all hosts. Locks on byte ranges of one file would need fewer files, but the kind that
//! belongs to the open file (and not to the process, which may have several stores) exists on Linux
//! only.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

/// Opens a lock file, and creates it if it is missing. Follows no link out of the folder.
pub(super) fn open_lock_file(path: &Path) -> io::Result<File> {
    // NFS grants an exclusive lock only on a file that is open for writing.
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()).open(path)
}

/// Takes the lock if it is free, and returns whether it did.
///
/// Never waits for the holder: NFS has no quick way to do that. The client itself asks again once a
/// second and then more rarely, so the callers ask again themselves, in milliseconds.
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            // EAGAIN and EWOULDBLOCK are the same; the refusal of some servers arrives as EACCES.
            Err(Errno::AGAIN | Errno::ACCESS) => return Ok(false),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

pub(super) fn unlock(file: &File) -> io::Result<()> {
    Ok(flock(file, FlockOperation::Unlock)?)
}
