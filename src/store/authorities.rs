//! Whose certificates a server may have, for the stores that speak TLS themselves.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls_native_certs::load_native_certs;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::error::{StoreError, StoreErrorKind};

/// The certificate authorities that a server's certificate may be signed by. TLS 1.2 or 1.3, by rustls
/// with ring. Clones share it.
///
/// ```
/// use cloakroom::store::{Authorities, StoreErrorKind};
///
/// let error = Authorities::pem("no certificate at all").unwrap_err();
/// assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
/// ```
#[derive(Clone)]
pub struct Authorities(Arc<ClientConfig>);

impl Authorities {
    /// Those that this machine trusts, as ElastiCache's are wherever Amazon's authority is.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](StoreErrorKind::Misconfigured) where the machine trusts nobody (a container
    /// image without `ca-certificates`).
    pub fn system() -> Result<Self, StoreError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(load_native_certs().certs);
        trusting(roots)
    }

    /// These and no others: one or more certificates in PEM.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](StoreErrorKind::Misconfigured) where there is none among the text, or one is
    /// broken.
    pub fn pem(text: impl AsRef<[u8]>) -> Result<Self, StoreError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(text.as_ref()) {
            let certificate = certificate.map_err(|_| misconfigured("the PEM text is broken"))?;
            roots.add(certificate).map_err(|error| misconfigured(error.to_string()))?;
        }
        trusting(roots)
    }

    /// The same, from a file.
    ///
    /// # Errors
    ///
    /// Also where the file cannot be read.
    pub fn pem_file(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let pem = std::fs::read(path)
            .map_err(|error| misconfigured(format!("{}: {error}", path.display())))?;
        Self::pem(pem)
    }

    pub(super) fn config(&self) -> Arc<ClientConfig> {
        self.0.clone()
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorities(..)")
    }
}

fn trusting(roots: RootCertStore) -> Result<Authorities, StoreError> {
    if roots.is_empty() {
        return Err(misconfigured("no certificate authority to trust"));
    }
    // Named, not the process's default: there is none where another library brings a second one.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| misconfigured(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Authorities(Arc::new(config)))
}

fn misconfigured(problem: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Misconfigured, problem.into())
}
