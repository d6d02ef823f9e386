//! A process and its children, such as PostgreSQL's, which has one for each connection.

use std::fs;
use std::io;

use rustix::process::{Pid, Signal, kill_process};

/// Stops a process and its children with SIGSTOP. The kernel still accepts connections for them, and
/// nobody answers.
pub(crate) fn freeze(process: Pid) -> io::Result<()> {
    // First the one that starts others, so that the children are all that there will be.
    kill_process(process, Signal::STOP)?;
    signal_children(process, Signal::STOP);
    Ok(())
}

pub(crate) fn thaw(process: Pid) -> io::Result<()> {
    signal_children(process, Signal::CONT);
    Ok(kill_process(process, Signal::CONT)?)
}

fn signal_children(parent: Pid, signal: Signal) {
    for child in children(parent) {
        // It may have ended by itself.
        let _ = kill_process(child, signal);
    }
}

fn children(parent: Pid) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let children = processes.filter_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        (parent_in(&stat)? == parent.as_raw_nonzero().get()).then(|| Pid::from_raw(id))?
    });
    children.collect()
}

/// Reads the parent from a line such as `7 (a) name) S 1 …`.
fn parent_in(stat: &str) -> Option<i32> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    after_name.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn children_are_found_and_stopped_with_their_parent() {
        let mut parent = Command::new("sh");
        parent.args(["-c", "sleep 60 & wait"]).stdin(Stdio::null());
        let mut parent = parent.spawn().unwrap();
        let id = Pid::from_raw(i32::try_from(parent.id()).unwrap()).unwrap();
        let child = loop {
            if let [child] = children(id)[..] {
                break child;
            }
        };
        let state = |process: Pid| {
            let id = process.as_raw_nonzero();
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
            stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
        };
        freeze(id).unwrap();
        while [id, child].map(state) != ['T', 'T'] {}
        thaw(id).unwrap();
        while [id, child].map(state).contains(&'T') {}
        signal_children(id, Signal::KILL);
        parent.wait().unwrap();
    }

    #[test]
    fn a_name_may_look_like_the_rest() {
        assert_eq!(parent_in("7 (a) R 9 b) S 1 7 7"), Some(1));
        assert_eq!(parent_in("7"), None);
    }
}
