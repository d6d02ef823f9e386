//! Ports for servers that cannot choose one and say which.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use super::Process;
use crate::{Fallible, Problem};

/// How often another port is tried, because another process may take a port before the server does.
const ATTEMPTS: u32 = 5;

/// Starts a server on a port that nobody listens on.
pub(crate) async fn on_a_free_port(
    start: impl AsyncFn(u16) -> Fallible<Process>,
) -> Fallible<(u16, Process)> {
    let mut last: Option<Problem> = None;
    for _ in 0..ATTEMPTS {
        let port = free_port()?;
        match start(port).await {
            Ok(server) => return Ok((port, server)),
            Err(problem) => last = Some(problem),
        }
    }
    Err(last.unwrap_or_else(|| "no port".into()))
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
