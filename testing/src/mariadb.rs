//! Real MariaDB servers on free ports, each with its own folder. They end with the test.
//!
//! A server does not run as root: if the tests do, it runs as the user `nobody`. Its tables are fresh, and
//! it has one database and one user. Its settings are for speed: what has been committed survives the end of
//! the process, though not a power cut.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::certificates::Authority;
use crate::processes::{Folder, Process, answers, free_port, wait_until};

pub const DATABASE: &str = "shop";
pub const USER: &str = "sessions";
pub const PASSWORD: &str = "correct-horse";
pub const TABLE: &str = "cloakroom";

const NOBODY: &str = "65534";
const SETTINGS: [&str; 12] = [
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=8M",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-use-native-aio=0",
    "--innodb-fast-shutdown=2",
    "--skip-log-bin",
    "--skip-name-resolve",
    "--skip-slave-start",
    "--performance-schema=OFF",
    "--max-connections=400",
    "--bind-address=127.0.0.1",
    "--character-set-server=utf8mb4",
];

/// The tables of a server that has not been started yet. Making them takes seconds, copying them does not.
static FRESH: LazyLock<Folder> = LazyLock::new(|| {
    let folder = Folder::new();
    let data = folder.join("data");
    std::fs::create_dir(&data).unwrap();
    give_away(&data);
    // A server that starts removes the temporary tables that it finds, those of another one too.
    let tmpdir = format!("--tmpdir={}", data.display());
    let data = format!("--datadir={}", data.display());
    let options = ["--no-defaults", &data, &tmpdir, "--auth-root-authentication-method=normal"];
    let more = ["--skip-test-db", "--innodb-log-file-size=8M", "--innodb-use-native-aio=0"];
    let program = as_nobody("mariadb-install-db", &[&options[..], &more].concat());
    let output = Command::new(&program[0]).args(&program[1..]).output();
    let output = output.expect("setpriv, of util-linux, is on the PATH");
    let says = [output.stdout, output.stderr].concat();
    let says = String::from_utf8_lossy(&says);
    assert!(output.status.success(), "mariadb-server is missing (scripts/install-tools)? {says}");
    folder
});

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// Returns the command that runs a program as a user who is not root.
fn as_nobody(program: &str, options: &[&str]) -> Vec<String> {
    // The kernel forgets that a process is to be killed with its parent when its user changes.
    let user = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"];
    let end = ["--pdeathsig", "KILL", "--"];
    let before = if is_root() { [&user[..], &end].concat() } else { vec![] };
    before.iter().chain([&program]).chain(options).map(|word| (*word).to_owned()).collect()
}

/// Gives a file or folder to the user who runs the server.
fn give_away(path: &Path) {
    if is_root() {
        run(Command::new("chown").arg("-R").arg(format!("{NOBODY}:{NOBODY}")).arg(path));
    }
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// One server.
#[derive(Debug)]
pub struct Server {
    pub port: u16,
    pub process: Process,
    pub socket: PathBuf,
    // After the process, so that it is removed after it.
    folder: Folder,
}

impl Server {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a server with further options.
    pub fn with(options: &[&str]) -> Self {
        Self::within(Folder::new(), options)
    }

    fn within(folder: Folder, options: &[&str]) -> Self {
        let (data, first) = (folder.join("data"), folder.join("sql"));
        run(Command::new("cp").arg("-a").arg(FRESH.join("data")).arg(&data));
        std::fs::write(&first, first_statements()).unwrap();
        let port = free_port();
        let own = [
            "--no-defaults".to_owned(),
            format!("--datadir={}", data.display()),
            format!("--tmpdir={}", data.display()),
            // In a folder that the server may write to.
            format!("--socket={}", data.join("s").display()),
            format!("--pid-file={}", data.join("pid").display()),
            format!("--init-file={}", first.display()),
            format!("--port={port}"),
        ];
        let own: Vec<_> = own.iter().map(String::as_str).collect();
        let program = as_nobody("mariadbd", &[&own[..], &SETTINGS, options].concat());
        let process = Process::start(program, folder.join("log"));
        let server = Self { port, process, socket: data.join("s"), folder };
        server.wait_until_ready();
        server
    }

    #[track_caller]
    fn wait_until_ready(&self) {
        self.process.wait_until("a server that answers", || {
            answers(self.port) && self.try_sql("SELECT 1").is_ok()
        });
    }

    /// Runs statements as root, and returns the rows as lines, their cells separated by tabs.
    #[track_caller]
    pub fn sql(&self, statements: &str) -> String {
        self.try_sql(statements).unwrap_or_else(|error| panic!("{statements}: {error}"))
    }

    /// The same; the error is what the server says.
    pub fn try_sql(&self, statements: &str) -> Result<String, String> {
        let mut client = self.client();
        client.arg("--init-command=SET autocommit = 1").args(["--execute", statements]);
        let output = client.stdin(Stdio::null()).output();
        let output = output.expect("the client `mariadb` is on the PATH");
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Returns the command of a client that is root, takes statements as its input, and prints rows as
    /// [`sql`](Self::sql) returns them.
    pub fn client(&self) -> Command {
        let mut command = Command::new("mariadb");
        command.args(["--no-defaults", "--user=root", "--batch", "--skip-column-names"]);
        command.arg(format!("--socket={}", self.socket.display()));
        command.arg(format!("--database={DATABASE}"));
        command
    }

    /// Returns a number that the server counts, such as `Com_select`, of all connections together.
    #[track_caller]
    pub fn status(&self, name: &str) -> u64 {
        let row = self.sql(&format!("SHOW GLOBAL STATUS LIKE '{name}'"));
        row.split('\t').nth(1).unwrap().parse().unwrap()
    }

    /// Returns the URL, which has no option yet.
    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// Returns the URL through another port.
    pub fn url_at(&self, port: u16) -> String {
        format!("mysql://{USER}:{PASSWORD}@127.0.0.1:{port}/{DATABASE}")
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

    /// Kills the server if it runs, and starts it again on the same port with the same tables.
    pub fn start_again(&self) {
        self.process.start_again();
        self.wait_until_ready();
    }

    /// Returns a path in the server's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// One statement a line, which the server runs each time it starts.
fn first_statements() -> String {
    let table = "(`key` binary(32) NOT NULL PRIMARY KEY, version varbinary(32) NOT NULL, \
                 deadline bigint NOT NULL, bytes mediumblob NOT NULL) ENGINE = InnoDB";
    format!(
        "CREATE DATABASE IF NOT EXISTS {DATABASE};\n\
         CREATE TABLE IF NOT EXISTS {DATABASE}.{TABLE} {table};\n\
         CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\n\
         GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON {DATABASE}.* TO '{USER}'@'%';\n"
    )
}

/// One server with TLS, which takes no other connection from the network.
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
        give_away(&key);
        give_away(&certificate);
        let certificate = format!("--ssl-cert={}", certificate.display());
        let key = format!("--ssl-key={}", key.display());
        let options = ["--require-secure-transport=ON", &certificate, &key];
        let server = Server::within(folder, &options);
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
}
