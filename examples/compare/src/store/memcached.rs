//! One memcached server.

use std::path::Path;

use super::programs::{self, Program};
use super::{Breakage, Dialect, Door, Opening, Store};
use crate::Fallible;
use crate::process::{Process, attached, on_a_free_port};

const CANDIDATES: [&str; 2] = ["memcached-trixie/memcached-server", "memcached"];

pub(super) async fn open(folder: &Path) -> Fallible<Opening> {
    let Some(program) = programs::first(&CANDIDATES) else {
        return Ok(Opening::Needs("memcached, which scripts/install-tools gets".into()));
    };
    let (port, server) = start(&program, folder).await?;
    let mut store = Store::at(
        url(port),
        format!("{} {} on loopback, one server", program.name, program.version),
    );
    store.version = Some((program.name, program.version));
    store.remarks = vec![
        "In the outage the server is only stopped. A memcached that is restarted comes back empty, \
         and all of its sessions are lost."
            .into(),
    ];
    store.servers = vec![server];
    store.door = Some(Door { port, dialect: Dialect::Memcached, at: url });
    store.breakage = Some(Breakage::Standstill);
    Ok(Opening::Open(store))
}

fn url(port: u16) -> String {
    format!("memcached://127.0.0.1:{port}")
}

async fn start(program: &Program, folder: &Path) -> Fallible<(u16, Process)> {
    on_a_free_port(async |port| {
        let mut command = attached(&program.path)?;
        // memcached refuses to run as root without `-u`; for other users the option has no effect.
        command.args(["-u", "root", "-l", "127.0.0.1", "-p", &port.to_string()]);
        command.args(["-U", "0", "-t", "2", "-m", "512"]);
        let mut server = Process::start(command, folder.join(format!("server-{port}.log")))?;
        server.wait_for("a server that answers", async |_: &Process| is_ready(port).await).await?;
        Ok(server)
    })
    .await
}

async fn is_ready(port: u16) -> Option<()> {
    let answer = programs::ask(port, "version\r\n", "\r\n").await?;
    answer.starts_with("VERSION").then_some(())
}
