//! Prepares a folder for use: checks that sessions can be kept in it, and lays it out if it is empty.

use std::fs::{self, DirBuilder};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use super::error::{During, FileError, is_absent};
use super::file_id::FileId;
use super::flock::{open_lock_file, try_lock};
use super::folder::Folder;
use super::layout::{FOLDERS, Layout, MARKER, SHARDS};
use super::mount::Mount;
use super::options::Options;
use super::process_locks::ProcessLocks;
use super::session_file::open_file;
use super::staged_file::{draw_tag, remove_if_present};
use crate::hex::Hex;

/// The contents of the marker.
const LAYOUT: &str = "cloakroom layout 1\n";
/// Names that a fresh file system or an NFS client may put into its root without being asked.
const HARMLESS: [&str; 3] = ["lost+found", ".snapshot", ".nfs"];

/// Opens the folder. Blocks for as long as the file system takes to answer.
pub(super) fn prepare_folder(options: &Options) -> Result<Folder, FileError> {
    let folder = open_folder(options)?;
    let layout = &folder.layout;
    if !is_marked(layout)? {
        if has_foreign_files(layout.root()).during("list the store's folder")? {
            return Err(FileError::Unusable(
                "it holds other files than a session store's; give the store an empty folder",
            ));
        }
        lay_out(&folder)?;
        if !is_marked(layout)? {
            return Err(FileError::Unusable(
                "another program changes it while the store is being opened",
            ));
        }
    }
    probe(&folder)?;
    Ok(folder)
}

/// Finds the folder and the file system that it is on.
fn open_folder(options: &Options) -> Result<Folder, FileError> {
    let metadata = match fs::metadata(&options.root) {
        Ok(metadata) if metadata.is_dir() => metadata,
        Ok(_) => return Err(FileError::Unusable("it is not a folder")),
        // Creating it would put the sessions on the wrong disk when a mount is missing.
        Err(error) if is_absent(&error) => {
            return Err(FileError::Unusable(
                "it does not exist. Is the file system mounted? The store does not create the folder",
            ));
        }
        Err(error) => return Err(error).during("find the store's folder"),
    };
    let mount = Mount::find(metadata.dev());
    if let Some(problem) = mount.as_ref().and_then(Mount::problem) {
        return Err(FileError::Unusable(problem));
    }
    let revalidates = options.shared_mount && !mount.is_some_and(|mount| mount.is_local());
    let locks = ProcessLocks::for_folder(FileId::from_metadata(&metadata));
    Ok(Folder::new(options, locks, revalidates))
}

/// Returns whether the folder is a store already.
fn is_marked(layout: &Layout) -> Result<bool, FileError> {
    let mut marker = Vec::new();
    // One byte more than the marker has, so that a longer file is noticed without reading all of it.
    let read = open_file(&layout.marker_path())
        .and_then(|file| file.take(LAYOUT.len() as u64 + 1).read_to_end(&mut marker));
    match read.map(|_| marker) {
        Ok(marker) if marker == LAYOUT.as_bytes() => Ok(true),
        Ok(marker) if marker.starts_with(b"cloakroom layout ") => Err(FileError::Unusable(
            "its layout is newer than this release reads; update this server",
        )),
        Ok(_) => Err(FileError::Unusable(
            "it is not a session store, though it has a file named `cloakroom-store`; \
             give the store an empty folder",
        )),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(error).during("read the store's marker"),
    }
}

fn has_foreign_files(root: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(root)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        let known =
            name == MARKER || FOLDERS.contains(&&*name) || name.starts_with(&format!(".{MARKER}."));
        if !known && !HARMLESS.iter().any(|harmless| name.starts_with(harmless)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Creates the folders and the marker. Any number of servers may do this at once. The marker comes
/// last, so where it is, everything is.
fn lay_out(folder: &Folder) -> Result<(), FileError> {
    let layout = &folder.layout;
    let folders = FOLDERS.iter().map(|name| layout.folder_path(name));
    for path in folders.chain((0..SHARDS).map(|number| layout.shard_path(number))) {
        make_folder(&path).during("create a folder of the store")?;
    }
    let staged = layout.root().join(format!(".{MARKER}.{}", Hex(draw_tag()?.as_bytes())));
    folder.write_staged_file(&staged, LAYOUT.as_bytes())?;
    let linked = match fs::hard_link(&staged, layout.marker_path()) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    };
    let _ = fs::remove_file(&staged);
    linked.during("create the store's marker")?;
    folder.sync_folder(&layout.folder_path("sessions"))?;
    folder.sync_folder(layout.root())
}

fn make_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Does once everything that a command does, so that a file system which cannot is found at start-up
/// and not by a visitor.
fn probe(folder: &Folder) -> Result<(), FileError> {
    let tag = draw_tag()?;
    let name = Hex(tag.as_bytes());
    let path = |number| folder.layout.shard_path(0).join(format!(".probe.{name}.{number}"));
    let (first, second) = (path(1), path(2));
    let probed = folder.write_staged_file(&first, b"a coat").and_then(|()| {
        fs::hard_link(&first, &second).during("make a hard link")?;
        folder.write_staged_file(&first, b"a hat")?;
        fs::rename(&first, &second).during("rename a file")?;
        if fs::read(&second).during("read a file")? != b"a hat" {
            return Err(FileError::Unusable(
                "its file system does not replace a file by a rename; use one that does",
            ));
        }
        let file = open_lock_file(&second).during("open a file for locking")?;
        try_lock(&file).map(drop).during("lock a file")
    });
    let removed = [&first, &second].map(|path| remove_if_present(path).during("remove a file"));
    probed.and(removed.into_iter().collect())
}
