//! One PostgreSQL server.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use super::programs::{self, Program};
use super::{Breakage, Dialect, Door, Opening, Store};
use crate::Fallible;
use crate::process::{Process, folder_without_root, on_a_free_port, without_root};

/// Where Debian has the programs, each release in a folder of its own.
const RELEASES: &str = "/usr/lib/postgresql";
const SETTINGS: [&str; 5] = [
    "listen_addresses=127.0.0.1",
    // Nobody looks for a socket, which would need a folder.
    "unix_socket_directories=",
    "max_connections=200",
    "log_line_prefix=",
    "lc_messages=C",
];
const READY: &str = "LOG:  database system is ready to accept connections";

pub(super) async fn open(folder: &Path) -> Fallible<Opening> {
    let Some((program, initdb)) = installed() else {
        return Ok(Opening::Needs("PostgreSQL, which scripts/install-tools gets".into()));
    };
    let data = folder.join("data");
    folder_without_root(&data)?;
    let mut command = without_root(&initdb)?;
    command.args(["--no-sync", "--no-locale", "-E", "UTF8", "-U", "shop", "--auth=trust", "-D"]);
    Process::start(with(command, &data), folder.join("initdb.log"))?.finished("initdb").await?;
    let (port, server) = start(&program, &data, folder).await?;
    let setting = format!(
        "PostgreSQL {} on loopback, one server, which writes to this machine's disk before it answers",
        program.version
    );
    let mut store = Store::at(url(port), setting);
    store.version = Some(("PostgreSQL".into(), program.version));
    store.remarks = vec![
        "One server: RDS Multi-AZ also waits for its standby, some milliseconds at each change."
            .into(),
    ];
    store.servers = vec![server];
    store.door = Some(Door { port, dialect: Dialect::Postgres, at: url });
    store.breakage = Some(Breakage::Standstill);
    Ok(Opening::Open(store))
}

fn url(port: u16) -> String {
    format!("postgres://shop@127.0.0.1:{port}/postgres?create=true")
}

/// Returns the server and `initdb` of the newest release.
fn installed() -> Option<(Program, PathBuf)> {
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let releases = fs::read_dir(RELEASES).into_iter().flatten().flatten();
    let mut releases: Vec<_> = releases.map(|entry| entry.path()).collect();
    releases.sort_by_key(number);
    // A name alone is looked up on the PATH.
    let places = releases.into_iter().rev().map(|release| release.join("bin"));
    let programs = places.chain([PathBuf::new()]).filter_map(|place| {
        let program = programs::at(place.join("postgres"))?;
        Some((program, place.join("initdb")))
    });
    programs.into_iter().next()
}

async fn start(program: &Program, data: &Path, folder: &Path) -> Fallible<(u16, Process)> {
    on_a_free_port(async |port| {
        let mut command = without_root(&program.path)?;
        command.args(["-c", &format!("port={port}")]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.arg("-D");
        let log = folder.join(format!("server-{port}.log"));
        // A server that is killed would leave a piece of shared memory behind.
        let mut server = Process::start(with(command, data), log)?.ended_by(Signal::QUIT);
        server.announcement(READY).await?;
        Ok(server)
    })
    .await
}

fn with(mut command: std::process::Command, data: &Path) -> std::process::Command {
    command.arg(data);
    command
}
