//! One server process, and the harness' way into it.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::flavour::Flavour;
use super::wire::{Reply, Wire};
use crate::processes::{Folder, Process, free_port};

#[derive(Debug)]
pub struct Node {
    pub port: u16,
    pub process: Process,
    door: Door,
    /// What the harness itself says, on one connection that stays.
    wire: Mutex<Option<Wire>>,
}

/// Which way the harness comes in: the one that the store under test does not take.
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

    /// Whether a client, named as the server names it, came in here.
    pub fn is_that_of(&self, client: &str) -> bool {
        client.contains(".sock") == matches!(self, Self::Unix { .. })
    }
}

/// Nothing is kept on disk, and a replica is not made to wait for company.
const OPTIONS: [[&str; 2]; 4] = [
    ["--bind", "127.0.0.1"],
    ["--save", ""],
    ["--appendonly", "no"],
    ["--repl-diskless-sync-delay", "0"],
];

impl Node {
    /// A server on a free port, and on a Unix socket for the harness.
    pub fn start(flavour: Flavour, folder: &Folder, options: &[&str]) -> Self {
        let port = free_port();
        let number = port.to_string();
        let options = [&["--port", &number], options].concat();
        let node = Self::prepare(flavour, folder, port, &options, None);
        node.wait_until_ready();
        node
    }

    /// Starts a process whose port is given in the options.
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

    /// The Unix socket, for clients that are to take it.
    pub fn socket(&self) -> PathBuf {
        match &self.door {
            Door::Unix { socket, .. } => socket.clone(),
            Door::Tcp(_) => panic!("this server has no Unix socket of its own"),
        }
    }

    /// The same server, with the harness coming in by TCP.
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

    /// A command of the harness' own.
    #[track_caller]
    pub fn ask(&self, words: &[&str]) -> Reply {
        self.try_ask(words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// The same to a server that may be gone. A connection that was closed meanwhile, as Sentinels
    /// and failovers do, is replaced.
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

    /// A field of `INFO`.
    #[track_caller]
    pub fn info(&self, field: &str) -> Option<String> {
        let info = self.ask(&["INFO"]).text();
        let mut lines = info.lines().filter_map(|line| line.split_once(':'));
        lines.find_map(|(name, value)| (name == field).then(|| value.to_owned()))
    }

    /// SIGKILL.
    pub fn kill(&self) {
        self.process.kill();
        self.forget();
    }

    /// Kills it if it runs, and starts it again, empty, on the same port.
    pub fn start_again(&self) {
        self.process.start_again();
        self.forget();
        self.wait_until_ready();
    }

    fn forget(&self) {
        *self.wire.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// SIGSTOP.
    pub fn freeze(&self) {
        self.process.freeze();
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.process.thaw();
    }

    /// The connections that are not the harness': the ids the server gave them.
    pub fn clients(&self) -> Vec<String> {
        let list = self.ask(&["CLIENT", "LIST", "TYPE", "normal"]).text();
        let field = |line: &str, name: &str| {
            let mut fields = line.split(' ').filter_map(|field| field.split_once('='));
            fields.find_map(|(field, value)| (field == name).then(|| value.to_owned())).unwrap()
        };
        let theirs = list.lines().filter(|line| !self.door.is_that_of(&field(line, "addr")));
        theirs.map(|line| field(line, "id")).collect()
    }

    /// `CLIENT KILL` for every connection but the harness'. How many were killed.
    pub fn client_kill_all(&self) -> usize {
        let kill = |id: &String| self.ask(&["CLIENT", "KILL", "ID", id]).integer() == 1;
        self.clients().iter().filter(|id| kill(id)).count()
    }

    /// Refuses connections from now on if there are this many, the harness' among them.
    pub fn set_max_clients(&self, most: usize) {
        self.ask(&["CONFIG", "SET", "maxclients", &most.to_string()]).ok();
    }

    /// Refuses any further connection, and leaves those there are.
    pub fn refuse_further_clients(&self) {
        let connected = self.info("connected_clients").unwrap();
        self.ask(&["CONFIG", "SET", "maxclients", &connected]).ok();
    }
}
