//! Real memcached servers on free ports. They end with the test.
//!
//! The tests look at a server through a second port, in plain text, and only send commands that the
//! server does not count as commands on keys.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cloakroom::store::StoreKey;

use crate::certificates::Authority;
use crate::processes::{Folder, Process, answers, free_port, wait_until};

pub const PREFIX: &str = "cloakroom:";
pub const USER: &str = "sessions";
pub const PASSWORD: &str = "correct-horse";

/// Returns the name that the store gives to a key.
pub fn name(key: &StoreKey) -> String {
    let hex: String = key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{PREFIX}{hex}")
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flavour {
    /// Version 1.6.18 from Debian 12, which must be installed.
    Debian12,
    /// Version 1.6.38 from Debian 13.
    Debian13,
}

impl Flavour {
    fn program(self) -> PathBuf {
        let set = std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty());
        let cache = set.map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cache")));
        match self {
            Self::Debian12 => "memcached".into(),
            Self::Debian13 => {
                cache.unwrap().join("cloakroom-servers/memcached-trixie/memcached-server")
            }
        }
    }

    /// Returns whether this machine has the server. Panics if the one from Debian 12 is missing.
    pub fn is_there(self) -> bool {
        let version = Command::new(self.program()).arg("--version").output();
        let is_there = version.is_ok_and(|output| output.status.success());
        assert!(is_there || self != Self::Debian12, "memcached is missing: scripts/install-tools");
        if !is_there {
            println!("not run: {self:?}, which scripts/fetch-servers has not got");
        }
        is_there
    }
}

/// One server, in plain text unless its options say otherwise.
#[derive(Debug)]
pub struct Server {
    pub port: u16,
    pub process: Process,
    door: u16,
    has_passwords: bool,
    _folder: Folder,
}

impl Server {
    pub fn start() -> Self {
        Self::with(Flavour::Debian12, &[])
    }

    pub fn with(flavour: Flavour, options: &[&str]) -> Self {
        Self::within(Folder::new(), flavour, options)
    }

    fn within(folder: Folder, flavour: Flavour, options: &[&str]) -> Self {
        assert!(flavour.is_there());
        let (port, door) = (free_port(), free_port());
        let program = flavour.program();
        // memcached refuses to run as root unless it is told to; for any other user the option does nothing.
        let mut words = vec![program.to_str().unwrap().to_owned(), "-u".into(), "root".into()];
        words.extend(["-U", "0", "-t", "2"].map(str::to_owned));
        let plain = if options.contains(&"-Z") { "notls:" } else { "" };
        words.extend(["-l".to_owned(), format!("127.0.0.1:{port},{plain}127.0.0.1:{door}")]);
        words.extend(options.iter().map(|&word| word.to_owned()));
        let process = Process::start(words, folder.join("log"));
        let has_passwords = options.contains(&"-Y");
        let server = Self { port, process, door, has_passwords, _folder: folder };
        server.wait_until_ready();
        server
    }

    #[track_caller]
    fn wait_until_ready(&self) {
        self.process.wait_until("a server that answers", || {
            answers(self.port) && self.try_ask("version").is_some()
        });
    }

    /// Sends a command through the second port and returns the first line of its answer.
    #[track_caller]
    pub fn ask(&self, command: &str) -> String {
        self.try_ask(command).unwrap_or_else(|| panic!("no answer to {command}"))
    }

    fn try_ask(&self, command: &str) -> Option<String> {
        let mut door = self.open()?;
        door.get_mut().write_all(format!("{command}\r\n").as_bytes()).ok()?;
        line(&mut door)
    }

    fn open(&self) -> Option<BufReader<TcpStream>> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.door)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut door = BufReader::new(stream);
        if self.has_passwords {
            let login = format!("{USER} {PASSWORD}");
            let login = format!("set x 0 0 {}\r\n{login}\r\n", login.len());
            door.get_mut().write_all(login.as_bytes()).ok()?;
            assert_eq!(line(&mut door)?, "STORED");
        }
        Some(door)
    }

    pub fn stats(&self) -> BTreeMap<String, u64> {
        let mut door = self.open().unwrap();
        door.get_mut().write_all(b"stats\r\n").unwrap();
        let lines = std::iter::from_fn(|| line(&mut door).filter(|line| line != "END"));
        let stat = |line: String| {
            let (name, value) = line.strip_prefix("STAT ")?.split_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        lines.filter_map(stat).collect()
    }

    /// Returns the number of commands on keys so far: reads, writes, deletes.
    pub fn commands(&self) -> [u64; 3] {
        let stats = self.stats();
        let stat = |name: &str| stats[name];
        [stat("cmd_get"), stat("cmd_set"), stat("delete_hits") + stat("delete_misses")]
    }

    pub fn url(&self) -> String {
        format!("memcached://127.0.0.1:{}", self.port)
    }

    /// Stops the server with SIGSTOP. Returns when each of its threads has stopped.
    pub fn freeze(&self) {
        self.process.freeze();
        let threads = format!("/proc/{}/task", self.process.pid());
        wait_until("a server that stands still", || {
            std::fs::read_dir(&threads).unwrap().flatten().all(|thread| {
                let status = std::fs::read_to_string(thread.path().join("status"));
                status.is_ok_and(|status| status.contains("State:\tT"))
            })
        });
    }

    /// Kills the server if it runs, and starts it again, empty, on the same port.
    pub fn start_again(&self) {
        self.process.start_again();
        self.wait_until_ready();
    }
}

fn line(door: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    (door.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
}

/// One server with TLS and one user.
#[derive(Debug)]
pub struct Tls {
    pub server: Server,
    authority: Authority,
    stranger: Authority,
}

impl Tls {
    pub fn start() -> Self {
        let folder = Folder::new();
        let [authority, stranger] =
            ["authority", "stranger"].map(|name| Authority::new(&folder, name));
        let (certificate, key) = authority.issue(&folder);
        let users = folder.join("users");
        std::fs::write(&users, format!("{USER}:{PASSWORD}\n")).unwrap();
        let certificate = format!("ssl_chain_cert={}", certificate.display());
        let key = format!("ssl_key={}", key.display());
        let options = ["-Z", "-o", &certificate, "-o", &key, "-Y", users.to_str().unwrap()];
        let server = Server::within(folder, Flavour::Debian12, &options);
        Self { server, authority, stranger }
    }

    /// Returns the certificate of the authority that issued the server's.
    pub fn ca_file(&self) -> &Path {
        self.authority.certificate()
    }

    /// Returns the certificate of another authority.
    pub fn wrong_ca_file(&self) -> &Path {
        self.stranger.certificate()
    }

    pub fn url(&self) -> String {
        format!("memcacheds://{USER}:{PASSWORD}@localhost:{}", self.server.port)
    }
}

/// Three servers that share the sessions.
#[derive(Debug)]
pub struct Three(pub [Server; 3]);

impl Three {
    pub fn start() -> Self {
        Self([(); 3].map(|()| Server::start()))
    }

    pub fn url(&self) -> String {
        let hosts = self.0.each_ref().map(|server| format!("127.0.0.1:{}", server.port));
        format!("memcached://{}", hosts.join(","))
    }

    /// Returns the server that has this key.
    pub fn home(&self, key: &StoreKey) -> &Server {
        let has = |server: &&Server| server.ask(&format!("mg {}", name(key))) != "EN";
        self.0.iter().find(has).expect("a server that has the key")
    }
}
