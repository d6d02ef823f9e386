//! The nodes of one strategy.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use cloakroom::Key;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Fallible;
use crate::cli::{Copies, Options};
use crate::node::{CLUSTER, KEYS, LISTENING};
use crate::process::{Host, Process};
use crate::strategy::Place;

#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    cluster: Option<u16>,
    host: Host,
    process: Process,
}

#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) nodes: Vec<Node>,
    started: usize,
    /// The next node starts on the host that has the fewest.
    hosts: Vec<Host>,
    keys: String,
    copies: Option<Copies>,
    synchronous: bool,
    session_bytes: usize,
    folder: PathBuf,
}

impl Fleet {
    pub(super) fn new(
        place: Place,
        hosts: &[Host],
        options: &Options,
        folder: &Path,
    ) -> Fallible<Self> {
        let copies = match place {
            Place::Cluster(copies) => Some(copies),
            _ => None,
        };
        Ok(Self {
            nodes: Vec::new(),
            started: 0,
            hosts: hosts.to_vec(),
            keys: Key::generate()?.to_base64url().to_string(),
            copies,
            synchronous: options.synchronous,
            session_bytes: options.session_bytes(),
            folder: folder.to_owned(),
        })
    }

    /// Starts another node of the shop.
    pub(super) async fn add(&mut self, store: &str) -> Fallible<(String, SocketAddr)> {
        self.started += 1;
        let node = self.start(format!("node-{}", self.started), store).await?;
        let added = (node.name.clone(), node.address);
        self.nodes.push(node);
        Ok(added)
    }

    /// Starts a node that the balancer and the others do not know, and returns when it listens.
    pub(super) async fn start(&self, name: String, store: &str) -> Fallible<Node> {
        let nodes = |host: &&Host| self.nodes.iter().filter(|node| node.host == **host).count();
        let host = *self.hosts.iter().min_by_key(nodes).ok_or("there is no host")?;
        let mut command = host.this_program("node")?;
        command.args(["--name", &name, "--store", store, "--listen", &host.ip().to_string()]);
        command.args(["--session-bytes", &self.session_bytes.to_string()]);
        if let Some(copies) = self.copies {
            command.args(["--cluster", words(copies)]);
            let peers = self.nodes.iter().filter_map(|node| Some(node.cluster?.to_string()));
            let peers = peers.collect::<Vec<_>>().join(",");
            if !peers.is_empty() {
                command.args(["--peers", &peers]);
            }
            if self.synchronous {
                command.arg("--synchronous");
            }
        }
        command.env(KEYS, &self.keys);
        // Credentials for the emulator, which accepts any, so that the SDK does not ask the network
        // for some.
        command.env("AWS_ACCESS_KEY_ID", "compare").env("AWS_SECRET_ACCESS_KEY", "compare");
        command.env("AWS_EC2_METADATA_DISABLED", "true").env_remove("AWS_PROFILE");
        let mut process = Process::start(command, self.folder.join(format!("{name}.log")))?;
        let address = process.announcement(LISTENING).await?.parse()?;
        let cluster = match self.copies {
            Some(_) => Some(process.announcement(CLUSTER).await?.parse()?),
            None => None,
        };
        Ok(Node { name, address, cluster, host, process })
    }

    /// Kills the last node with SIGKILL and returns its name.
    pub(super) fn kill_one(&mut self) -> Fallible<String> {
        let mut node = self.nodes.pop().ok_or("there is no node to kill")?;
        node.process.kill();
        Ok(node.name)
    }

    pub(super) fn resident_bytes(&self) -> Option<u64> {
        self.nodes.iter().map(|node| node.host.resident_bytes(&node.process)).sum()
    }

    /// Returns the bytes that the nodes have sent to each other so far.
    pub(super) async fn traffic(&self) -> Fallible<u64> {
        let mut bytes = 0;
        for node in &self.nodes {
            bytes += traffic_of(node.address).await?;
        }
        Ok(bytes)
    }
}

fn words(copies: Copies) -> &'static str {
    match copies {
        Copies::Everywhere => "everywhere",
        Copies::OneBackup => "one-backup",
    }
}

async fn traffic_of(node: SocketAddr) -> Fallible<u64> {
    let mut stream = TcpStream::connect(node).await?;
    stream.write_all(b"GET /traffic HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let body = answer.split_once("\r\n\r\n").ok_or("no HTTP")?.1;
    Ok(body.parse()?)
}
