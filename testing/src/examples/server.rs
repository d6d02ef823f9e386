//! An example as a server process. Dropping it ends the process.

use std::env::{self, consts::EXE_SUFFIX};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use cloakroom::store::StoreErrorKind;

use crate::processes::wait_until;

/// How often an example is started that ends because its store is slow.
pub(crate) const STARTS: usize = 10;

#[derive(Debug)]
pub struct Server {
    child: Child,
    pub url: String,
}

impl Server {
    /// Starts an example and waits for the line with its address. Starts it again while its store is too slow for it.
    pub fn start(example: &str, variables: &[(&str, &str)]) -> Self {
        match Self::try_start(example, variables) {
            Ok(server) => server,
            Err(error) => panic!("`{example}` with {variables:?} did not start: {error}"),
        }
    }

    /// Like [`Server::start`], but returns the last error of an example that ends instead of listening.
    pub(crate) fn try_start(example: &str, variables: &[(&str, &str)]) -> Result<Self, String> {
        let mut starts = 1;
        loop {
            match Self::start_once(example, variables) {
                Err(error) if starts < STARTS && is_slow_store(&error) => starts += 1,
                started => return started,
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn start_once(example: &str, variables: &[(&str, &str)]) -> Result<Self, String> {
        let mut child = command(example, variables).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut errors = child.stderr.take().unwrap();
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            let mut error = String::new();
            errors.read_to_string(&mut error).unwrap();
            child.wait().unwrap();
            return Err(error);
        };
        // A pipe that nobody reads gets full, and then the server would wait.
        thread::spawn(move || io::copy(&mut errors, &mut io::sink()));
        Ok(Self { child, url: url.to_owned() })
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Kills the process with SIGKILL. Returns when it has ended.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends the process with SIGTERM. Returns when it has answered what it had begun.
    pub fn terminate(&mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        wait_until("the server ends", || self.child.try_wait().unwrap().is_some());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns whether an example that ended with this error may start at the next try. It connects to its store once,
/// within about a second, and ends if that takes longer, as on a busy machine. Every other error is caused by a wrong variable.
pub(crate) fn is_slow_store(error: &str) -> bool {
    use StoreErrorKind::{Indeterminate, Unavailable};
    [Unavailable, Indeterminate].iter().any(|kind| error.contains(&kind.to_string()))
}

/// Returns a command that runs the example on a free port, with none of its variables set but
/// these.
pub fn command(example: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(built(example));
    for name in ["NODE", "STORE", "SESSION_KEYS", "IDLE", "LIFETIME", "TIMEOUT", "LIMIT"] {
        command.env_remove(name);
    }
    command.env("PORT", "0").envs(variables.iter().copied()).stdout(Stdio::piped());
    command
}

/// Returns the path of the example, and builds it if it is missing: `cargo test` builds the
/// examples, and `cargo test --test NAME` does not.
fn built(example: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).expect("tests are in target/PROFILE/deps");
    let binary = profile.join("examples").join(format!("{example}{EXE_SUFFIX}"));
    if !binary.exists() {
        let name = match profile.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(name) => name,
        };
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args(["build", "--package", "cloakroom", "--example", example, "--profile", name])
            .arg("--target-dir")
            .arg(profile.parent().unwrap())
            .status();
        assert!(status.unwrap().success(), "the example `{example}` does not build");
    }
    binary
}
