//! ministack, a DynamoDB emulator: one process for all tests, or one for a test that stops it.

use std::path::PathBuf;
use std::sync::LazyLock;

use crate::processes::{Folder, Process, answers, free_port};

/// One emulator, which keeps everything in memory.
#[derive(Debug)]
pub struct Ministack {
    pub port: u16,
    pub process: Process,
    _folder: Folder,
}

impl Ministack {
    pub fn start() -> Self {
        let (port, folder) = (free_port(), Folder::new());
        let program = [
            "env".into(),
            "BIND_HOST=127.0.0.1".into(),
            format!("GATEWAY_PORT={port}"),
            "SERVICES=cloudformation,dynamodb,iam".into(),
            "LOG_LEVEL=ERROR".into(),
            format!("TMPDIR={}", folder.join("").display()),
            program().display().to_string(),
        ];
        let process = Process::start(program, folder.join("log"));
        process.wait_until("ministack listens", || answers(port));
        Self { port, process, _folder: folder }
    }
}

/// Starts ministack if it is not running, and returns its URL.
pub async fn endpoint() -> String {
    static SHARED: LazyLock<Ministack> = LazyLock::new(Ministack::start);
    let port = tokio::task::spawn_blocking(|| SHARED.port).await.unwrap();
    format!("http://127.0.0.1:{port}")
}

/// Returns the path of the program. `scripts/install-tools` puts it into Cargo's target folder.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let mut places = test.ancestors().map(|folder| folder.join("tools/ministack/bin/ministack"));
    let installed = places.find(|place| place.exists());
    installed.expect("ministack is missing; scripts/install-tools installs it")
}
