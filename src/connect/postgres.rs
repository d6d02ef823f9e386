//! `postgres:`, `postgresql:`

use std::time::Duration;

use super::address::Address;
use super::authority::Authority;
use super::error::ConnectError;
use super::open::Open;
use crate::session::Backend;
use crate::store::{Authorities, PostgresServer, PostgresStore, PostgresStoreBuilder};

pub(super) const OPEN: Option<Open> = Some(|address| Box::pin(open(address)));

const PORT: u16 = 5432;

async fn open(mut address: Address) -> Result<Backend, ConnectError> {
    let server = server(&mut address)?;
    let server = with_tls(server, &mut address)?;
    let store = store(&mut address)?;
    address.finish()?;
    Ok(store.connect(&server).await?.into())
}

fn server(address: &mut Address) -> Result<PostgresServer, ConnectError> {
    let port = address.take_number("port")?;
    let (server, authority) = match address.take("host") {
        None => {
            let authority = Authority::parse(address, port.unwrap_or(PORT))?;
            (PostgresServer::hosts(authority.hosts.clone()), authority)
        }
        Some(folder) if folder.starts_with('/') => {
            let authority = Authority::without_host(address)?;
            (PostgresServer::unix_socket(folder, port.unwrap_or(PORT)), authority)
        }
        // Anything else may be a piece of a login, and the errors of connecting show hosts.
        Some(_) => {
            let problem = "the option `host` must be the folder of a Unix socket, such as \
                           `/var/run/postgresql`; other hosts stand after the slashes";
            return Err(address.invalid(problem));
        }
    };
    let mut server = with_login(server, authority, address)?;
    if let Some(name) = address.take("application_name") {
        server = server.application_name(name);
    }
    if let Some(seconds) = address.take_number("connect_timeout")? {
        server = server.connect_timeout(Duration::from_secs(seconds));
    }
    check_session_attributes(address)?;
    Ok(server)
}

fn with_login(
    mut server: PostgresServer,
    authority: Authority,
    address: &Address,
) -> Result<PostgresServer, ConnectError> {
    server = match (authority.user, authority.password) {
        (Some(user), Some(password)) => server.credentials(user, password),
        (Some(user), None) => server.user(user),
        (None, None) => server,
        (None, Some(_)) => return Err(address.invalid("the login has a password and no user")),
    };
    match authority.path {
        path if path.contains('/') => Err(address.invalid("only a database may follow the hosts")),
        path if path.is_empty() => Ok(server),
        path => Ok(server.database(path)),
    }
}

/// A store reads the primary and nothing else, whatever the URL says.
fn check_session_attributes(address: &mut Address) -> Result<(), ConnectError> {
    match address.take("target_session_attrs").as_deref() {
        None | Some("read-write" | "primary") => Ok(()),
        Some(_) => {
            let problem = "`target_session_attrs` must be `read-write` or `primary`: a replica may \
                           not know yet which sessions have ended";
            Err(address.invalid(problem))
        }
    }
}

/// Takes `sslmode` and `sslrootcert`.
///
/// No mode means encryption without a check of the certificate, as some do in libpq: that keeps out nobody
/// who can stand in between.
fn with_tls(server: PostgresServer, address: &mut Address) -> Result<PostgresServer, ConnectError> {
    let file = address.take("sslrootcert");
    let mode = address.take("sslmode");
    let wants_tls = match mode.as_deref() {
        Some("disable") if file.is_some() => {
            return Err(address.invalid("`sslmode=disable` contradicts `sslrootcert`"));
        }
        Some("disable") => return Ok(server.insecure_plain_text()),
        Some("require" | "verify-ca" | "verify-full") => true,
        None | Some("prefer" | "allow") => file.is_some(),
        Some(_) => {
            let problem = "`sslmode` must be `disable`, `prefer`, `require`, `verify-ca` or \
                           `verify-full`";
            return Err(address.invalid(problem));
        }
    };
    match file.as_deref() {
        _ if !wants_tls => Ok(server),
        None | Some("system") => Ok(server.tls(Authorities::system()?)),
        Some(file) => Ok(server.tls(Authorities::pem_file(file)?)),
    }
}

fn store(address: &mut Address) -> Result<PostgresStoreBuilder, ConnectError> {
    let mut store = PostgresStore::builder();
    if let Some(table) = address.take("table") {
        store = store.table(table);
    }
    if let Some(schema) = address.take("schema") {
        store = store.schema(schema);
    }
    if let Some(timeout) = address.take_timeout()? {
        store = store.command_timeout(timeout);
    }
    if let Some(connections) = address.take_number("connections")? {
        store = store.connections(connections);
    }
    if let Some(bytes) = address.take_number("max_entry_bytes")? {
        store = store.max_entry_bytes(bytes);
    }
    if let Some(seconds) = address.take_number("sweep_secs")? {
        let every = (seconds > 0).then(|| Duration::from_secs(seconds));
        store = store.sweep_every(every);
    }
    if address.take_flag("create")?.unwrap_or(false) {
        store = store.create_table();
    }
    Ok(store)
}
