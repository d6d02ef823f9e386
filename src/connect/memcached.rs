//! `memcached:`, `memcacheds:`

use std::time::Duration;

use super::address::Address;
use super::authority::Authority;
use super::{ConnectError, Open};
use crate::session::Backend;
use crate::store::{Authorities, MemcachedServers, MemcachedStore};

pub(super) const OPEN: Option<Open> = Some(|address| Box::pin(open(address)));

const PORT: u16 = 11211;

async fn open(mut address: Address) -> Result<Backend, ConnectError> {
    let servers = servers(&mut address)?;
    let servers = encrypted(servers, &mut address)?;
    let mut store = MemcachedStore::builder();
    if let Some(prefix) = address.take("prefix") {
        store = store.prefix(prefix);
    }
    if let Some(millis) = address.take_number("timeout_ms")? {
        store = store.command_timeout(Duration::from_millis(millis));
    }
    if let Some(most) = address.take_number("max_connections")? {
        store = store.max_connections(most);
    }
    address.finish()?;
    Ok(store.connect(&servers).await?.into())
}

fn servers(address: &mut Address) -> Result<MemcachedServers, ConnectError> {
    let mut authority = Authority::of(address, PORT)?;
    if !authority.path.is_empty() {
        return Err(address.invalid("memcached has no databases"));
    }
    let servers = match address.take("discover") {
        None => MemcachedServers::nodes(authority.hosts),
        Some(seconds) => {
            let Some((host, port)) = authority.hosts.pop().filter(|_| authority.hosts.is_empty())
            else {
                return Err(address.invalid("with `discover` it takes one host"));
            };
            every(MemcachedServers::discover(host, port), &seconds, address)?
        }
    };
    match (authority.user, authority.password) {
        (Some(user), Some(password)) => Ok(servers.credentials(user, password)),
        (None, None) => Ok(servers),
        _ => Err(address.invalid("a login has a user and a password")),
    }
}

fn every(
    servers: MemcachedServers,
    seconds: &str,
    address: &Address,
) -> Result<MemcachedServers, ConnectError> {
    match seconds.parse() {
        _ if seconds.is_empty() => Ok(servers),
        Ok(seconds @ 1..) => Ok(servers.discover_every(Duration::from_secs(seconds))),
        _ => Err(address.invalid("`discover` is no number of seconds")),
    }
}

/// TLS where the scheme says so, or an authority is given.
fn encrypted(
    servers: MemcachedServers,
    address: &mut Address,
) -> Result<MemcachedServers, ConnectError> {
    match address.take("ca") {
        Some(file) => Ok(servers.tls(Authorities::pem_file(file)?)),
        None if address.scheme() == "memcacheds" => Ok(servers.tls(Authorities::system()?)),
        None => Ok(servers),
    }
}
