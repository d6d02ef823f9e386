//! The identity of a file, whatever name it was reached by.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// Device and inode number: equal for two names of one file, different for two files under one name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(super) fn from_metadata(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    #[cfg(test)]
    pub(super) fn from_numbers(device: u64, inode: u64) -> Self {
        Self { device, inode }
    }
}
