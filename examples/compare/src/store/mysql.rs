//! One MariaDB server.

use std::fs;
use std::path::Path;

use super::programs::{self, Program};
use super::{Breakage, Dialect, Door, Opening, Store};
use crate::Fallible;
use crate::process::{Process, folder_without_root, on_a_free_port, without_root};

/// On the PATH, or where Debian has it for root.
const CANDIDATES: [&str; 2] = ["mariadbd", "/usr/sbin/mariadbd"];
const SETTINGS: [&str; 6] = [
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--skip-log-bin",
    "--skip-slave-start",
    "--max-connections=400",
    "--innodb-use-native-aio=0",
];
/// The statements that the server runs before it takes connections, one a line.
const FIRST: &str = "CREATE DATABASE IF NOT EXISTS shop;
CREATE USER IF NOT EXISTS 'shop'@'%' IDENTIFIED BY 'shop';
GRANT ALL ON shop.* TO 'shop'@'%';
";

pub(super) async fn open(folder: &Path) -> Fallible<Opening> {
    let Some(program) = programs::first(&CANDIDATES) else {
        return Ok(Opening::Needs("mariadbd, which scripts/install-tools gets".into()));
    };
    let [data, scratch] = ["data", "scratch"].map(|name| folder.join(name));
    folder_without_root(&data)?;
    folder_without_root(&scratch)?;
    fs::write(folder.join("first.sql"), FIRST)?;
    let mut command = without_root(Path::new("mariadb-install-db"))?;
    command.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
    command.args(["--innodb-use-native-aio=0", &format!("--datadir={}", data.display())]);
    command.env("TMPDIR", &scratch);
    Process::start(command, folder.join("install.log"))?.finished("mariadb-install-db").await?;
    let (port, server) = start(&program, &data, folder).await?;
    let version = program.version.split('-').next().unwrap_or_default().to_owned();
    let setting = format!(
        "MariaDB {version} on loopback, one server, which writes to this machine's disk before it answers"
    );
    let mut store = Store::at(url(port), setting);
    store.version = Some(("MariaDB".into(), version));
    store.remarks = vec![
        "One server: RDS Multi-AZ also waits for its standby, some milliseconds at each change."
            .into(),
    ];
    store.servers = vec![server];
    store.door = Some(Door { port, dialect: Dialect::Mysql, at: url });
    store.breakage = Some(Breakage::Standstill);
    Ok(Opening::Open(store))
}

fn url(port: u16) -> String {
    format!("mysql://shop:shop@127.0.0.1:{port}/shop?create=true")
}

async fn start(program: &Program, data: &Path, folder: &Path) -> Fallible<(u16, Process)> {
    on_a_free_port(async |port| {
        let mut command = without_root(&program.path)?;
        command.args(["--no-defaults", &format!("--port={port}")]).args(SETTINGS);
        for (option, path) in [
            ("datadir", data.to_owned()),
            ("tmpdir", data.to_owned()),
            ("socket", data.join("socket")),
            ("pid-file", data.join("pid")),
            ("init-file", folder.join("first.sql")),
        ] {
            command.arg(format!("--{option}={}", path.display()));
        }
        let mut server = Process::start(command, folder.join(format!("server-{port}.log")))?;
        server.wait_for("a server that answers", async |_: &Process| is_ready(port).await).await?;
        Ok(server)
    })
    .await
}

/// The server greets whoever connects with its name and version.
async fn is_ready(port: u16) -> Option<()> {
    programs::ask(port, "", "MariaDB").await.map(drop)
}
