//! One server process, and the tests' connection to it.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::flavour::Flavour;
use super::tls_options::Certificates;
use super::wire::{Reply, Wire};
use crate::processes::{Folder, Process, free_port};

#[derive(Debug)]
pub struct Node {
    pub port: u16,
    pub process: Process,
    door: Door,
    /// The tests' own connection, which stays open.
    wire: Mutex<Option<Wire>>,
}

/// The way in which the tests connect: the one that the store under test does not use.
#[derive(Clone, Debug)]
pub enum Door {
    Unix { socket: PathBuf, password: Option<&'static str> },
    Tcp(u16),
}

impl Door {
    pub fn open(&self) -> io::Result<Wire> {
        let mut wire = match self {
            Self::Unix { socket, .. } => Wire::unix(socket)?,
            Self::Tcp(port) => Wire::tcp(*port)?,
        };
        if let Self::Unix { password: Some(password), .. } = self {
            wire.ask(&["AUTH", "harness", password])?.ok();
        }
        Ok(wire)
    }

    /// Returns whether a client, named as the server names it, connected this way.
    pub fn is_that_of(&self, client: &str) -> bool {
        client.contains(".sock") == matches!(self, Self::Unix { .. })
    }
}

/// Options of every server: keep nothing on disk, and do not let replicas wait for others.
const OPTIONS: [[&str; 2]; 4] = [
    ["--bind", "127.0.0.1"],
    ["--save", ""],
    ["--appendonly", "no"],
    ["--repl-diskless-sync-delay", "0"],
];

impl Node {
    /// Starts a server on a free port, and on a Unix socket for the tests.
    pub fn start(flavour: Flavour, folder: &Folder, options: &[&str]) -> Self {
        Self::start_with(flavour, folder, None, options)
    }

    /// Starts a server. If it has certificates, its port is for TLS only.
    pub fn start_with(
        flavour: Flavour,
        folder: &Folder,
        certificates: Option<&Certificates>,
        options: &[&str],
    ) -> Self {
        let port = free_port();
        let plain = || vec!["--port".to_owned(), port.to_string()];
        let listening = certificates.map_or_else(plain, |tls| tls.arguments(port));
        let listening = listening.iter().map(String::as_str);
        let options: Vec<_> = listening.chain(options.iter().copied()).collect();
        let node = Self::prepare(flavour, folder, port, &options, None);
        node.wait_until_ready();
        node
    }

    /// Starts a server whose port is among the options.
    pub fn prepare(
        flavour: Flavour,
        folder: &Folder,
        port: u16,
        options: &[&str],
        password: Option<&'static str>,
    ) -> Self {
        let own = folder.join(port.to_string());
        std::fs::create_dir(&own).unwrap();
        let socket = own.join("redis.sock");
        let program = flavour.program();
        let mut words = vec![program.to_str().unwrap()];
        words.extend(OPTIONS.concat());
        words.extend(["--dir", own.to_str().unwrap(), "--unixsocket", socket.to_str().unwrap()]);
        words.extend(options);
        let process = Process::start(words, own.join("log"));
        Self::behind(Door::Unix { socket, password }, port, process)
    }

    pub fn behind(door: Door, port: u16, process: Process) -> Self {
        Self { port, process, door, wire: Mutex::new(None) }
    }

    pub fn door(&self) -> &Door {
        &self.door
    }

    /// Returns the path of the Unix socket, for clients that connect by it.
    pub fn socket(&self) -> PathBuf {
        match &self.door {
            Door::Unix { socket, .. } => socket.clone(),
            Door::Tcp(_) => panic!("this server has no Unix socket of its own"),
        }
    }

    /// Returns the same server with a TCP connection for the tests.
    pub fn watched_by_tcp(mut self) -> Self {
        self.door = Door::Tcp(self.port);
        self.wire = Mutex::new(None);
        self
    }

    #[track_caller]
    pub fn wait_until_ready(&self) {
        self.process.wait_until("a server that answers", || self.is_ready());
    }

    fn is_ready(&self) -> bool {
        let answer = self.door.open().and_then(|mut wire| wire.ask(&["PING"]));
        answer.is_ok_and(|answer| answer == Reply::Bytes(b"PONG".to_vec()))
    }

    /// Sends a command of the test itself.
    #[track_caller]
    pub fn ask(&self, words: &[&str]) -> Reply {
        self.try_ask(words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Sends a command to a server that may be down. Opens a new connection if the old one was
    /// closed, as happens in a failover.
    pub fn try_ask(&self, words: &[&str]) -> io::Result<Reply> {
        let mut kept = self.wire.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut wire) = kept.take()
            && let Ok(reply) = wire.ask(words)
        {
            *kept = Some(wire);
            return Ok(reply);
        }
        let mut wire = self.door.open()?;
        let reply = wire.ask(words)?;
        *kept = Some(wire);
        Ok(reply)
    }

    /// Returns a field of `INFO`.
    #[track_caller]
    pub fn info(&self, field: &str) -> Option<String> {
        let info = self.ask(&["INFO"]).text();
        let mut lines = info.lines().filter_map(|line| line.split_once(':'));
        lines.find_map(|(name, value)| (name == field).then(|| value.to_owned()))
    }

    /// Whether clients have sent this command since the server's start.
    pub fn has_run(&self, command: &str) -> bool {
        self.ask(&["INFO", "commandstats"]).text().contains(&format!("cmdstat_{command}:"))
    }

    /// Kills the server with SIGKILL.
    pub fn kill(&self) {
        self.process.kill();
        self.forget();
    }

    /// Kills the server if it runs, and starts it again, empty, on the same port.
    pub fn start_again(&self) {
        self.process.start_again();
        self.forget();
        self.wait_until_ready();
    }

    fn forget(&self) {
        *self.wire.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Stops the server with SIGSTOP.
    pub fn freeze(&self) {
        self.process.freeze();
    }

    /// Lets a stopped server continue, with SIGCONT.
    pub fn thaw(&self) {
        self.process.thaw();
    }

    /// Returns the server's ids of all connections but the tests' own.
    pub fn clients(&self) -> Vec<String> {
        let list = self.ask(&["CLIENT", "LIST", "TYPE", "normal"]).text();
        let field = |line: &str, name: &str| {
            let mut fields = line.split(' ').filter_map(|field| field.split_once('='));
            fields.find_map(|(field, value)| (field == name).then(|| value.to_owned())).unwrap()
        };
        let theirs = list.lines().filter(|line| !self.door.is_that_of(&field(line, "addr")));
        theirs.map(|line| field(line, "id")).collect()
    }

    /// Kills every connection but the tests' own with `CLIENT KILL`, and returns how many there
    /// were.
    pub fn client_kill_all(&self) -> usize {
        let kill = |id: &String| self.ask(&["CLIENT", "KILL", "ID", id]).integer() == 1;
        self.clients().iter().filter(|id| kill(id)).count()
    }

    /// Lets the server refuse connections beyond this number. The tests' own connection counts.
    pub fn set_max_clients(&self, most: usize) {
        self.ask(&["CONFIG", "SET", "maxclients", &most.to_string()]).ok();
    }

    /// Lets the server refuse all further connections, and keeps the existing ones.
    pub fn refuse_further_clients(&self) {
        // Not the number of those that are connected: the server still counts one that has just left.
        self.set_max_clients(1);
    }
}
