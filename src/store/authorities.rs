//! The certificate authorities to trust, for the stores that speak TLS themselves.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls_native_certs::load_native_certs;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::error::{StoreError, StoreErrorKind};

/// The certificate authorities of which one must have signed a server's certificate.
///
/// TLS is version 1.2 or 1.3, by rustls with ring. Clones share the authorities.
///
/// ```
/// use cloakroom::store::{Authorities, StoreErrorKind};
///
/// let error = Authorities::pem("not a certificate").unwrap_err();
/// assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
/// ```
#[derive(Clone)]
#[doc(alias("TlsConfig", "RootCertStore", "ca", "certificates"))]
pub struct Authorities {
    #[allow(dead_code, reason = "the driver of `mysql` makes its own configuration")]
    config: Arc<ClientConfig>,
    #[allow(dead_code, reason = "the other stores take the configuration")]
    certificates: Arc<[CertificateDer<'static>]>,
}

impl Authorities {
    /// Trusts the authorities that this machine trusts. Amazon's, which signs for ElastiCache, is
    /// usually among them.
    ///
    /// ```
    /// use cloakroom::store::{Authorities, StoreErrorKind};
    ///
    /// match Authorities::system() {
    ///     Ok(trusted) => drop(trusted), // goes into the `tls` of a server
    ///     Err(error) => assert_eq!(error.kind(), StoreErrorKind::Misconfigured),
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](StoreErrorKind::Misconfigured) where the machine trusts no authority, as in a
    /// container image without `ca-certificates`.
    #[doc(alias("native_roots", "default"))]
    pub fn system() -> Result<Self, StoreError> {
        // A few certificates that rustls cannot read are common on old machines, and not a reason to
        // refuse the others.
        let mut roots = RootCertStore::empty();
        let mut certificates = load_native_certs().certs;
        certificates.retain(|certificate| roots.add(certificate.clone()).is_ok());
        trust_only(
            roots,
            certificates,
            "this machine trusts no certificate authority; install `ca-certificates`",
        )
    }

    /// Trusts these authorities and no others: one or more certificates in PEM.
    ///
    /// ```
    /// use cloakroom::store::{Authorities, StoreErrorKind};
    ///
    /// let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    /// for text in ["", broken] {
    ///     let error = Authorities::pem(text).unwrap_err();
    ///     assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](StoreErrorKind::Misconfigured) where the text contains no certificate, or a
    /// broken one.
    pub fn pem(text: impl AsRef<[u8]>) -> Result<Self, StoreError> {
        let (mut roots, mut certificates) = (RootCertStore::empty(), Vec::new());
        // Here a certificate that cannot be read is an error, other than in `system`: somebody chose this
        // text, and skipping one would later show as a server that cannot be reached.
        for certificate in CertificateDer::pem_slice_iter(text.as_ref()) {
            let certificate = certificate.map_err(|_| misconfigured("the PEM text is broken"))?;
            roots.add(certificate.clone()).map_err(misconfigured)?;
            certificates.push(certificate);
        }
        trust_only(roots, certificates, "the PEM text contains no certificate")
    }

    /// Trusts the authorities in a PEM file and no others. The file is read once, now.
    ///
    /// ```
    /// use std::error::Error;
    ///
    /// use cloakroom::store::{Authorities, StoreErrorKind};
    ///
    /// let error = Authorities::pem_file("/nowhere/ca.pem").unwrap_err();
    /// assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    /// assert!(error.source().unwrap().to_string().contains("/nowhere/ca.pem"));
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`pem`](Self::pem), and [`Misconfigured`](StoreErrorKind::Misconfigured) where the file
    /// cannot be read.
    pub fn pem_file(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let pem = std::fs::read(path)
            .map_err(|error| misconfigured(format!("cannot read {}: {error}", path.display())))?;
        Self::pem(pem)
    }

    #[allow(dead_code, reason = "the driver of `mysql` makes its own configuration")]
    pub(super) fn config(&self) -> Arc<ClientConfig> {
        self.config.clone()
    }
}

#[cfg(feature = "mysql")]
impl Authorities {
    /// Returns the certificates, for a driver that makes its own configuration.
    pub(super) fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorities(..)")
    }
}

/// Makes the TLS configuration. `problem` is the error's text where there is no authority at all.
fn trust_only(
    roots: RootCertStore,
    certificates: Vec<CertificateDer<'static>>,
    problem: &str,
) -> Result<Authorities, StoreError> {
    if roots.is_empty() {
        return Err(misconfigured(problem));
    }
    // The provider is named. The process's default does not exist where another library brings a
    // second provider.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(misconfigured)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Authorities { config: Arc::new(config), certificates: certificates.into() })
}

fn misconfigured(problem: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::new(StoreErrorKind::Misconfigured, problem)
}
