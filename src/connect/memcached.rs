//! `memcached:`, `memcacheds:`

use std::time::Duration;

use super::address::Address;
use super::authority::Authority;
use super::error::ConnectError;
use super::open::Open;
use super::trust::take_authorities;
use crate::session::Backend;
use crate::store::{MemcachedServers, MemcachedStore};

pub(super) const OPEN: Option<Open> = Some(|address| Box::pin(open(address)));

const PORT: u16 = 11211;

async fn open(mut address: Address) -> Result<Backend, ConnectError> {
    let mut servers = servers(&mut address)?;
    let scheme_has_tls = address.scheme() == "memcacheds";
    if let Some(authorities) = take_authorities(&mut address, scheme_has_tls)? {
        servers = servers.tls(authorities);
    }
    let mut store = MemcachedStore::builder();
    if let Some(prefix) = address.take("prefix") {
        store = store.prefix(prefix);
    }
    if let Some(timeout) = address.take_timeout()? {
        store = store.command_timeout(timeout);
    }
    if let Some(most) = address.take_number("max_connections")? {
        store = store.max_connections(most);
    }
    address.finish()?;
    Ok(store.connect(&servers).await?.into())
}

fn servers(address: &mut Address) -> Result<MemcachedServers, ConnectError> {
    let authority = Authority::parse(address, PORT)?;
    if !authority.path.is_empty() {
        return Err(address.invalid("memcached has no databases, so no path follows the hosts"));
    }
    let servers = match address.take("discover") {
        None => MemcachedServers::nodes(authority.hosts),
        Some(period) => {
            let host = authority.only_host();
            let (host, port) =
                host.ok_or_else(|| address.invalid("with `discover` it takes one host"))?;
            with_period(MemcachedServers::discover(host, port), &period, address)?
        }
    };
    match (authority.user, authority.password) {
        (Some(user), Some(password)) => Ok(servers.credentials(user, password)),
        (None, None) => Ok(servers),
        _ => Err(address.invalid("a login needs both a user and a password")),
    }
}

/// Sets how often a configuration endpoint is asked. `discover` without a value keeps the default.
fn with_period(
    servers: MemcachedServers,
    period: &str,
    address: &Address,
) -> Result<MemcachedServers, ConnectError> {
    match period.parse() {
        _ if period.is_empty() => Ok(servers),
        Ok(seconds @ 1..) => Ok(servers.discover_every(Duration::from_secs(seconds))),
        _ => Err(address.invalid("`discover` must be a number of seconds, 1 or more")),
    }
}
