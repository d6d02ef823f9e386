//! Azurite, Microsoft's emulator of Azure Blob Storage. It checks signatures, and of writers at once on one tag it lets
//! one succeed, as the tests of races show.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::ministack::{installed, program};
use crate::processes::{Folder, Process, answers, free_port};

/// The account that every Azurite has. It is the first name in the path of its URLs.
pub const ACCOUNT: &str = "devstoreaccount1";
/// The key of that account, which Azurite's documentation names.
pub const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// The environment variable with the key.
pub const CREDENTIALS: [(&str, &str); 1] = [("AZURE_STORAGE_ACCOUNT_KEY", KEY)];

const PROGRAM: &str = "azurite/node_modules/.bin/azurite-blob";

/// Returns whether `scripts/install-tools` could install it.
pub fn is_installed() -> bool {
    installed(PROGRAM).is_some()
}

/// One emulator, which keeps everything in memory.
#[derive(Debug)]
pub struct Azurite {
    pub port: u16,
    pub process: Process,
    _folder: Folder,
}

impl Azurite {
    pub fn start() -> Self {
        let (port, folder) = (free_port(), Folder::new());
        let program = [
            program(PROGRAM).display().to_string(),
            "--blobHost=127.0.0.1".into(),
            format!("--blobPort={port}"),
            "--inMemoryPersistence".into(),
            "--disableTelemetry".into(),
            "--skipApiVersionCheck".into(),
            "--silent".into(),
        ];
        let process = Process::start(program, folder.join("log"));
        process.wait_until("Azurite listens", || answers(port));
        Self { port, process, _folder: folder }
    }
}

/// Returns the URL of the account, which takes the place of `https://ACCOUNT.blob.core.windows.net`.
pub fn endpoint(port: u16) -> String {
    format!("http://127.0.0.1:{port}/{ACCOUNT}")
}

/// Returns the first lines of a request that creates a container.
pub(crate) fn request_for_a_container(name: &str) -> String {
    const DATE: &str = "Sat, 28 Nov 2026 12:00:00 GMT";
    const VERSION: &str = "2021-12-02";
    // An empty line for each header that Azure signs and this request does not have.
    let absent = "\n".repeat(11);
    let signed = format!(
        "PUT\n{absent}x-ms-date:{DATE}\nx-ms-version:{VERSION}\n/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    );
    let mut signature = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(KEY).unwrap()).unwrap();
    signature.update(signed.as_bytes());
    let signature = STANDARD.encode(signature.finalize().into_bytes());
    format!(
        "PUT /{ACCOUNT}/{name}?restype=container HTTP/1.1\r\n\
         x-ms-date: {DATE}\r\nx-ms-version: {VERSION}\r\nauthorization: SharedKey {ACCOUNT}:{signature}\r\n"
    )
}
