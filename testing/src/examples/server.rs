//! An example as a server process. Dropping it ends the process.

use std::env::{self, consts::EXE_SUFFIX};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::processes::wait_until;

#[derive(Debug)]
pub struct Server {
    child: Child,
    pub url: String,
}

impl Server {
    /// Starts an example and waits for the line with its address.
    pub fn start(example: &str, variables: &[(&str, &str)]) -> Self {
        let mut child = command(example, variables).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            panic!("`{example}` with {variables:?} did not start, it said {line:?}");
        };
        Self { child, url: url.to_owned() }
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
