//! One server.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::account::{give, under_account};
use super::programs::{program, run};
use crate::processes::{Folder, Process, answers, free_port, wait_until};

/// The user of the tests, who has tables of its own.
pub const USER: &str = "sessions";
pub const PASSWORD: &str = "correct-horse";
pub const DATABASE: &str = "app";

/// Returns a name for a table that no other test of this process has.
pub fn table() -> String {
    static TABLES: AtomicU32 = AtomicU32::new(0);
    format!("sessions_{}", TABLES.fetch_add(1, Ordering::Relaxed))
}

/// A server in plain text on loopback and on a Unix socket. It believes whoever says to be a user, because
/// the logins of thousands of tests would take minutes in a build without optimisation.
#[derive(Debug)]
pub struct Server {
    pub port: u16,
    pub process: Process,
    folder: Folder,
}

impl Server {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a server with further settings, such as `max_connections=20`.
    pub fn with(settings: &[&str]) -> Self {
        let folder = Folder::new();
        copy(&TEMPLATE.join("data"), &folder.join("data"));
        Self::on(folder, settings)
    }

    /// Starts a server that asks for the password of whoever comes over TCP.
    pub fn guarded(settings: &[&str]) -> Self {
        let folder = Folder::new();
        copy(&TEMPLATE.join("data"), &folder.join("data"));
        let rules = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        let file = folder.join("data/pg_hba.conf");
        std::fs::write(&file, rules).unwrap();
        give(&file);
        Self::on(folder, settings)
    }

    /// Returns a server that all tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Server> = LazyLock::new(Server::start);
        &SHARED
    }

    /// Starts a server on the data in this folder.
    pub(super) fn on(folder: Folder, settings: &[&str]) -> Self {
        let port = free_port();
        let run = folder.join("run");
        std::fs::create_dir(&run).unwrap();
        give(&run);
        let process = start(&folder, port, settings);
        let server = Self { port, process, folder };
        server.wait_until_ready();
        server
    }

    #[track_caller]
    fn wait_until_ready(&self) {
        self.process.wait_until("a server that answers", || {
            answers(self.port) && self.try_sql("SELECT 1").is_some()
        });
    }

    /// Runs a statement as the superuser, and returns its rows: one a line, with `|` between the columns.
    #[track_caller]
    pub fn sql(&self, text: &str) -> String {
        run("psql", self.psql(text))
    }

    fn try_sql(&self, text: &str) -> Option<String> {
        let output = Command::new(program("psql")).args(self.psql(text)).output().unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn psql(&self, text: &str) -> Vec<OsString> {
        let host = self.socket_folder();
        let port = self.port.to_string();
        let words =
            ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-p", &port];
        let mut words: Vec<OsString> = words.iter().map(OsString::from).collect();
        words.extend(["-h".into(), host.into(), "-d".into(), DATABASE.into()]);
        words.extend(["-c".into(), text.into()]);
        words
    }

    pub fn socket_folder(&self) -> PathBuf {
        self.folder.join("run")
    }

    pub fn data_folder(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Returns a URL with a login. The port may be another one that leads here.
    pub fn url_at(&self, port: u16) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{port}/{DATABASE}")
    }

    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// Returns the URL of a table of one's own, which the store makes.
    pub fn url_of(&self, table: &str) -> String {
        format!("{}?table={table}&create=true", self.url())
    }

    fn processes(&self) -> Vec<String> {
        let parent = self.process.pid().to_string();
        let is_child = |stat: &str| {
            let after_name = stat.rsplit(") ").next().unwrap_or_default();
            after_name.split(' ').nth(1) == Some(&*parent)
        };
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let children = all.filter(|entry| {
            std::fs::read_to_string(entry.path().join("stat")).is_ok_and(|stat| is_child(&stat))
        });
        children.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    fn signal_children(&self, signal: &str) {
        for child in self.processes() {
            // One may have ended by itself.
            let _ = Command::new("kill").args([signal, &child]).output();
        }
    }

    /// Stops all processes of the server with SIGSTOP. The kernel still accepts connections for it.
    pub fn freeze(&self) {
        // First the one that starts others.
        self.process.freeze();
        wait_until("a server that stands still", || is_stopped(&self.process.pid().to_string()));
        self.signal_children("-STOP");
        wait_until("processes that stand still", || {
            self.processes().iter().all(|child| is_stopped(child))
        });
    }

    pub fn thaw(&self) {
        self.signal_children("-CONT");
        self.process.thaw();
    }

    /// Kills all processes of the server with SIGKILL.
    pub fn kill(&self) {
        self.freeze();
        let children = self.processes();
        for child in &children {
            let _ = Command::new("kill").args(["-KILL", child]).output();
        }
        self.process.kill();
        wait_until("no process is left", || {
            !children.iter().any(|child| Path::new("/proc").join(child).exists())
        });
    }

    /// Kills the server if it runs, and starts it again on the same data and the same port.
    pub fn start_again(&self) {
        if self.process.is_running() {
            self.kill();
        }
        self.process.start_again();
        self.wait_until_ready();
    }

    /// Ends all connections that are not this harness's.
    pub fn terminate_backends(&self) -> usize {
        let ended = self.sql(&format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{USER}'"
        ));
        ended.parse().unwrap()
    }

    /// Returns how often statements were run whose text contains the table's name.
    pub fn statements(&self, table: &str) -> Vec<(String, u64)> {
        let rows = self.sql(&format!(
            "SELECT split_part(regexp_replace(query, '\\s+', ' ', 'g'), ' ', 1) \
             || CASE WHEN query LIKE '%INSERT%' THEN ' create' \
             WHEN query LIKE '%SET version = $%' THEN ' replace' \
             WHEN query LIKE '%SET deadline = $%' THEN ' touch' \
             WHEN query LIKE '%DELETE%' THEN ' delete' ELSE ' load' END, calls \
             FROM pg_stat_statements WHERE query LIKE '%{table} %' \
             AND query NOT LIKE 'CREATE TABLE%' AND query NOT LIKE 'ALTER TABLE%' ORDER BY 1"
        ));
        let row = |row: &str| {
            let (name, calls) = row.rsplit_once('|').unwrap();
            (name.split(' ').next_back().unwrap().to_owned(), calls.parse().unwrap())
        };
        rows.lines().map(row).collect()
    }
}

/// A server that is killed leaves a small piece of shared memory behind; one that ends by itself does not.
impl Drop for Server {
    fn drop(&mut self) {
        if !self.process.is_running() {
            return;
        }
        self.thaw();
        self.process.signal("-QUIT");
        let begun = std::time::Instant::now();
        while self.process.is_running() && begun.elapsed().as_secs() < 5 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

fn is_stopped(pid: &str) -> bool {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid).join("status"));
    status.map_or(true, |status| status.contains("State:\tT") || status.contains("State:\tZ"))
}

fn start(folder: &Folder, port: u16, settings: &[&str]) -> Process {
    let number = format!("port={port}");
    let sockets = format!("unix_socket_directories={}", folder.join("run").display());
    let usual = [
        &*number,
        &sockets,
        "listen_addresses=127.0.0.1",
        "fsync=off",
        "max_connections=150",
        "shared_buffers=32MB",
        "shared_preload_libraries=pg_stat_statements",
        "max_wal_size=256MB",
    ];
    let mut words: Vec<OsString> = vec![program("postgres").into()];
    words.extend(["-D".into(), folder.join("data").into()]);
    for setting in usual.iter().chain(settings) {
        words.extend(["-c".into(), setting.into()]);
    }
    Process::start(under_account(words), folder.join("log"))
}

/// A server's data with the user and the database of the tests. Making them takes seconds, copying does not.
static TEMPLATE: LazyLock<Folder> = LazyLock::new(|| {
    let folder = Folder::new();
    let data = folder.join("data");
    make_folder(&data);
    let words = ["--no-sync", "--no-locale", "-E", "UTF8", "-U", "postgres", "--auth-local=trust"];
    let words = words.iter().map(OsString::from);
    let rest = ["--auth-host=trust".into(), "-D".into(), data.clone().into()];
    run("initdb", words.chain(rest));
    let setup = format!(
        "CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'\n\
         CREATE ROLE powerless LOGIN PASSWORD '{PASSWORD}'\n\
         CREATE DATABASE {DATABASE} OWNER {USER}\n"
    );
    single_user(&data, "postgres", &setup);
    single_user(&data, DATABASE, "CREATE EXTENSION pg_stat_statements\n");
    folder
});

/// Runs statements, one a line, without a server.
fn single_user(data: &Path, database: &str, statements: &str) {
    use std::io::Write;
    let words = [program("postgres").into(), "--single".into(), "-D".into(), data.into()];
    let preload = ["-c".into(), "shared_preload_libraries=pg_stat_statements".into()];
    let fast = ["-c".into(), "fsync=off".into(), database.into()];
    let words = under_account(words.into_iter().chain(preload).chain(fast));
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).current_dir("/").stdin(std::process::Stdio::piped());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(statements.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !errors.contains("ERROR"), "{errors}");
}

/// Makes a folder that only the servers' account can read, as PostgreSQL demands.
pub(super) fn make_folder(path: &Path) {
    std::fs::create_dir(path).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
    give(path);
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(status.unwrap().success());
}
