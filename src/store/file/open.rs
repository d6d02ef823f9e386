//! Opening files and folders of the store without following a link.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Opens a file for reading. Follows no link, and a pipe or a device under the name does not block.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    open(path, OFlags::NOFOLLOW | OFlags::NONBLOCK)
}

/// Opens a folder. Fails on anything else, also on a link to a folder.
pub(super) fn open_folder(path: &Path) -> io::Result<File> {
    open(path, OFlags::NOFOLLOW | OFlags::DIRECTORY)
}

fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Returns whether [`open_file`] has failed because the name is a link's or a socket's.
pub(super) fn is_no_file(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::LOOP | Errno::MLINK | Errno::NXIO))
}
