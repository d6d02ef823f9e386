//! The stores that the nodes share: real servers, an emulator, a folder, or nothing.

mod bucket;
mod dialect;
pub(crate) mod emulator;
mod memcached;
mod mysql;
mod near;
mod nfs;
mod postgres;
mod programs;
mod redis;
mod relay;
mod sentinel;

use std::fs;
use std::path::Path;

use rustix::process::Pid;

use crate::Fallible;
use crate::cli::Options;
use crate::process::{self, Host, Process};
use crate::strategy::{Place, Strategy};
use dialect::Dialect;
use nfs::Mount;
pub(crate) use nfs::is_among_guests;
pub(crate) use relay::Relay;

/// The running parts of a strategy beside the nodes.
#[derive(Debug)]
pub(crate) struct Store {
    /// The URL that the nodes get.
    pub(crate) url: String,
    /// Describes in one sentence how it runs here.
    pub(crate) setting: String,
    /// The name and version of the server.
    pub(crate) version: Option<(String, String)>,
    pub(crate) remarks: Vec<String>,
    /// The servers' processes. The first one is broken in the outage.
    servers: Vec<Process>,
    mount: Option<Box<Mount>>,
    /// The hosts on which the nodes run.
    pub(crate) hosts: Vec<Host>,
    door: Option<Door>,
    /// For how many seconds each node answers reads from its own memory in front of it.
    staleness: Option<u32>,
    pub(crate) breakage: Option<Breakage>,
}

/// The port of the server, in front of which a relay can be put.
#[derive(Debug)]
struct Door {
    port: u16,
    dialect: Dialect,
    /// Makes the URL of the same store at another port.
    at: fn(u16) -> String,
}

/// The way in which the store becomes unreachable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Breakage {
    /// It is stopped, and continues with everything that it had.
    Standstill,
    /// It is killed, and a replica takes its place.
    Failover,
}

/// The result of opening a store.
#[derive(Debug)]
pub(crate) enum Opening {
    Open(Store),
    /// Completes "not run: needs …".
    Needs(String),
}

impl Store {
    /// Makes a store that needs no server.
    fn at(url: impl Into<String>, setting: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            setting: setting.into(),
            version: None,
            remarks: Vec::new(),
            servers: Vec::new(),
            mount: None,
            hosts: vec![Host::Here],
            door: None,
            staleness: None,
            breakage: None,
        }
    }

    pub(crate) fn freeze(&self) -> Fallible<()> {
        Ok(process::freeze(self.server()?)?)
    }

    pub(crate) fn thaw(&self) -> Fallible<()> {
        Ok(process::thaw(self.server()?)?)
    }

    fn server(&self) -> Fallible<Pid> {
        let mounted = self.mount.as_ref().map(|mount| mount.server);
        let server = mounted.or_else(|| self.servers.first()?.id());
        Ok(server.ok_or("there is no server")?)
    }

    pub(crate) fn kill(&mut self) -> Fallible<()> {
        self.servers.first_mut().ok_or("there is no server")?.kill();
        Ok(())
    }

    /// Starts a relay, and returns it with the store's URL through it.
    pub(crate) async fn relay(&self) -> Fallible<Option<(Relay, String)>> {
        let Some(door) = &self.door else { return Ok(None) };
        let relay = Relay::before(door.port, door.dialect).await?;
        let url = (door.at)(relay.port);
        let url = self.staleness.map_or(url.clone(), |seconds| near::url(&url, seconds));
        Ok(Some((relay, url)))
    }
}

pub(crate) async fn open(
    strategy: &Strategy,
    options: &Options,
    folder: &Path,
) -> Fallible<Opening> {
    fs::create_dir_all(folder)?;
    Ok(match (open_place(strategy.place, options, folder).await?, strategy.staleness) {
        (Opening::Open(store), Some(seconds)) => Opening::Open(near::in_front_of(store, seconds)),
        (opening, _) => opening,
    })
}

async fn open_place(place: Place, options: &Options, folder: &Path) -> Fallible<Opening> {
    match place {
        Place::Memory | Place::Cluster(_) => {
            Ok(Opening::Open(Store::at("memory:", "in the memory of each node")))
        }
        Place::Cookie | Place::PrivateCookie => Ok(in_cookie(place, options)),
        Place::Redis => redis::open(folder).await,
        Place::RedisWithSentinels if options.failover => sentinel::open(folder).await,
        Place::RedisWithSentinels => Ok(Opening::Needs("the option --failover".into())),
        Place::Memcached => memcached::open(folder).await,
        Place::DynamoDb => emulator::open(folder).await.map(Opening::Open),
        Place::PostgreSql => postgres::open(folder).await,
        Place::MySql => mysql::open(folder).await,
        Place::SqliteFile => Ok(Opening::Open(sqlite_file(folder))),
        Place::Folder => shared_folder(folder).map(Opening::Open),
        Place::Nfs => nfs::open(),
        Place::Bucket => bucket::open(folder).await,
    }
}

/// The content that fits into one cookie: base64 leaves three quarters of 4096 bytes, and the rest
/// of the session needs some room.
const BYTES_IN_A_COOKIE: usize = 2_500;
/// The most cookies that the library uses.
const MOST_COOKIES: usize = 4;

fn in_cookie(place: Place, options: &Options) -> Opening {
    let cookies = options.session_bytes() / BYTES_IN_A_COOKIE + 1;
    if cookies > MOST_COOKIES {
        return Opening::Needs("a --session-kb under 10, all that four cookies hold".into());
    }
    let (scheme, how) = match place {
        Place::PrivateCookie => ("private-cookie", "encrypted"),
        _ => ("cookie", "signed"),
    };
    let where_to = if cookies == 1 { "one cookie".into() } else { format!("{cookies} cookies") };
    let setting = format!("the whole session in {where_to}, {how}; the nodes keep nothing");
    Opening::Open(Store::at(format!("{scheme}:?chunks={cookies}"), setting))
}

fn shared_folder(folder: &Path) -> Fallible<Store> {
    let sessions = folder.join("sessions");
    fs::create_dir_all(&sessions)?;
    let mut store = Store::at(
        format!("file://{}", sessions.display()),
        "a folder of this machine, which every node has open",
    );
    store.remarks = vec![
        "A local folder: EFS adds its network to every file operation (its pages say from 0.25 ms \
         for a read and 2.7 ms for a write)."
            .into(),
        "No outage: a local folder cannot be taken away from processes that have it open.".into(),
    ];
    Ok(store)
}

fn sqlite_file(folder: &Path) -> Store {
    let mut store = Store::at(
        format!("sqlite://{}", folder.join("sessions.db").display()),
        "a file of this machine, which every node has open",
    );
    store.remarks = vec![
        "For processes of one machine, as the nodes are here: servers apart from each other cannot \
         share its file."
            .into(),
        "No outage: a local file cannot be taken away from processes that have it open.".into(),
    ];
    store
}
