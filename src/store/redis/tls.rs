//! TLS for the client library, and the host name that a certificate must be for.

use std::net::IpAddr;
use std::sync::Arc;

use fred::types::config::{HostMapping, Server, TlsConfig, TlsConnector, TlsHostMapping};

use crate::store::authorities::Authorities;

/// Returns the TLS options. `hosts` are the nodes that a cluster was given by; empty elsewhere.
pub(super) fn tls_config(authorities: &Authorities, hosts: &[Server]) -> TlsConfig {
    let connector = TlsConnector::Rustls(authorities.config().into());
    let names = hosts.iter().map(|server| server.host.to_string());
    let first = names.filter(|host| host.parse::<IpAddr>().is_err()).map(FirstName).next();
    let hostnames =
        first.map_or(TlsHostMapping::None, |first| TlsHostMapping::Custom(Arc::new(first)));
    TlsConfig { connector, hostnames }
}

/// Maps the address of a cluster's node to the first host name that the cluster was given by.
///
/// Nodes may announce each other by address, but their certificates are for that name. The library's
/// own mapping takes the host that announced the node instead; after a failover that host may be an
/// address itself.
#[derive(Debug)]
struct FirstName(String);

impl HostMapping for FirstName {
    fn map(&self, _: &IpAddr, _: &str) -> Option<String> {
        Some(self.0.clone())
    }
}
