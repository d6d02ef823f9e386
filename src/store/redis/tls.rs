use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use fred::rustls::ClientConfig;
use fred::types::config::{HostMapping, Server, TlsConfig, TlsConnector, TlsHostMapping};

use crate::error::StoreError;
use crate::store::authorities;

/// Whose certificates a server may have. TLS 1.2 or 1.3, by rustls with ring.
///
/// ```
/// use cloakroom::store::{RedisTls, StoreErrorKind};
///
/// let error = RedisTls::authority("no certificate at all").unwrap_err();
/// assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
/// ```
#[derive(Clone)]
pub struct RedisTls(Arc<ClientConfig>);

impl RedisTls {
    /// Those that this machine trusts, as ElastiCache's are wherever Amazon's authority is.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](crate::store::StoreErrorKind::Misconfigured) where the machine trusts nobody (a container
    /// image without `ca-certificates`).
    pub fn system() -> Result<Self, StoreError> {
        authorities::system().map(Self)
    }

    /// Those signed by these authorities and by no other: one or more certificates in PEM.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](crate::store::StoreErrorKind::Misconfigured) where there is none among the text, or one
    /// is broken.
    pub fn authority(pem: impl AsRef<[u8]>) -> Result<Self, StoreError> {
        authorities::in_text(pem.as_ref()).map(Self)
    }

    /// The same, from a file.
    ///
    /// # Errors
    ///
    /// Also where the file cannot be read.
    pub fn authority_file(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        authorities::in_file(path.as_ref()).map(Self)
    }

    pub(super) fn config(&self, hosts: &[Server]) -> TlsConfig {
        let connector = TlsConnector::Rustls(self.0.clone().into());
        let names = hosts.iter().map(|server| server.host.to_string());
        let first = names.filter(|host| host.parse::<IpAddr>().is_err()).map(FirstHost).next();
        let hostnames =
            first.map_or(TlsHostMapping::None, |first| TlsHostMapping::Custom(Arc::new(first)));
        TlsConfig { connector, hostnames }
    }
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

impl fmt::Debug for RedisTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisTls(..)")
    }
}
