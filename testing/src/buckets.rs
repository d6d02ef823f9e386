//! Emulators of S3 by two makers, ministack and moto, and one of Azure. All honour conditions.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::LazyLock;

use crate::azurite::{self, Azurite};
use crate::ministack::{self, program};
use crate::processes::{Folder, Process, answers, free_port};

/// An emulator that all tests of a process share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emulator {
    Azurite,
    Ministack,
    Moto,
}

impl Emulator {
    /// Returns those that are installed. Azurite may be absent: it needs a recent Node.js.
    pub fn installed() -> impl Iterator<Item = Self> {
        let all = [Self::Azurite, Self::Ministack, Self::Moto];
        all.into_iter().filter(|emulator| *emulator != Self::Azurite || azurite::is_installed())
    }

    /// Starts the emulator if it is not running, and returns its port.
    pub async fn port(self) -> u16 {
        static AZURITE: LazyLock<Azurite> = LazyLock::new(Azurite::start);
        static MOTO: LazyLock<Moto> = LazyLock::new(Moto::start);
        match self {
            Self::Azurite => tokio::task::spawn_blocking(|| AZURITE.port).await.unwrap(),
            Self::Ministack => ministack::port().await,
            Self::Moto => tokio::task::spawn_blocking(|| MOTO.port).await.unwrap(),
        }
    }

    /// Creates a bucket, which Azure calls a container, on an emulator of this kind.
    pub fn create_bucket(self, port: u16, name: &str) {
        let begin = match self {
            Self::Azurite => azurite::request_for_a_container(name),
            Self::Ministack | Self::Moto => request_for_a_bucket(name),
        };
        let request = format!(
            "{begin}host: 127.0.0.1:{port}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.split(' ').nth(1);
        assert!(status == Some("200") || status == Some("201"), "{answer}");
    }
}

/// Serves one request after the other. With the threads of moto's own command, which compare and write in two steps,
/// two of several writers may succeed, and the check at open refuses it once in a while.
const MOTO: &str = "import sys
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
app = DomainDispatcherApplication(create_backend_app)
run_simple('127.0.0.1', int(sys.argv[1]), app, threaded=False)";

/// One moto, which keeps everything in memory.
#[derive(Debug)]
pub struct Moto {
    pub port: u16,
    pub process: Process,
    _folder: Folder,
}

impl Moto {
    pub fn start() -> Self {
        let (port, folder) = (free_port(), Folder::new());
        let python = program("moto/bin/python").display().to_string();
        let program = [python, "-c".into(), MOTO.into(), port.to_string()];
        let process = Process::start(program, folder.join("log"));
        process.wait_until("moto listens", || answers(port));
        Self { port, process, _folder: folder }
    }
}

/// Returns the first lines of a request that creates a bucket. It is not really signed, which ministack and moto do not
/// notice.
fn request_for_a_bucket(name: &str) -> String {
    format!(
        "PUT /{name} HTTP/1.1\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=test/20250101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n"
    )
}
