//! Server processes on free ports, each with its own folder. They end with the test, even if it is
//! killed.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Sender, SyncSender};
use std::sync::{LazyLock, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The longest a server may take for anything, on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Waits until `condition` holds. Panics with `what` after a minute.
#[track_caller]
pub fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    wait_until_or_tell(what, condition, String::new);
}

/// Waits until `condition` holds. Panics with `what` after a minute, and with what `tell` finds out then.
#[track_caller]
pub fn wait_until_or_tell(
    what: &str,
    mut condition: impl FnMut() -> bool,
    tell: impl FnOnce() -> String,
) {
    let begun = Instant::now();
    while !condition() {
        if begun.elapsed() > TIMEOUT {
            panic!("{what}: not within {TIMEOUT:?} {}", tell());
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A temporary folder. Dropping it removes it; if the process is killed, a later run removes it.
/// Its path is short, because the path of a Unix socket may have about 100 bytes only.
#[derive(Debug)]
pub struct Folder(PathBuf);

#[allow(clippy::new_without_default, reason = "a default makes no folders")]
impl Folder {
    pub fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        static SWEPT: Once = Once::new();
        SWEPT.call_once(remove_abandoned);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("{PREFIX}{}-{number}", process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

const PREFIX: &str = "cloakroom-servers-";

/// Removes the folders of processes that have ended, and of an earlier process with the same id.
fn remove_abandoned() {
    for entry in fs::read_dir(env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        let owner = rest.split('-').next().unwrap_or_default();
        let is_alive = Path::new("/proc").join(owner).exists();
        if !is_alive || owner == process::id().to_string() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Consecutive ports that one process reserves for itself by listening on the first of them.
#[derive(Debug)]
struct Block {
    first: u16,
    given: u16,
    _claim: TcpListener,
}

impl Block {
    const SIZE: u16 = 32;
    /// The first port. All of them are below those that the kernel gives to outgoing connections.
    const FIRST: u16 = 20_000;
    const BLOCKS: u32 = 390;

    fn claim() -> Self {
        let mut candidates = (0..Self::BLOCKS).map(|at| {
            let block = (process::id().wrapping_mul(61) + at) % Self::BLOCKS;
            Self::FIRST + u16::try_from(block).unwrap() * Self::SIZE
        });
        let claim = |first| Some(Self { first, given: 0, _claim: listen(first).ok()? });
        candidates.find_map(claim).expect("a free block of ports")
    }

    fn next(&mut self) -> Option<u16> {
        self.given += 1;
        (self.given < Self::SIZE).then_some(self.first + self.given)
    }
}

fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

/// Returns a port on loopback that is free, and stays reserved as long as this process lives. So a
/// server can be started on it again. Port 0 would not do: the kernel may give the port away while
/// the server is down. Nor would it to listen on the port for a moment: a process that another thread has begun
/// to start would have a copy of the listener until its program begins, and the server may be faster.
pub fn free_port() -> u16 {
    static BLOCKS: Mutex<Vec<Block>> = Mutex::new(Vec::new());
    let mut blocks = lock(&BLOCKS);
    loop {
        match blocks.last_mut().and_then(Block::next) {
            Some(port) if !answers(port) => return port,
            Some(_) => {}
            None => blocks.push(Block::claim()),
        }
    }
}

/// Returns whether a port on loopback accepts connections.
pub fn answers(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A server's process. It is killed when this is dropped or this process ends.
#[derive(Debug)]
pub struct Process {
    program: Vec<OsString>,
    log: PathBuf,
    child: Mutex<Child>,
}

impl Process {
    /// Starts a program with its arguments, and writes its output into `log`.
    pub fn start<S: AsRef<OsStr>>(program: impl IntoIterator<Item = S>, log: PathBuf) -> Self {
        let program: Vec<_> = program.into_iter().map(|word| word.as_ref().to_owned()).collect();
        let child = Mutex::new(spawn(&program, &log));
        Self { program, log, child }
    }

    /// Waits for a condition that only a running server can fulfil. Panics if the server ends.
    #[track_caller]
    pub fn wait_until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        wait_until(what, || {
            let fulfilled = condition();
            assert!(fulfilled || self.is_running(), "{:?}: {}", self.program, self.output());
            fulfilled
        });
    }

    pub fn pid(&self) -> u32 {
        lock(&self.child).id()
    }

    pub fn is_running(&self) -> bool {
        lock(&self.child).try_wait().unwrap().is_none()
    }

    /// Kills the process with SIGKILL. Returns when it has ended.
    pub fn kill(&self) {
        let mut child = lock(&self.child);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Stops the process with SIGSTOP. The kernel still accepts connections for it.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets a stopped process continue, with SIGCONT.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Kills the process if it runs, and starts it again with the same arguments.
    pub fn start_again(&self) {
        self.kill();
        *lock(&self.child) = spawn(&self.program, &self.log);
    }

    /// Returns the output of the server since its last start.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Ends the process with SIGTERM, and waits until it has ended.
    pub fn terminate(&self) {
        self.signal("-TERM");
        wait_until("the process ends", || !self.is_running());
    }

    /// Sends a signal, named as `kill` names it.
    pub fn signal(&self, signal: &str) {
        assert!(self.is_running(), "{:?} has ended: {}", self.program, self.output());
        let status = Command::new("kill").args([signal, &self.pid().to_string()]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

type Order = (Command, SyncSender<io::Result<Child>>);

/// Starts a process that the kernel kills when this process ends.
///
/// The kernel kills it already when the *thread* that started it ends. A test's thread may end
/// before a server that it shares with other tests, so one thread that never ends starts all
/// processes.
fn spawn(program: &[OsString], log: &Path) -> Child {
    static STARTER: LazyLock<Mutex<Sender<Order>>> = LazyLock::new(|| {
        let (orders, ordered) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, started) in ordered {
                let _ = started.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let log = File::create(log).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).args(program).stdin(Stdio::null());
    command.stdout(log.try_clone().unwrap()).stderr(log);
    let (started, starting) = mpsc::sync_channel(1);
    lock(&STARTER).send((command, started)).unwrap();
    starting.recv().unwrap().expect("setpriv, of util-linux, is on the PATH")
}
