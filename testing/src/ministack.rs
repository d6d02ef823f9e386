//! ministack, an emulator of DynamoDB and S3: one process for all tests, or one for a test that stops it.

use std::path::PathBuf;
use std::sync::LazyLock;

use crate::processes::{Folder, Process, answers, free_port};

/// Environment variables with credentials for ministack, which checks none.
pub const CREDENTIALS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];

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
            "SERVICES=cloudformation,dynamodb,iam,s3".into(),
            "LOG_LEVEL=ERROR".into(),
            format!("TMPDIR={}", folder.join("").display()),
            program("ministack/bin/ministack").display().to_string(),
        ];
        let process = Process::start(program, folder.join("log"));
        process.wait_until("ministack listens", || answers(port));
        Self { port, process, _folder: folder }
    }
}

/// Starts ministack if it is not running, and returns its URL.
pub async fn endpoint() -> String {
    format!("http://127.0.0.1:{}", port().await)
}

/// Starts ministack if it is not running, and returns its port.
pub(crate) async fn port() -> u16 {
    static SHARED: LazyLock<Ministack> = LazyLock::new(Ministack::start);
    tokio::task::spawn_blocking(|| SHARED.port).await.unwrap()
}

/// Returns the path of a program that `scripts/install-tools` puts into Cargo's target folder.
pub(crate) fn program(name: &str) -> PathBuf {
    installed(name)
        .unwrap_or_else(|| panic!("{name} is missing; scripts/install-tools installs it"))
}

pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let test = std::env::current_exe().unwrap();
    let mut places = test.ancestors().map(|folder| folder.join("tools").join(name));
    places.find(|place| place.exists())
}
