use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::Error;
use tokio_rustls::rustls::pki_types::ServerName;

use super::failure::Failure;
use crate::store::authorities::Authorities;

/// The certificate has to be for the host that we were given.
pub(super) async fn secure(
    authorities: &Authorities,
    socket: TcpStream,
    host: &str,
) -> Result<TlsStream<TcpStream>, Failure> {
    let name = ServerName::try_from(host.to_owned()).map_err(Failure::misconfigured)?;
    let stream = TlsConnector::from(authorities.config()).connect(name, socket).await;
    stream.map_err(|error| {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
        match cause {
            Some(Error::InvalidCertificate(_)) => Failure::misconfigured(error),
            _ => Failure::unavailable(error),
        }
    })
}
