//! The promises, on a folder that all tests share. Their session ids are random and never collide.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use cloakroom::store::FileStore;
use cloakroom_testing::processes::Folder;
use cloakroom_testing::{House, MINUTE};

static ROOT: LazyLock<(Folder, PathBuf)> = LazyLock::new(|| {
    let folder = Folder::new();
    let root = folder.join("sessions");
    fs::create_dir(&root).unwrap();
    (folder, root)
});

fn house() -> House {
    // Hundreds of tests share its locks, and wait for each other's writes to the disk.
    House::opening(async |clock| {
        let builder = FileStore::builder(&ROOT.1).command_timeout(MINUTE);
        builder.clock(clock).open().await.unwrap()
    })
}

cloakroom_testing::promises!(house);
