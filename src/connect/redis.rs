//! `redis:`, `redis-cluster:` and `redis-sentinel:`, the same with `rediss`, and `redis+unix:`

#[cfg(feature = "redis-iam")]
mod iam;

use std::time::Duration;

use super::address::Address;
use super::authority::Authority;
use super::error::ConnectError;
#[cfg(not(feature = "redis-iam"))]
use super::feature_off as iam;
use super::open::Open;
use super::trust::take_authorities;
use crate::session::Backend;
use crate::store::{RedisServer, RedisStore};

pub(super) const OPEN: Option<Open> = Some(|address| Box::pin(open(address)));

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;
/// The default of `wait_ms`. A quarter of the layer's two seconds for one command: a logout then
/// still answers in time when the replica is gone.
const WAIT: Duration = Duration::from_millis(500);

async fn open(mut address: Address) -> Result<Backend, ConnectError> {
    let mut server = match address.scheme() {
        "redis+unix" => unix_socket(&address)?,
        "redis-sentinel" | "rediss-sentinel" => sentinel(&mut address)?,
        "redis-cluster" | "rediss-cluster" => cluster(&address)?,
        _ => standalone(&address)?,
    };
    let scheme_has_tls = address.scheme().starts_with("rediss");
    if let Some(authorities) = take_authorities(&mut address, scheme_has_tls)? {
        server = server.tls(authorities);
    }
    let server = iam::with_iam(server, &mut address, PORT).await?;
    let mut store = RedisStore::builder();
    if let Some(prefix) = address.take("prefix") {
        store = store.prefix(prefix);
    }
    if let Some(timeout) = address.take_timeout()? {
        store = store.command_timeout(timeout);
    }
    if let Some(replicas) = address.take_number("wait_replicas")? {
        let within = address.take_number("wait_ms")?.map_or(WAIT, Duration::from_millis);
        store = store.wait_for_replicas(replicas, within);
    }
    if let Some(allowed) = address.take_flag("multi_key_commands")? {
        store = store.multi_key_commands(allowed);
    }
    address.finish()?;
    Ok(store.connect(&server).await?.into())
}

/// Reads `//user:password@host:port/database`.
fn standalone(address: &Address) -> Result<RedisServer, ConnectError> {
    let authority = Authority::parse(address, PORT)?;
    let (host, port) = authority
        .only_host()
        .ok_or_else(|| address.invalid("it takes one host; use `redis-cluster:` for several"))?;
    let server = with_database(RedisServer::standalone(host, port), &authority.path, address)?;
    Ok(with_login(server, authority.user, authority.password))
}

/// Reads `//user:password@host:port,host:port`.
fn cluster(address: &Address) -> Result<RedisServer, ConnectError> {
    let authority = Authority::parse(address, PORT)?;
    if !authority.path.is_empty() {
        return Err(address.invalid("a cluster has no numbered databases"));
    }
    let server = RedisServer::cluster(authority.hosts);
    Ok(with_login(server, authority.user, authority.password))
}

/// Reads `//user:password@sentinel,sentinel/service/database`. The login is the server's; the
/// Sentinels have options for theirs.
fn sentinel(address: &mut Address) -> Result<RedisServer, ConnectError> {
    let authority = Authority::parse(address, SENTINEL_PORT)?;
    let (service, database) = authority.path.split_once('/').unwrap_or((&authority.path, ""));
    if service.is_empty() {
        return Err(address.invalid("the service's name is missing after the hosts"));
    }
    let mut server = RedisServer::sentinel(service, authority.hosts);
    server = with_database(server, database, address)?;
    if let Some(password) = address.take("sentinel_password") {
        server = server.sentinel_credentials(address.take("sentinel_user"), password);
    }
    Ok(with_login(server, authority.user, authority.password))
}

/// Reads `///run/redis.sock`.
fn unix_socket(address: &Address) -> Result<RedisServer, ConnectError> {
    match address.place().strip_prefix("//") {
        Some(path) if path.starts_with('/') => Ok(RedisServer::unix_socket(address.decode(path)?)),
        _ => Err(address.invalid("three slashes and the socket's path must follow the colon")),
    }
}

fn with_database(
    server: RedisServer,
    database: &str,
    address: &Address,
) -> Result<RedisServer, ConnectError> {
    match database {
        "" => Ok(server),
        number => match number.parse() {
            Ok(number) => Ok(server.database(number)),
            Err(_) => Err(address.invalid("the database must be a number from 0 to 255")),
        },
    }
}

fn with_login(server: RedisServer, user: Option<String>, password: Option<String>) -> RedisServer {
    match (user, password) {
        (Some(user), password) => server.credentials(user, password.unwrap_or_default()),
        (None, Some(password)) => server.password(password),
        (None, None) => server,
    }
}
