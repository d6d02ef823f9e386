//! Nodes of an example, each with its own way to the store, that can be killed, frozen and cut off, and whose
//! clocks can be set.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, fs};

use tokio::task::block_in_place;

use super::faults::{Fault, Place};
use crate::examples::{STARTS, command, is_slow_store};
use crate::fleet::{KEYS, build};
use crate::processes::{Folder, Process, answers, free_port, wait_until, wait_until_or_tell};
use crate::proxy::{self, Cut, Proxy};

const NODES: usize = 3;
/// All stores, so that no store's tests build the example again for another one's.
const FEATURES: &str = "full";

/// How the nodes reach the store.
pub enum Way {
    /// By this URL.
    Direct(String),
    /// Each through a proxy in front of this port. The function makes the URL for the proxy's port.
    Proxies(u16, Box<dyn Fn(u16) -> String>),
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct(_) => f.write_str("Direct"),
            Self::Proxies(port, _) => write!(f, "Proxies({port})"),
        }
    }
}

impl Way {
    pub fn proxies(port: u16, url: impl Fn(u16) -> String + 'static) -> Self {
        Self::Proxies(port, Box::new(url))
    }
}

/// The nodes. Dropping them ends all processes.
#[derive(Clone, Debug)]
pub struct Nodes(Arc<[Node]>);

#[derive(Debug)]
struct Node {
    port: u16,
    process: Process,
    proxy: Option<Proxy>,
    folder: Folder,
}

impl Nodes {
    /// Starts three nodes over a store that runs.
    pub async fn start(example: &'static str, way: Way, variables: &[(&str, &str)]) -> Self {
        let mut nodes = Vec::new();
        for number in 1..=NODES {
            nodes.push(Node::start(example, number, &way, variables).await);
        }
        Self(nodes.into())
    }

    pub fn urls(&self) -> Vec<String> {
        self.0.iter().map(|node| format!("http://127.0.0.1:{}", node.port)).collect()
    }

    /// Returns the faults of one node and of its way to the store.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let clock = libfaketime().map(|_| self.wrong_clock());
        let mut faults = vec![
            self.fault("a node is killed", |node| node.process.kill(), Node::start_again),
            self.fault(
                "a node is frozen",
                |node| node.process.freeze(),
                |node| node.process.thaw(),
            ),
        ];
        faults.extend(clock);
        if self.0.iter().all(|node| node.proxy.is_some()) {
            faults.extend([
                self.cut("the store refuses a node", proxy::Fault::Refuse),
                self.cut("a node's packets stay on their way", proxy::Fault::Stall),
                self.cut("a node's commands get lost", proxy::Fault::SwallowRequests),
                self.cut("a node gets no answers", proxy::Fault::SwallowReplies),
                self.cut(
                    "a node's connections break at each answer",
                    proxy::Fault::CutReply(0, Cut::Reset),
                ),
                self.cut(
                    "a node's connections break after each command",
                    proxy::Fault::CutAfterRequest(Cut::Fin),
                ),
                self.cut(
                    "the store is far from a node",
                    proxy::Fault::Delay(Duration::from_millis(60)),
                ),
            ]);
        }
        faults
    }

    /// Sets the clock of a node wrong by some seconds. Needs libfaketime.
    pub fn set_clock(&self, node: usize, seconds: i32) {
        self.0[node].set_clock(seconds);
    }

    /// A clock that is a minute ahead or behind. With the timeouts of these nodes it ends no session.
    fn wrong_clock(&self) -> Fault {
        let (here, there) = (self.clone(), self.clone());
        let begin = move |node| here.set_clock(node, if node % 2 == 0 { 60 } else { -60 });
        Fault::new("a node's clock is wrong", Place::Clock, begin, move |node| {
            there.set_clock(node, 0)
        })
    }

    fn fault(&self, name: &str, begin: fn(&Node), end: fn(&Node)) -> Fault {
        let (here, there) = (self.clone(), self.clone());
        Fault::new(
            name,
            Place::Node,
            move |node| begin(&here.0[node]),
            move |node| {
                end(&there.0[node]);
            },
        )
    }

    fn cut(&self, name: &str, fault: proxy::Fault) -> Fault {
        let (here, there) = (self.clone(), self.clone());
        let begin = move |node: usize| here.0[node].proxy().set(fault);
        let loses = matches!(fault, proxy::Fault::SwallowRequests | proxy::Fault::SwallowReplies);
        Fault::new(name, Place::Way, begin, move |node| there.0[node].mend(loses))
    }
}

impl Node {
    async fn start(
        example: &'static str,
        number: usize,
        way: &Way,
        variables: &[(&str, &str)],
    ) -> Self {
        let (url, proxy) = match way {
            Way::Direct(url) => (url.clone(), None),
            Way::Proxies(server, url) => {
                let proxy = Proxy::on(free_port(), *server).await;
                (url(proxy.port), Some(proxy))
            }
        };
        block_in_place(|| {
            let variables = [variables, &[KEYS, ("STORE", &url)]].concat();
            build(example, &url, FEATURES, &variables);
            let (port, folder) = (free_port(), Folder::new());
            write_clock(&folder, 0);
            let words = words(example, number, port, &folder, &variables);
            let process = Process::start(words, folder.join("log"));
            let node = Self { port, process, proxy, folder };
            node.wait_until_ready();
            node
        })
    }

    fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("a proxy")
    }

    /// Lets data pass again. Connections that have lost some end first: to go on in the middle would give later
    /// answers to earlier commands, which no network does.
    fn mend(&self, has_lost_data: bool) {
        if has_lost_data {
            self.proxy().set(proxy::Fault::Refuse);
            wait_until("no connection is left", || self.proxy().open_connections() == 0);
        }
        self.proxy().set(proxy::Fault::None);
    }

    fn start_again(&self) {
        self.process.start_again();
        self.wait_until_ready();
    }

    fn set_clock(&self, seconds: i32) {
        write_clock(&self.folder, seconds);
    }

    /// Waits until the node listens. Starts it again if it has ended because its store was slow.
    fn wait_until_ready(&self) {
        let mut starts = 1;
        let listens = || {
            if !self.process.is_running() {
                let error = self.process.output();
                assert!(starts < STARTS && is_slow_store(&error), "a node has ended: {error}");
                starts += 1;
                self.process.start_again();
            }
            answers(self.port)
        };
        wait_until_or_tell("a node that listens", listens, || self.process.output());
    }
}

/// Replaces the file as a whole, because the node reads it whenever it asks for the time.
fn write_clock(folder: &Folder, seconds: i32) {
    fs::write(folder.join("next-clock"), format!("{seconds:+}")).expect("a folder of ours");
    fs::rename(folder.join("next-clock"), folder.join("clock")).expect("a folder of ours");
}

/// Returns the library that goes between a program and its clock, if this machine has it. Runs without servers
/// do without.
fn libfaketime() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten();
    let mut libraries = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    libraries.find(|path| path.exists())
}

/// Returns the command of a node, with its variables in front.
fn words(
    example: &str,
    number: usize,
    port: u16,
    folder: &Folder,
    variables: &[(&str, &str)],
) -> Vec<String> {
    let unset = ["IDLE", "LIFETIME", "LIMIT"].iter().flat_map(|name| ["-u", name]);
    let mut words: Vec<String> = ["env"].into_iter().chain(unset).map(str::to_owned).collect();
    words.extend([format!("NODE=node-{number}"), format!("PORT={port}")]);
    if let Some(library) = libfaketime() {
        words.push(format!("LD_PRELOAD={}", library.display()));
        words.push(format!("FAKETIME_TIMESTAMP_FILE={}", folder.join("clock").display()));
        // Nobody sets the clock with which a program measures how long something takes.
        words.extend(["FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"].map(str::to_owned));
    }
    words.extend(variables.iter().map(|(name, value)| format!("{name}={value}")));
    let program = command(example, &[]);
    words.push(program.get_program().to_str().expect("a path in Unicode").to_owned());
    words
}
