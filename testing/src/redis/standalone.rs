//! A single server, reached by TCP or by a Unix socket.

use std::ops::Deref;
use std::path::PathBuf;

use super::flavour::Flavour;
use super::monitor::Monitor;
use super::node::Node;
use crate::processes::Folder;

/// A server to which the store connects by TCP.
#[derive(Debug)]
pub struct Standalone {
    node: Node,
    _folder: Folder,
}

impl Standalone {
    pub fn start(flavour: Flavour) -> Self {
        Self::with(flavour, &[])
    }

    /// Starts a server with further options, such as `--requirepass`.
    pub fn with(flavour: Flavour, options: &[&str]) -> Self {
        let folder = Folder::new();
        Self { node: Node::start(flavour, &folder, options), _folder: folder }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn monitor(&self) -> Monitor {
        Monitor::on([&self.node])
    }
}

impl Deref for Standalone {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

/// A server to which the store connects by its Unix socket.
#[derive(Debug)]
pub struct UnixSocket {
    node: Node,
    socket: PathBuf,
    _folder: Folder,
}

impl UnixSocket {
    pub fn start(flavour: Flavour) -> Self {
        let folder = Folder::new();
        let node = Node::start(flavour, &folder, &[]);
        let socket = node.socket();
        Self { node: node.watched_by_tcp(), socket, _folder: folder }
    }

    pub fn path(&self) -> &str {
        self.socket.to_str().unwrap()
    }

    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.path())
    }

    pub fn monitor(&self) -> Monitor {
        Monitor::on([&self.node])
    }
}

impl Deref for UnixSocket {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}
