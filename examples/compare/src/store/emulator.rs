//! An emulator of DynamoDB, in a process of its own, so that it can be stopped.

use std::net::Ipv4Addr;
use std::path::Path;

use tokio::net::TcpListener;

use super::{Breakage, Dialect, Door, Store};
use crate::Fallible;
use crate::machine::locked;
use crate::process::{Process, this_program};

const LISTENING: &str = "emulating DynamoDB on port ";

/// Runs in the emulator's process.
pub(crate) async fn serve() -> Fallible<()> {
    let database = dynoxide::Database::memory().map_err(|error| error.to_string())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{LISTENING}{}", listener.local_addr()?.port());
    dynoxide::server::serve_on(listener, database).await;
    Ok(())
}

pub(super) async fn open(folder: &Path) -> Fallible<Store> {
    let command = this_program("dynamodb-emulator")?;
    let mut server = Process::start(command, folder.join("emulator.log"))?;
    let port = server.announcement(LISTENING).await?.parse()?;
    let mut store = Store::at(url(port), "the emulator dynoxide on loopback, in memory");
    store.version = Some(("dynoxide".into(), locked("dynoxide-rs")));
    store.remarks = vec![
        "An emulator: its times say nothing about DynamoDB's, which are a few milliseconds.".into(),
    ];
    store.servers = vec![server];
    store.door = Some(Door { port, dialect: Dialect::Http, at: url });
    store.breakage = Some(Breakage::Standstill);
    Ok(store)
}

fn url(port: u16) -> String {
    let endpoint = format!("http%3A%2F%2F127.0.0.1%3A{port}");
    format!("dynamodb://sessions?region=eu-central-1&create=true&endpoint={endpoint}")
}
