//! Whose certificates a server may have: what the stores that speak TLS themselves share.

use std::path::Path;
use std::sync::Arc;

use rustls_native_certs::load_native_certs;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::error::{StoreError, StoreErrorKind};

/// Those that this machine trusts.
pub(super) fn system() -> Result<Arc<ClientConfig>, StoreError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(load_native_certs().certs);
    trusting(roots)
}

/// Those signed by the authorities in this PEM text.
pub(super) fn in_text(pem: &[u8]) -> Result<Arc<ClientConfig>, StoreError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| misconfigured("the PEM text is broken"))?;
        roots.add(certificate).map_err(|error| misconfigured(error.to_string()))?;
    }
    trusting(roots)
}

pub(super) fn in_file(path: &Path) -> Result<Arc<ClientConfig>, StoreError> {
    let pem = std::fs::read(path)
        .map_err(|error| misconfigured(format!("{}: {error}", path.display())))?;
    in_text(&pem)
}

fn trusting(roots: RootCertStore) -> Result<Arc<ClientConfig>, StoreError> {
    if roots.is_empty() {
        return Err(misconfigured("no certificate authority to trust"));
    }
    // Named, not the process's default: there is none where another library brings a second one.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| misconfigured(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn misconfigured(problem: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Misconfigured, problem.into())
}
