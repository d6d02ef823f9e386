//! Health checks.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::targets::Targets;

/// The least that ALB has is 5 seconds; nobody would wait for that here.
const EVERY: Duration = Duration::from_millis(100);
/// For a node that does not refuse, but is slow: it may only have much to do.
const PATIENCE: Duration = Duration::from_secs(30);
/// As ALB's least.
const FAILURES: u32 = 2;

/// One success is enough, as with a target that ALB has just been told of.
pub(super) async fn watch(targets: Arc<Targets>, name: String, address: SocketAddr) {
    let mut failures = 0;
    loop {
        match timeout(PATIENCE, check(address)).await {
            Ok(Ok(true)) => {
                failures = 0;
                targets.set_health(&name, true);
            }
            _ => failures += 1,
        }
        if failures >= FAILURES {
            targets.set_health(&name, false);
        }
        sleep(EVERY).await;
    }
}

async fn check(address: SocketAddr) -> io::Result<bool> {
    const QUESTION: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n";
    const ANSWER: &[u8] = b"HTTP/1.1 200";
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(QUESTION).await?;
    let mut answer = [0; ANSWER.len()];
    stream.read_exact(&mut answer).await?;
    Ok(answer == ANSWER)
}
