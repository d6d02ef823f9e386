//! Processes and a folder that end with this program, however it ends.
//!
//! A child asks the kernel for SIGKILL when its parent is gone, and then becomes what it is to be.
//! The kernel means the *thread* that started it: so everything is started by the main thread, which
//! is why the comparison is not spawned onto the runtime. The folder has a janitor, a process that
//! waits for the end of a pipe.

mod account;
mod attached;
mod family;
mod folder;
mod host;
mod ports;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Fallible, Problem};

pub(crate) use account::{folder_without_root, without_root};
pub(crate) use attached::{attach, attached, this_program};
pub(crate) use family::{freeze, thaw};
pub(crate) use folder::{Folder, janitor};
pub(crate) use host::{Host, in_guest};
pub(crate) use ports::on_a_free_port;

/// How long anything may take to start, on a machine that has other work.
const START_TIMEOUT: Duration = Duration::from_secs(90);
/// How long a program may take to end by itself.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(5);

/// A running program. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    /// The signal that asks it to end, if it has to clean up.
    farewell: Option<Signal>,
}

impl Process {
    /// Starts a program whose output goes to `log`.
    pub(crate) fn start(mut command: Command, log: PathBuf) -> io::Result<Self> {
        let output = File::create(&log)?;
        let child =
            command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).spawn()?;
        Ok(Self { child, log, farewell: None })
    }

    /// Ends it with this signal when it is dropped, and kills it only if it does not end.
    pub(crate) fn ended_by(mut self, farewell: Signal) -> Self {
        self.farewell = Some(farewell);
        self
    }

    /// Asks it to end, and waits for a short time.
    fn ask_to_end(&mut self) {
        let (Some(farewell), Some(id), Ok(None)) =
            (self.farewell, self.id(), self.child.try_wait())
        else {
            return;
        };
        let _ = thaw(id).and_then(|()| Ok(kill_process(id, farewell)?));
        let begun = Instant::now();
        while begun.elapsed() < FAREWELL_TIMEOUT && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(PAUSE);
        }
    }

    /// Sends SIGKILL and returns when the process is gone.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(crate) fn id(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// Repeats the question until it has an answer or the process has ended.
    pub(crate) async fn wait_for<T>(
        &mut self,
        what: &str,
        mut question: impl AsyncFnMut(&Self) -> Option<T>,
    ) -> Fallible<T> {
        let begun = Instant::now();
        loop {
            if let Some(answer) = question(self).await {
                return Ok(answer);
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(self.complaint(&format!("{what}: {status}")));
            }
            if begun.elapsed() > START_TIMEOUT {
                return Err(self.complaint(&format!("{what}: not within {START_TIMEOUT:?}")));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until the program has ended, and returns an error if it failed.
    pub(crate) async fn finished(mut self, what: &str) -> Fallible<()> {
        let begun = Instant::now();
        while begun.elapsed() < START_TIMEOUT {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.complaint(&format!("{what}: {status}"))),
                None => tokio::time::sleep(PAUSE).await,
            }
        }
        Err(self.complaint(&format!("{what}: not within {START_TIMEOUT:?}")))
    }

    /// Waits for a line with this beginning in the output, and returns the rest of it.
    pub(crate) async fn announcement(&mut self, beginning: &str) -> Fallible<String> {
        self.wait_for(beginning, async |process: &Self| {
            let output = process.output();
            // A line without its end may still grow.
            let (whole, _) = output.rsplit_once('\n')?;
            whole.lines().find_map(|line| line.strip_prefix(beginning)).map(str::to_owned)
        })
        .await
    }

    fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    fn complaint(&self, what: &str) -> Problem {
        let output = self.output();
        let last: Vec<_> = output.lines().rev().take(5).collect();
        let last: Vec<_> = last.into_iter().rev().collect();
        format!("{what}; its output: {}", last.join(" | ")).into()
    }

    /// Returns the resident memory of the process, as the kernel counts it.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        resident_bytes(Path::new(&format!("/proc/{}/status", self.child.id())))
    }
}

fn resident_bytes(status: &Path) -> Option<u64> {
    let status = fs::read_to_string(status).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

impl Drop for Process {
    fn drop(&mut self) {
        self.ask_to_end();
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_memory_is_seen() {
        let own = resident_bytes(Path::new("/proc/self/status")).unwrap();
        assert!(own > 100_000, "{own}");
        assert_eq!(resident_bytes(Path::new("/proc/self/cmdline")), None);
    }
}
