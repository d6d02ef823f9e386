//! Encrypts a connection.

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::Error;
use tokio_rustls::rustls::pki_types::ServerName;

use super::failure::{misconfigured, unavailable};
use crate::store::authorities::Authorities;
use crate::store::failure::Failure;

/// Shakes hands over `socket`. The server's certificate must be for `host`, as the app named it.
pub(super) async fn connect_tls(
    authorities: &Authorities,
    socket: TcpStream,
    host: &str,
) -> Result<TlsStream<TcpStream>, Failure> {
    let name = ServerName::try_from(host.to_owned()).map_err(misconfigured)?;
    let stream = TlsConnector::from(authorities.config()).connect(name, socket).await;
    stream.map_err(|error| {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
        match cause {
            Some(Error::InvalidCertificate(_)) => misconfigured(error),
            _ => unavailable(error),
        }
    })
}
