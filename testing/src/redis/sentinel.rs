//! A primary and its replica, with three Sentinels, in plain text or over TLS.

use super::flavour::Flavour;
use super::monitor::Monitor;
use super::node::{Door, Node};
use super::tls_options::Certificates;
use crate::processes::{Folder, Process, free_port, wait_until};

const WATCHERS: usize = 3;

#[derive(Debug)]
pub struct Sentinel {
    data: [Node; 2],
    watchers: Vec<Node>,
    _folder: Folder,
}

impl Sentinel {
    /// The name of the pair in the Sentinels' configuration.
    pub const SERVICE: &'static str = "sessions";

    /// Starts all servers. Returns when every Sentinel knows the replica and the other Sentinels.
    pub fn start(flavour: Flavour) -> Self {
        Self::start_in(flavour, Folder::new(), None)
    }

    /// Starts servers that, if they have certificates, speak TLS only.
    pub(super) fn start_in(
        flavour: Flavour,
        folder: Folder,
        certificates: Option<&Certificates>,
    ) -> Self {
        let primary = Node::start_with(flavour, &folder, certificates, &[]);
        let replica_of = ["--replicaof", "127.0.0.1", &primary.port.to_string()];
        let replica = Node::start_with(flavour, &folder, certificates, &replica_of);
        let watcher = |_| watcher(flavour, &folder, primary.port, certificates);
        let watchers = (0..WATCHERS).map(watcher).collect();
        let sentinel = Self { data: [primary, replica], watchers, _folder: folder };
        sentinel.wait_until_whole();
        sentinel
    }

    /// Waits until there are a primary and a replica with all its data, and every Sentinel knows
    /// both.
    pub fn wait_until_whole(&self) {
        let whole = |watcher: &Node| {
            let expected =
                |field: &str, value: &str| about(watcher, field).as_deref() == Some(value);
            expected("num-slaves", "1")
                && expected("num-other-sentinels", "2")
                && expected("flags", "master")
        };
        let in_step = |node: &Node| node.info("master_link_status").is_none_or(|up| up == "up");
        wait_until("Sentinels that know each other", || {
            self.watchers.iter().all(whole)
                && self.data.iter().all(in_step)
                && self.data.iter().filter(|node| is_primary(node)).count() == 1
        });
    }

    /// Returns a URL with the address of every Sentinel.
    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.ports().iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("redis-sentinel://{}/{}", hosts.join(","), Self::SERVICE)
    }

    /// Returns the ports of the Sentinels.
    pub fn ports(&self) -> Vec<u16> {
        self.watchers.iter().map(|node| node.port).collect()
    }

    pub fn watchers(&self) -> &[Node] {
        &self.watchers
    }

    /// Returns the running node that calls itself primary.
    pub fn primary(&self) -> &Node {
        let mut running = self.data.iter().filter(|node| node.process.is_running());
        running.find(|node| is_primary(node)).expect("a primary")
    }

    /// Returns the other node, running or not.
    pub fn replica(&self) -> &Node {
        let primary = self.primary().port;
        self.data.iter().find(|node| node.port != primary).expect("two nodes")
    }

    /// Kills the primary with SIGKILL, and returns it.
    pub fn kill_primary(&self) -> &Node {
        let primary = self.primary();
        primary.kill();
        primary
    }

    /// Waits until all Sentinels name another primary than `former`, and that node is primary.
    pub fn wait_for_promotion(&self, former: &Node) -> &Node {
        let other = self.data.iter().find(|node| node.port != former.port).expect("two nodes");
        let port = other.port.to_string();
        wait_until("a failover", || {
            let named = |watcher| about(watcher, "port").as_deref() == Some(&port);
            is_primary(other) && self.watchers.iter().all(named)
        });
        other
    }

    /// Starts the former primary again, as the replica of the present one. The Sentinels would do
    /// that too, but ten seconds later.
    pub fn bring_back(&self, former: &Node) {
        let primary = self.primary().port.to_string();
        former.start_again();
        // A Sentinel may have told it already; then it says `OK Already connected to specified master`.
        let reply = former.ask(&["REPLICAOF", "127.0.0.1", &primary]).text();
        assert!(reply.starts_with("OK"), "{reply}");
        self.wait_until_whole();
    }

    /// Returns a monitor of the present primary.
    pub fn monitor(&self) -> Monitor {
        Monitor::on([self.primary()])
    }
}

fn is_primary(node: &Node) -> bool {
    let role = node.try_ask(&["ROLE"]);
    role.is_ok_and(|role| role.list()[0].text() == "master")
}

/// Starts a Sentinel. It keeps its state in its configuration, so each one has its own file.
///
/// `down-after-milliseconds` is more than a second. A Sentinel waits for a second before it
/// connects to a new primary; with a smaller value it would believe that the new primary is down
/// too.
fn watcher(
    flavour: Flavour,
    folder: &Folder,
    primary: u16,
    certificates: Option<&Certificates>,
) -> Node {
    let port = free_port();
    let own = folder.join(format!("sentinel-{port}"));
    std::fs::create_dir(&own).unwrap();
    let (file, name, dir) = (own.join("sentinel.conf"), Sentinel::SERVICE, own.display());
    let socket = own.join("redis.sock");
    let plain = || vec![("port", port.to_string())];
    let listening = certificates.map_or_else(plain, |tls| tls.options(port));
    let listening: String =
        listening.iter().map(|(name, value)| format!("{name} {value}\n")).collect();
    let text = format!(
        "{listening}bind 127.0.0.1\ndir {dir}\nunixsocket {}\n\
         sentinel monitor {name} 127.0.0.1 {primary} 2\n\
         sentinel down-after-milliseconds {name} 2000\n\
         sentinel failover-timeout {name} 5000\n\
         sentinel parallel-syncs {name} 1\n",
        socket.display()
    );
    std::fs::write(&file, text).unwrap();
    let program = flavour.program();
    let words = [program.as_os_str(), file.as_os_str(), "--sentinel".as_ref()];
    let process = Process::start(words, own.join("log"));
    let node = Node::behind(Door::Unix { socket, password: None }, port, process);
    node.wait_until_ready();
    node
}

/// Asks a Sentinel for a field of its entry for the primary.
fn about(watcher: &Node, field: &str) -> Option<String> {
    let about = watcher.ask(&["SENTINEL", "MASTER", Sentinel::SERVICE]);
    let fields = about.list().chunks_exact(2);
    let mut fields = fields.map(|pair| (pair[0].text(), pair[1].text()));
    fields.find_map(|(name, value)| (name == field).then_some(value))
}
