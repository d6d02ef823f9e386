//! Opening a store: is this a folder that sessions can be kept in, and only in by us?

use std::fs::{self, DirBuilder};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::error::{During, FileError, is_absent};
use super::files::{self, Files};
use super::layout::{FOLDERS, Layout, MARKER, SHARDS};
use super::mount::{self, Mount};
use super::options::FileStoreBuilder;
use super::publish::{random, remove};
use super::shared::Shared;
use super::work::{Patience, Refused, Workers};
use super::{FileStore, lock, siblings, sweeper};
use crate::error::StoreError;
use crate::hex::Hex;

const LIMIT: Duration = Duration::from_secs(30);
const LAYOUT: &str = "cloakroom layout 1\n";
/// What a fresh file system, or an NFS client, may have in its root by itself.
const HARMLESS: [&str; 3] = ["lost+found", ".snapshot", ".nfs"];

pub(super) async fn open(options: FileStoreBuilder) -> Result<FileStore, StoreError> {
    let (workers, patience) = (Workers::new(options.workers), Patience::begins(LIMIT));
    let asked = options.clone();
    let prepared = workers.run(patience, move || prepare(&asked));
    let files = match patience.wait("answer from the file system", prepared).await {
        Ok(Ok(prepared)) => prepared,
        Ok(Err(Refused::NotBegun(error) | Refused::Lost(error))) | Err(error) => Err(error),
    }
    .map_err(FileError::at_open)?;
    let shared = Arc::new(Shared::new(options, files, workers));
    let sweeper = shared.options.sweep_every.map(|interval| sweeper::start(&shared, interval));
    Ok(FileStore { shared, _sweeper: sweeper.map(Arc::new) })
}

fn prepare(options: &FileStoreBuilder) -> Result<Files, FileError> {
    let files = find(options)?;
    let layout = &files.layout;
    if !is_marked(layout)? {
        if has_strangers(layout.root()).during("list the store's folder")? {
            return Err(wrong(layout.root(), "holds other files than a session store's"));
        }
        lay_out(&files)?;
        if !is_marked(layout)? {
            return Err(wrong(layout.root(), "changes while it is being opened"));
        }
    }
    probe(&files)?;
    Ok(files)
}

fn wrong(root: &Path, problem: &'static str) -> FileError {
    FileError::Root { root: root.display().to_string(), problem }
}

/// What the folder is, and what it is on.
fn find(options: &FileStoreBuilder) -> Result<Files, FileError> {
    let root = match fs::metadata(&options.root) {
        Ok(root) if root.is_dir() => root,
        Ok(_) => return Err(wrong(&options.root, "is not a folder")),
        Err(error) if is_absent(&error) => {
            let problem = "does not exist. Is the file system mounted? It is not created here";
            return Err(wrong(&options.root, problem));
        }
        Err(error) => return Err(error).during("find the store's folder"),
    };
    let mount = mount::of(root.dev());
    if let Some(problem) = mount.as_ref().and_then(Mount::problem) {
        return Err(wrong(&options.root, problem));
    }
    let asks = options.shared_mount && !mount.is_some_and(|mount| mount.is_local());
    Ok(Files::new(options, siblings::of((root.dev(), root.ino())), asks))
}

/// Whether this is a store already.
fn is_marked(layout: &Layout) -> Result<bool, FileError> {
    let wrong = |problem| wrong(layout.root(), problem);
    let mut marker = Vec::new();
    let read = files::open(&layout.marker())
        .and_then(|file| file.take(LAYOUT.len() as u64 + 1).read_to_end(&mut marker));
    match read.map(|_| marker) {
        Ok(marker) if marker == LAYOUT.as_bytes() => Ok(true),
        Ok(marker) if marker.starts_with(b"cloakroom layout ") => {
            Err(wrong("has a layout that is newer than this release reads"))
        }
        Ok(_) => Err(wrong("is not a session store, though it has a file of that name")),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(error).during("read the store's marker"),
    }
}

fn has_strangers(root: &Path) -> io::Result<bool> {
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

/// Any number of servers may do this at once. The marker comes last: where it is, all is there.
fn lay_out(files: &Files) -> Result<(), FileError> {
    let layout = &files.layout;
    let folders = FOLDERS.iter().map(|name| layout.folder(name));
    for folder in folders.chain((0..SHARDS).map(|number| layout.shard(number))) {
        make_folder(&folder).during("create a folder of the store")?;
    }
    let staged = layout.root().join(format!(".{MARKER}.{}", Hex(random()?.as_bytes())));
    files.stage(&staged, LAYOUT.as_bytes())?;
    let linked = match fs::hard_link(&staged, layout.marker()) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    };
    let _ = fs::remove_file(&staged);
    linked.during("create the store's marker")?;
    files.settle(&layout.folder("sessions"))?;
    files.settle(layout.root())
}

fn make_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Everything that a command will do, once.
fn probe(files: &Files) -> Result<(), FileError> {
    let tag = random()?;
    let name = Hex(tag.as_bytes());
    let path = |number| files.layout.shard(0).join(format!(".probe.{name}.{number}"));
    let (first, second) = (path(1), path(2));
    let probed = files.stage(&first, b"a coat").and_then(|()| {
        fs::hard_link(&first, &second).during("make a hard link")?;
        files.stage(&first, b"a hat")?;
        fs::rename(&first, &second).during("rename a file")?;
        match fs::read(&second).during("read a file")? {
            hat if hat == b"a hat" => {}
            _ => return Err(wrong(files.layout.root(), "does not replace files by a rename")),
        }
        let file = lock::open(&second).during("open a file for locking")?;
        lock::try_lock(&file).map(drop).during("lock a file")
    });
    let removed = [&first, &second].map(|path| remove(path).during("remove a file"));
    probed.and(removed.into_iter().collect())
}
