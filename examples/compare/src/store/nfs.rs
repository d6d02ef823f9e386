//! An NFS server and its clients, each a kernel of its own, as `scripts/nfs-test` sets them up.

use std::env;
use std::net::SocketAddr;
use std::process::{self, Command, Stdio};

use rustix::process::Pid;

use super::{Breakage, Opening, Store};
use crate::Fallible;
use crate::process::{Host, thaw};

/// The environment variable with the server's process and the addresses of the clients' actors,
/// separated by commas.
const GUESTS: &str = "NFS_GUESTS";

/// A folder on the server. It is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Mount {
    pub(super) server: Pid,
    client: Host,
    folder: String,
}

/// Returns whether `scripts/nfs-test` has started this program.
pub(crate) fn is_among_guests() -> bool {
    env::var_os(GUESTS).is_some()
}

pub(super) fn open() -> Fallible<Opening> {
    let Ok(guests) = env::var(GUESTS) else {
        return Ok(Opening::Needs(
            "an NFS server and two clients on machines of their own, which \
             `scripts/nfs-test compare` starts"
                .into(),
        ));
    };
    let (server, hosts) = parsed(&guests).ok_or_else(|| format!("{GUESTS}: {guests}"))?;
    let folder = format!("/mnt/efs/compare-{}", process::id());
    let client = *hosts.first().ok_or("there is no client")?;
    succeed(client.program("mkdir")?.arg(&folder))?;
    let setting = format!(
        "{} client kernels (user-mode Linux) against one NFSv4.1 server on this machine, mounted as \
         AWS recommends for EFS",
        hosts.len()
    );
    let mut store = Store::at(format!("file://{folder}"), setting);
    store.remarks = vec![
        "The times are those of emulated machines, not those of EFS: compare the losses, not the \
         times."
            .into(),
    ];
    store.mount = Some(Box::new(Mount { server, client, folder }));
    store.hosts = hosts;
    store.breakage = Some(Breakage::Standstill);
    Ok(Opening::Open(store))
}

fn parsed(guests: &str) -> Option<(Pid, Vec<Host>)> {
    let (server, clients) = guests.split_once(',')?;
    let clients = clients.split(',').map(|client| client.parse::<SocketAddr>().map(Host::Guest));
    Some((Pid::from_raw(server.parse().ok()?)?, clients.collect::<Result<_, _>>().ok()?))
}

fn succeed(command: &mut Command) -> Fallible<()> {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // The run may have been interrupted while the server was stopped.
        let _ = thaw(self.server);
        let removed = self.client.this_program("janitor").map_err(Into::into);
        if let Err(problem) = removed.and_then(|mut janitor| succeed(janitor.arg(&self.folder))) {
            eprintln!("compare: {} is left there: {problem}", self.folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_a_process_and_addresses() {
        let (server, hosts) = parsed("7,10.98.0.2:7000,10.98.0.3:7000").unwrap();
        assert_eq!(server.as_raw_nonzero().get(), 7);
        assert_eq!(
            hosts.iter().map(|host| host.ip().to_string()).collect::<Vec<_>>(),
            ["10.98.0.2", "10.98.0.3"]
        );
        for wrong in ["", "7", "7,", "0,10.98.0.2:7000", "7,10.98.0.2", "seven,10.98.0.2:7000"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }
}
