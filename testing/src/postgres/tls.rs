//! A server with TLS.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::account::give;
use super::server::{DATABASE, PASSWORD, Server, USER};
use crate::certificates::Authority;
use crate::processes::Folder;

/// A server that speaks TLS too, with a certificate for some names.
#[derive(Debug)]
pub struct Tls {
    pub server: Server,
    authority: Authority,
    stranger: Authority,
    _folder: Folder,
}

impl Tls {
    /// Starts a server whose certificate is for 127.0.0.1 and `localhost`.
    pub fn start() -> Self {
        Self::named("IP:127.0.0.1,DNS:localhost")
    }

    /// Starts a server whose certificate is for these names, written as OpenSSL does.
    pub fn named(names: &str) -> Self {
        let folder = Folder::new();
        let [authority, stranger] =
            ["authority", "stranger"].map(|name| Authority::new(&folder, name));
        let (certificate, key) = authority.issue_for(&folder, names);
        for file in [&certificate, &key] {
            std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
            give(file);
        }
        let certificate = format!("ssl_cert_file={}", certificate.display());
        let key = format!("ssl_key_file={}", key.display());
        let server = Server::guarded(&["ssl=on", &certificate, &key]);
        Self { server, authority, stranger, _folder: folder }
    }

    /// Returns the certificate of the authority that issued the server's.
    pub fn ca_file(&self) -> &Path {
        self.authority.certificate()
    }

    /// Returns the certificate of another authority.
    pub fn wrong_ca_file(&self) -> &Path {
        self.stranger.certificate()
    }

    pub fn url_of(&self, host: &str, table: &str, options: &str) -> String {
        let port = self.server.port;
        format!(
            "postgres://{USER}:{PASSWORD}@{host}:{port}/{DATABASE}?table={table}&create=true&{options}"
        )
    }
}
