//! Ports for servers that cannot choose one and say which.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// Nobody listens on it now. Whoever starts a server there has to be ready to try another.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
