use std::fmt;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, Error};

use super::failure::Failure;
use crate::error::StoreError;
use crate::store::authorities;

/// Whose certificates a server may have. TLS 1.2 or 1.3, by rustls with ring.
///
/// ```
/// use cloakroom::store::{MemcachedTls, StoreErrorKind};
///
/// let error = MemcachedTls::authority("no certificate at all").unwrap_err();
/// assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
/// ```
#[derive(Clone)]
pub struct MemcachedTls(Arc<ClientConfig>);

impl MemcachedTls {
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

    /// The certificate has to be for the host that we were given.
    pub(super) async fn secure(
        &self,
        socket: TcpStream,
        host: &str,
    ) -> Result<TlsStream<TcpStream>, Failure> {
        let name = ServerName::try_from(host.to_owned()).map_err(Failure::misconfigured)?;
        let stream = TlsConnector::from(self.0.clone()).connect(name, socket).await;
        stream.map_err(|error| {
            let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
            match cause {
                Some(Error::InvalidCertificate(_)) => Failure::misconfigured(error),
                _ => Failure::unavailable(error),
            }
        })
    }
}

impl fmt::Debug for MemcachedTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemcachedTls(..)")
    }
}
