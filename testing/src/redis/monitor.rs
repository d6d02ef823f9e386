//! The commands that clients have sent to servers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use super::node::{Door, Node};
use super::wire::{Reply, Wire};

/// A command as `MONITOR` shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Command {
    /// The address and port of the client, or the Unix socket.
    pub client: String,
    /// The name of the command, in capitals.
    pub name: String,
    /// The arguments, in quotes as the server prints them. They are not parsed, because Valkey 8.1
    /// does not escape quotes within them.
    pub arguments: String,
}

impl Command {
    /// Parses `1699999999.123456 [0 127.0.0.1:6379] "GET" "key"`.
    fn read(line: &str) -> Option<Self> {
        let (_, rest) = line.split_once(" [")?;
        let (origin, rest) = rest.split_once("] \"")?;
        let (_, client) = origin.split_once(' ')?;
        let (name, arguments) = rest.split_once('"')?;
        Some(Self {
            client: client.to_owned(),
            name: name.to_ascii_uppercase(),
            arguments: arguments.trim_start().to_owned(),
        })
    }

    /// Returns whether a script ran the command, so that no client sent it.
    fn is_of_a_script(&self) -> bool {
        self.client == "lua"
    }
}

/// Records commands from its creation on.
#[derive(Debug)]
pub struct Monitor {
    taps: Vec<Tap>,
}

#[derive(Debug)]
struct Tap {
    door: Door,
    /// The connection that sends the marks.
    wire: Wire,
    lines: Receiver<String>,
}

impl Monitor {
    pub fn on<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> Self {
        Self { taps: nodes.into_iter().map(Tap::open).collect() }
    }

    /// Returns the commands since the last call, in their order on each server. Commands of scripts
    /// and of the tests themselves are left out.
    pub fn take(&mut self) -> Vec<Command> {
        self.taps.iter_mut().flat_map(Tap::take).collect()
    }

    /// Counts the commands since the last call by name.
    pub fn count(&mut self) -> BTreeMap<String, usize> {
        let mut count = BTreeMap::new();
        for command in self.take() {
            *count.entry(command.name).or_default() += 1;
        }
        count
    }
}

impl Tap {
    fn open(node: &Node) -> Self {
        let door = node.door().clone();
        let mut monitor = door.open().unwrap();
        monitor.ask(&["MONITOR"]).unwrap().ok();
        let (sender, lines) = mpsc::channel();
        // Ends with the server, or when it says something and nobody listens any more.
        thread::spawn(move || {
            loop {
                match monitor.reply() {
                    Ok(Reply::Bytes(line)) => {
                        if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                            return;
                        }
                    }
                    Err(error) if is_silence(&error) => {}
                    _ => return,
                }
            }
        });
        Self { wire: door.open().unwrap(), door, lines }
    }

    /// Reads lines up to a mark that it sends itself. A server shows commands in the order in which
    /// it carries them out, so everything that was answered before the mark has been read then.
    fn take(&mut self) -> Vec<Command> {
        static MARKS: AtomicU64 = AtomicU64::new(0);
        let mark = format!("mark-{}.", MARKS.fetch_add(1, Ordering::Relaxed));
        self.wire.ask(&["ECHO", &mark]).unwrap();
        let mut taken = Vec::new();
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(20)).expect("the mark");
            let command = Command::read(&line).unwrap_or_else(|| panic!("not read: {line}"));
            let ours = self.door.is_that_of(&command.client);
            if ours && command.name == "ECHO" && command.arguments.contains(&mark) {
                return taken;
            }
            if !ours && !command.is_of_a_script() {
                taken.push(command);
            }
        }
    }
}

fn is_silence(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    matches!(error.kind(), TimedOut | WouldBlock)
}
