use std::net::IpAddr;
use std::sync::Arc;

use fred::types::config::{HostMapping, Server, TlsConfig, TlsConnector, TlsHostMapping};

use crate::store::authorities::Authorities;

pub(super) fn config(authorities: &Authorities, hosts: &[Server]) -> TlsConfig {
    let connector = TlsConnector::Rustls(authorities.config().into());
    let names = hosts.iter().map(|server| server.host.to_string());
    let first = names.filter(|host| host.parse::<IpAddr>().is_err()).map(FirstHost).next();
    let hostnames =
        first.map_or(TlsHostMapping::None, |first| TlsHostMapping::Custom(Arc::new(first)));
    TlsConfig { connector, hostnames }
}

/// The nodes of a cluster may name each other by address, but their certificates are for the host
/// that we were given, if that is a name. Not for the host that told of the node, which after a failover may be an
/// address itself.
#[derive(Debug)]
struct FirstHost(String);

impl HostMapping for FirstHost {
    fn map(&self, _: &IpAddr, _: &str) -> Option<String> {
        Some(self.0.clone())
    }
}
