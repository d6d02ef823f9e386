//! `redis:`, `rediss:`, `redis-cluster:`, `rediss-cluster:`, `redis-sentinel:`, `redis+unix:`

#[cfg(feature = "redis-iam")]
mod iam;

/// The option is known all the same, so that the error can name the feature.
#[cfg(not(feature = "redis-iam"))]
mod iam {
    use crate::connect::{ConnectError, address::Address};
    use crate::store::RedisServer;

    pub(super) async fn signed_in(
        server: RedisServer,
        address: &mut Address,
    ) -> Result<RedisServer, ConnectError> {
        match address.take("iam") {
            Some(_) => Err(address.invalid("`iam` needs cloakroom's feature `redis-iam`")),
            None => Ok(server),
        }
    }
}

use std::time::Duration;

use super::address::Address;
use super::authority::Authority;
use super::{ConnectError, Open};
use crate::session::Backend;
use crate::store::{Authorities, RedisServer, RedisStore};

pub(super) const OPEN: Option<Open> = Some(|address| Box::pin(open(address)));

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

async fn open(mut address: Address) -> Result<Backend, ConnectError> {
    let server = match address.scheme() {
        "redis+unix" => unix_socket(&address)?,
        "redis-sentinel" => sentinel(&mut address)?,
        "redis-cluster" | "rediss-cluster" => cluster(&address)?,
        _ => standalone(&address)?,
    };
    let server = encrypted(server, &mut address)?;
    let server = iam::signed_in(server, &mut address).await?;
    let mut store = RedisStore::builder();
    if let Some(prefix) = address.take("prefix") {
        store = store.prefix(prefix);
    }
    if let Some(millis) = address.take_number("timeout_ms")? {
        store = store.command_timeout(Duration::from_millis(millis));
    }
    if let Some(replicas) = address.take_number("wait_replicas")? {
        let within = address.take_number("wait_ms")?.unwrap_or(500);
        store = store.wait_for_replicas(replicas, Duration::from_millis(within));
    }
    address.finish()?;
    Ok(store.connect(&server).await?.into())
}

fn standalone(address: &Address) -> Result<RedisServer, ConnectError> {
    let mut authority = Authority::of(address, PORT)?;
    let Some((host, port)) = authority.hosts.pop().filter(|_| authority.hosts.is_empty()) else {
        return Err(address.invalid("it takes one host; `redis-cluster:` takes several"));
    };
    let server = numbered(RedisServer::standalone(host, port), &authority.path, address)?;
    Ok(with_login(server, authority.user, authority.password))
}

fn cluster(address: &Address) -> Result<RedisServer, ConnectError> {
    let authority = Authority::of(address, PORT)?;
    if !authority.path.is_empty() {
        return Err(address.invalid("a cluster has no numbered databases"));
    }
    let server = RedisServer::cluster(authority.hosts);
    Ok(with_login(server, authority.user, authority.password))
}

/// `//user:password@sentinel,sentinel/service/database`
fn sentinel(address: &mut Address) -> Result<RedisServer, ConnectError> {
    let authority = Authority::of(address, SENTINEL_PORT)?;
    let (service, database) = authority.path.split_once('/').unwrap_or((&authority.path, ""));
    if service.is_empty() {
        return Err(address.invalid("the service's name is missing after the hosts"));
    }
    let mut server = RedisServer::sentinel(service, authority.hosts);
    server = numbered(server, database, address)?;
    if let Some(password) = address.take("sentinel_password") {
        server = server.sentinel_credentials(address.take("sentinel_user"), password);
    }
    Ok(with_login(server, authority.user, authority.password))
}

/// `///run/redis.sock`
fn unix_socket(address: &Address) -> Result<RedisServer, ConnectError> {
    match address.place().strip_prefix("//") {
        Some(path) if path.starts_with('/') => Ok(RedisServer::unix_socket(address.decoded(path)?)),
        _ => Err(address.invalid("three slashes and the socket's path follow the colon")),
    }
}

fn numbered(
    server: RedisServer,
    database: &str,
    address: &Address,
) -> Result<RedisServer, ConnectError> {
    match database {
        "" => Ok(server),
        number => match number.parse() {
            Ok(number) => Ok(server.database(number)),
            Err(_) => Err(address.invalid("the database is no number up to 255")),
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

/// TLS where the scheme says so, or an authority is given.
fn encrypted(server: RedisServer, address: &mut Address) -> Result<RedisServer, ConnectError> {
    match address.take("ca") {
        Some(file) => Ok(server.tls(Authorities::pem_file(file)?)),
        None if address.scheme().starts_with("rediss") => Ok(server.tls(Authorities::system()?)),
        None => Ok(server),
    }
}
