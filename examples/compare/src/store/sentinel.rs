//! A primary and its replica, watched over by three Sentinels.

use std::fs;
use std::path::Path;

use super::programs::{self, Program};
use super::redis::{self, is_ready};
use super::{Breakage, Dialect, Door, Opening, Store};
use crate::Fallible;
use crate::process::{Process, attached, on_a_free_port};

const WATCHERS: usize = 3;
const SERVICE: &str = "sessions";

pub(super) async fn open(folder: &Path) -> Fallible<Opening> {
    let Some(program) = redis::program() else { return Ok(redis::missing()) };
    let (port, primary) = redis::start(&program, folder, &[]).await?;
    let of = ["--replicaof", &format!("127.0.0.1 {port}")];
    let (_, replica) = redis::start(&program, folder, &of).await?;
    let mut servers = vec![primary, replica];
    let mut watchers = Vec::new();
    for number in 0..WATCHERS {
        let (watcher, process) = watcher(&program, folder, number, port).await?;
        watchers.push(watcher);
        servers.push(process);
    }
    for &watcher in &watchers {
        let whole = async |_: &Process| is_whole(watcher).await;
        servers[0].wait_for("Sentinels that know each other and the replica", whole).await?;
    }
    let hosts: Vec<_> = watchers.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let mut store = Store::at(
        format!("redis-sentinel://{}/{SERVICE}", hosts.join(",")),
        format!(
            "{} {} on loopback, a primary with one replica and {WATCHERS} Sentinels",
            program.name, program.version
        ),
    );
    store.version = Some((program.name, program.version));
    store.remarks = vec![
        "Replication is asynchronous: what the primary acknowledged last can be lost with it."
            .into(),
    ];
    store.servers = servers;
    // The relay's URL leaves out the Sentinels, which would name the primary itself. The commands
    // are the same.
    store.door = Some(Door { port, dialect: Dialect::Redis, at: redis::url });
    store.breakage = Some(Breakage::Failover);
    Ok(Opening::Open(store))
}

/// Sentinels keep their state in their configuration, so each has a folder of its own.
async fn watcher(
    program: &Program,
    folder: &Path,
    number: usize,
    primary: u16,
) -> Fallible<(u16, Process)> {
    let own = folder.join(format!("sentinel-{number}"));
    fs::create_dir_all(&own)?;
    on_a_free_port(async |port| watch(program, &own, port, primary).await).await
}

async fn watch(program: &Program, own: &Path, port: u16, primary: u16) -> Fallible<Process> {
    let file = own.join("sentinel.conf");
    let text = format!(
        "port {port}\nbind 127.0.0.1\ndir {}\n\
         sentinel monitor {SERVICE} 127.0.0.1 {primary} 2\n\
         sentinel down-after-milliseconds {SERVICE} 3000\n\
         sentinel failover-timeout {SERVICE} 5000\n\
         sentinel parallel-syncs {SERVICE} 1\n",
        own.display()
    );
    fs::write(&file, text)?;
    let mut command = attached(&program.path)?;
    command.arg(&file).arg("--sentinel");
    let mut process = Process::start(command, own.join("log"))?;
    process.wait_for("a Sentinel that answers", async |_: &Process| is_ready(port).await).await?;
    Ok(process)
}

/// Whether a Sentinel knows the replica and the other Sentinels.
async fn is_whole(port: u16) -> Option<()> {
    let question = format!("SENTINEL MASTER {SERVICE}\r\n");
    let about = programs::ask(port, &question, "parallel-syncs").await?;
    let is = |field: &str, value: &str| {
        about.contains(&format!("{field}\r\n${}\r\n{value}\r\n", value.len()))
    };
    (is("flags", "master") && is("num-slaves", "1") && is("num-other-sentinels", "2")).then_some(())
}
