//! A primary that only speaks TLS, with two Sentinels that speak TLS to it and to clients.

use std::path::Path;

use super::flavour::Flavour;
use super::node::Node;
use super::sentinel::{Sentinel, about, watcher_with};
use crate::certificates::Authority;
use crate::processes::{Folder, free_port, wait_until};

#[derive(Debug)]
pub struct TlsSentinel {
    pub primary: Node,
    /// Their own port is for the tests, without TLS.
    pub watchers: [Node; 2],
    /// The ports of the Sentinels on which they speak TLS.
    pub ports: [u16; 2],
    authority: Authority,
    stranger: Authority,
    _folder: Folder,
}

impl TlsSentinel {
    /// Starts all servers. Returns when every Sentinel reaches the primary.
    pub fn start(flavour: Flavour) -> Self {
        let folder = Folder::new();
        let [authority, stranger] =
            ["authority", "stranger"].map(|name| Authority::new(&folder, name));
        let (certificate, key) = authority.issue(&folder);
        let files = [authority.certificate(), &certificate, &key].map(|p| p.to_str().unwrap());
        let options = |port: u16| {
            let [ca, certificate, key] = files.map(str::to_owned);
            [
                ("tls-port", port.to_string()),
                ("tls-ca-cert-file", ca),
                ("tls-cert-file", certificate),
                ("tls-key-file", key),
                ("tls-auth-clients", "no".to_owned()),
                ("tls-replication", "yes".to_owned()),
            ]
        };
        let port = free_port();
        let words = options(port).map(|(name, value)| [format!("--{name}"), value]).concat();
        let mut words: Vec<_> = words.iter().map(String::as_str).collect();
        words.extend(["--port", "0"]);
        let primary = Node::prepare(flavour, &folder, port, &words, None);
        primary.wait_until_ready();
        let ports = [free_port(), free_port()];
        let watchers = ports.map(|own| {
            let lines: String =
                options(own).iter().map(|(name, value)| format!("{name} {value}\n")).collect();
            watcher_with(flavour, &folder, port, 1, &lines)
        });
        let servers = Self { primary, watchers, ports, authority, stranger, _folder: folder };
        servers.wait_until_whole();
        servers
    }

    fn wait_until_whole(&self) {
        let reaches = |watcher: &Node| about(watcher, "flags").as_deref() == Some("master");
        wait_until("Sentinels that reach the primary", || self.watchers.iter().all(reaches));
    }

    /// Returns a URL with the address of every Sentinel.
    pub fn url(&self) -> String {
        let hosts = self.ports.map(|port| format!("127.0.0.1:{port}")).join(",");
        format!("rediss-sentinel://{hosts}/{}", Sentinel::SERVICE)
    }

    /// Returns the certificate of the authority that issued the servers'.
    pub fn ca_file(&self) -> &Path {
        self.authority.certificate()
    }

    /// Returns the certificate of another authority.
    pub fn wrong_ca_file(&self) -> &Path {
        self.stranger.certificate()
    }
}
