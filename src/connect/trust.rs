//! The certificate authorities that a URL asks for.

use super::address::Address;
use super::error::ConnectError;
use crate::store::Authorities;

/// Takes the option `ca`, which turns TLS on under every scheme. Under a scheme that has TLS in its
/// name the machine's authorities are the default. Returns `None` for plain text.
pub(super) fn take_authorities(
    address: &mut Address,
    scheme_has_tls: bool,
) -> Result<Option<Authorities>, ConnectError> {
    match address.take("ca") {
        // Also without TLS in the scheme. Taking the option without effect would send the password in
        // plain text to whoever answers.
        Some(file) => Ok(Some(Authorities::pem_file(file)?)),
        None if scheme_has_tls => Ok(Some(Authorities::system()?)),
        None => Ok(None),
    }
}
