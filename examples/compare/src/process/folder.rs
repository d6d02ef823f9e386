//! A folder that is removed with everything in it.

use std::env;
use std::fs;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use crate::Fallible;

#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    janitor: Child,
}

impl Folder {
    pub(crate) fn new() -> io::Result<Self> {
        let path = env::temp_dir().join(format!(
            "cloakroom-compare-{}-{:08x}",
            process::id(),
            fastrand::u32(..)
        ));
        let mut janitor = Command::new(env::current_exe()?);
        janitor.arg("janitor").arg(&path).process_group(0);
        janitor.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // The janitor starts first, so that no folder is made that nobody removes.
        let janitor = janitor.spawn()?;
        let folder = Self { path, janitor };
        fs::create_dir(&folder.path)?;
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.janitor.stdin.take());
        let _ = self.janitor.wait();
    }
}

/// Runs in the janitor's process: waits for the end of the pipe and removes the folder.
pub(crate) fn janitor(folder: &Path) -> Fallible<ExitCode> {
    let _ = io::stdin().read_to_end(&mut Vec::new());
    // The processes that write there are about to end, and may still be writing.
    for _ in 0..1_200 {
        let _ = fs::remove_dir_all(folder);
        if !folder.exists() {
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(ExitCode::FAILURE)
}
