//! One Redis or Valkey server.

use std::path::Path;

use super::programs::{self, Program};
use super::{Breakage, Dialect, Door, Opening, Store};
use crate::Fallible;
use crate::process::{Process, attached, on_a_free_port};

/// The programs to look for, ElastiCache's default engine first.
const CANDIDATES: [&str; 5] = [
    "valkey-8/valkey-server",
    "valkey-9/valkey-server",
    "valkey-server",
    "redis-8/redis-server",
    "redis-server",
];

pub(super) fn program() -> Option<Program> {
    programs::first(&CANDIDATES)
}

pub(super) fn missing() -> Opening {
    Opening::Needs("valkey-server or redis-server, which scripts/install-tools gets".into())
}

pub(super) async fn open(folder: &Path) -> Fallible<Opening> {
    let Some(program) = program() else { return Ok(missing()) };
    let (port, server) = start(&program, folder, &[]).await?;
    let mut store = Store::at(
        url(port),
        format!("{} {} on loopback, one server, nothing on disk", program.name, program.version),
    );
    store.version = Some((program.name, program.version));
    store.servers = vec![server];
    store.door = Some(Door { port, dialect: Dialect::Redis, at: url });
    store.breakage = Some(Breakage::Standstill);
    Ok(Opening::Open(store))
}

pub(super) fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}")
}

/// Starts a server and returns when it answers.
pub(super) async fn start(
    program: &Program,
    folder: &Path,
    options: &[&str],
) -> Fallible<(u16, Process)> {
    on_a_free_port(async |port| {
        let mut command = attached(&program.path)?;
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--repl-diskless-sync-delay", "0", "--dir"]).arg(folder).args(options);
        let mut server = Process::start(command, folder.join(format!("server-{port}.log")))?;
        server.wait_for("a server that answers", async |_: &Process| is_ready(port).await).await?;
        Ok(server)
    })
    .await
}

pub(super) async fn is_ready(port: u16) -> Option<()> {
    let answer = programs::ask(port, "PING\r\n", "\r\n").await?;
    answer.starts_with("+PONG").then_some(())
}
