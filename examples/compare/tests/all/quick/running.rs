//! Runs the program as a process, and watches everything that it has started.

use std::env;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{self, Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The time-out of a run: far more than it takes, for a machine that has much other work.
const RUN_TIMEOUT: Duration = Duration::from_secs(1_800);
/// The time-out until everything is killed and removed.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(20);

/// A variable in the environment of the program and of all that it starts.
const MARK: &str = "COMPARE_TEST";

pub(crate) struct Running {
    child: Child,
    mark: String,
    folder: PathBuf,
}

impl Running {
    pub(crate) fn start(options: &[&str]) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let mark = format!("{}-{number}", process::id());
        let folder = env::temp_dir().join(format!("compare-test-{mark}"));
        let temporary = folder.join("tmp");
        fs::create_dir_all(&temporary).unwrap();
        let output = File::create(folder.join("output")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_compare"))
            .args(options)
            .arg("--out")
            .arg(folder.join("out"))
            .env(MARK, &mark)
            .env("TMPDIR", &temporary)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Self { child, mark, folder }
    }

    /// The folder of the report.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.join("out")
    }

    /// Waits for something while the program runs.
    pub(crate) fn until_seen(&mut self, mut condition: impl FnMut() -> bool) {
        self.until("what it does", RUN_TIMEOUT, |running| {
            assert_eq!(running.child.try_wait().unwrap(), None, "{}", running.output());
            condition()
        });
    }

    pub(crate) fn report(&self) -> PathBuf {
        self.folder.join("out/report.json")
    }

    /// Waits for the end, and returns the exit code and the output.
    pub(crate) fn wait(&mut self) -> (ExitStatus, String) {
        let mut status = None;
        self.until("the end", RUN_TIMEOUT, |running| {
            status = running.child.try_wait().unwrap();
            status.is_some()
        });
        (status.unwrap(), self.output())
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// The processes that run, the program's own among them.
    pub(crate) fn until_there_are_processes(&mut self, number: usize) {
        self.until("the processes", RUN_TIMEOUT, |running| {
            assert_eq!(running.child.try_wait().unwrap(), None, "{}", running.output());
            running.processes().len() >= number
        });
    }

    pub(crate) fn assert_nothing_left(&mut self) {
        // A process that is being killed may take a moment.
        self.until("the end of all processes", CLEANUP_TIMEOUT, |running| {
            running.processes().is_empty()
        });
        let left = |running: &Self| fs::read_dir(running.folder.join("tmp")).unwrap().count();
        self.until("an empty folder", CLEANUP_TIMEOUT, |running| left(running) == 0);
    }

    fn until(
        &mut self,
        what: &str,
        timeout: Duration,
        mut condition: impl FnMut(&mut Self) -> bool,
    ) {
        let begun = Instant::now();
        while !condition(self) {
            assert!(begun.elapsed() < timeout, "{what}: {}", self.output());
            thread::sleep(PAUSE);
        }
    }

    /// Returns the ids of the processes with the mark. A dead one that nobody has waited for has no
    /// mark.
    fn processes(&self) -> Vec<u32> {
        let mark = format!("{MARK}={}", self.mark);
        let has_mark = |number: &u32| {
            let variables = fs::read(format!("/proc/{number}/environ")).unwrap_or_default();
            variables.split(|&byte| byte == 0).any(|variable| variable == mark.as_bytes())
        };
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers.filter(has_mark).collect()
    }

    fn output(&self) -> String {
        fs::read_to_string(self.folder.join("output")).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
