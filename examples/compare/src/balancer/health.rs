//! Checks the health of the nodes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::targets::Targets;

/// The interval. ALB's shortest is 5 seconds, which would be too long to wait for here.
const EVERY: Duration = Duration::from_millis(100);
/// The time-out of a check. A node that is slow may only be busy.
const CHECK_TIMEOUT: Duration = Duration::from_secs(30);
/// Failures until a node counts as unhealthy, as few as ALB allows.
const FAILURES: u32 = 2;

/// One success is enough, as it is for a new target of ALB.
pub(super) async fn watch(targets: Arc<Targets>, name: String, address: SocketAddr) {
    let mut failures = 0;
    loop {
        match timeout(CHECK_TIMEOUT, check(address)).await {
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
