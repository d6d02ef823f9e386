//! Finds out why no Sentinel could be reached over TLS.
//!
//! The client library tries the next Sentinel and forgets why it gave up the last one, so that a
//! certificate which nobody trusts would look like an outage. This file shakes hands with them once
//! more. It sends no command and no login, and whatever it finds, no connection comes of it.

use std::io;
use std::time::Duration;

use fred::error::Error;
use fred::types::config::Server;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::store::authorities::Authorities;

/// The longest that all handshakes together may take. The answer is about an app that cannot start.
const PATIENCE: Duration = Duration::from_secs(1);

/// Returns the error of the first Sentinel whose certificate is refused, if there is one.
pub(super) async fn refused_certificate(
    sentinels: &[Server],
    trusted: &Authorities,
) -> Option<Error> {
    let refused = async {
        for sentinel in sentinels {
            let shaken = shake_hands(sentinel, trusted).await;
            if let Some(error) = shaken.err().filter(is_about_a_certificate) {
                // The library's own conversion, so that the error reads like that of a server.
                return Some(error.into());
            }
        }
        None
    };
    timeout(PATIENCE, refused).await.ok().flatten()
}

async fn shake_hands(sentinel: &Server, trusted: &Authorities) -> io::Result<()> {
    let host = sentinel.host.to_string();
    let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
    let socket = TcpStream::connect((host, sentinel.port)).await?;
    TlsConnector::from(trusted.config()).connect(name, socket).await.map(drop)
}

fn is_about_a_certificate(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::InvalidCertificate(_)))
}
