//! Prepares a folder for use: checks that sessions can be kept in it, and lays it out if it is empty.

use std::fs::{self, DirBuilder, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use super::error::{During, FileError, is_absent};
use super::file_id::FileId;
use super::flock::{open_lock_file, try_lock};
use super::folder::{FileSystem, Folder};
use super::layout::{FOLDERS, Layout, MARKER, SHARDS, is_staged_marker};
use super::open::open_file;
use super::options::{Durability, Options};
use super::owner::{Exposure, Owner};
use super::process_locks::ProcessLocks;
use super::staged_file::{create_new, draw_tag, remove_if_present};
use crate::store::mount::Mount;

/// The contents of the marker.
const LAYOUT: &str = "cloakroom layout 1\n";
/// Names that a fresh file system or an NFS client may put into its root without being asked.
const HARMLESS: [&str; 3] = ["lost+found", ".snapshot", ".nfs"];

/// Opens the folder. Blocks for as long as the file system takes to answer.
pub(super) fn prepare_folder(options: &Options) -> Result<Folder, FileError> {
    let metadata = find_folder(&options.root)?;
    let mount = find_mount(&metadata)?;
    let layout = Layout::new(options.root.clone());
    let is_new = !is_marked(&layout)?;
    if is_new && has_foreign_files(layout.root()).during("list the store's folder")? {
        return Err(FileError::Unusable(
            "it holds other files than a session store's; give the store an empty folder",
        ));
    }
    let owner = find_owner(&layout)?;
    check("the folder", owner.check(&metadata))?;
    let file_system = describe(options, mount.as_ref(), owner);
    let locks = ProcessLocks::for_folder(FileId::from_metadata(&metadata));
    let folder = Folder::new(options, locks, file_system);
    if is_new {
        lay_out(&folder)?;
        if !is_marked(&folder.layout)? {
            return Err(FileError::Unusable(
                "another program changes it while the store is being opened",
            ));
        }
    }
    check_contents(&folder)?;
    probe(&folder)?;
    Ok(folder)
}

fn find_folder(root: &Path) -> Result<Metadata, FileError> {
    match fs::metadata(root) {
        Ok(metadata) if metadata.is_dir() => Ok(metadata),
        Ok(_) => Err(FileError::Unusable("it is not a folder")),
        // Creating it would put the sessions on the wrong disk when a mount is missing.
        Err(error) if is_absent(&error) => Err(FileError::Unusable(
            "it does not exist. Is the file system mounted? The store does not create the folder",
        )),
        Err(error) => Err(error).during("find the store's folder"),
    }
}

/// Finds the file system that the folder is on, if the system tells.
fn find_mount(folder: &Metadata) -> Result<Option<Mount>, FileError> {
    let mount = Mount::find(folder.dev());
    match mount.as_ref().and_then(Mount::problem) {
        Some(problem) => Err(FileError::Unusable(problem)),
        None => Ok(mount),
    }
}

fn describe(options: &Options, mount: Option<&Mount>, owner: Owner) -> FileSystem {
    let durability = match options.durability {
        Durability::Full if mount.is_some_and(Mount::is_nfs) => Durability::File,
        Durability::Full => Durability::Folder,
        chosen => chosen,
    };
    let revalidates = options.shared_mount && !mount.is_some_and(Mount::is_local);
    FileSystem { owner, durability, revalidates }
}

/// Makes a file and looks whose it is.
fn find_owner(layout: &Layout) -> Result<Owner, FileError> {
    let path = layout.staged_marker_path(&draw_tag()?);
    let made = create_new(&path).and_then(|file| file.metadata());
    let removed = remove_if_present(&path);
    let made = made.during("make a file in the store's folder")?;
    removed.during("remove a file in the store's folder")?;
    let owner = Owner::of(&made);
    match owner.check(&made) {
        Ok(()) => Ok(owner),
        Err(_) => Err(FileError::Unusable(
            "its file system lets other users write to the files that the store makes; \
             mount it with other permissions",
        )),
    }
}

fn check(path: &str, found: Result<(), Exposure>) -> Result<(), FileError> {
    found.map_err(|exposure| FileError::Exposed { path: path.to_owned(), exposure })
}

/// Checks that the marker and every folder of the store are the store's own and nobody else's.
///
/// Here, once, and not at each command: whoever could change a folder afterwards is the same user, or
/// may write to a folder above the store's, which the guide warns of.
fn check_contents(folder: &Folder) -> Result<(), FileError> {
    let layout = &folder.layout;
    check_own(folder, &layout.marker_path(), Metadata::is_file)?;
    FOLDERS.iter().try_for_each(|name| check_folder(folder, &layout.folder_path(name)))?;
    (0..SHARDS).try_for_each(|number| check_folder(folder, &layout.shard_path(number)))
}

fn check_folder(folder: &Folder, path: &Path) -> Result<(), FileError> {
    check_own(folder, path, Metadata::is_dir)
}

fn check_own(
    folder: &Folder,
    path: &Path,
    is_expected: fn(&Metadata) -> bool,
) -> Result<(), FileError> {
    // Follows no link: what it leads to may be the user's own and still no part of the store.
    let found = fs::symlink_metadata(path).during("look at a folder of the store")?;
    let name = path.strip_prefix(folder.layout.root()).unwrap_or(path).display().to_string();
    check(
        &format!("`{name}` in it"),
        match is_expected(&found) {
            true => folder.file_system.owner.check(&found),
            false => Err(Exposure::Link),
        },
    )
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
        let known = name == MARKER || FOLDERS.contains(&&*name) || is_staged_marker(&name);
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
    let make = |path: &Path| make_folder(path).during("create a folder of the store");
    for path in FOLDERS.map(|name| layout.folder_path(name)) {
        make(&path)?;
        // Before anything is made behind a link.
        check_folder(folder, &path)?;
    }
    (0..SHARDS).try_for_each(|number| make(&layout.shard_path(number)))?;
    let staged = layout.staged_marker_path(&draw_tag()?);
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
    let [first, second] = [1, 2].map(|number| folder.layout.probe_path(&tag, number));
    let probed = folder.write_staged_file(&first, b"a coat").and_then(|()| {
        fs::hard_link(&first, &second).during("make a hard link")?;
        folder.write_staged_file(&first, b"a hat")?;
        fs::rename(&first, &second).during("rename a file")?;
        if fs::read(&second).during("read a file")? != b"a hat" {
            return Err(FileError::Unusable(
                "its file system does not replace a file by a rename; use one that does",
            ));
        }
        folder.sync_folder(&folder.layout.shard_path(0))?;
        let file = open_lock_file(&second).during("open a file for locking")?;
        try_lock(&file).map(drop).during("lock a file")
    });
    let removed = [&first, &second].map(|path| remove_if_present(path).during("remove a file"));
    probed.and(removed.into_iter().collect())
}
