//! The certificates of servers that only speak TLS, and the options that name them.

use std::path::{Path, PathBuf};

use crate::certificates::Authority;
use crate::processes::Folder;

/// An authority, the certificate that it has issued for all servers of one test, and another
/// authority, which has issued none.
#[derive(Debug)]
pub struct Certificates {
    authority: Authority,
    stranger: Authority,
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificates {
    /// Makes a certificate for 127.0.0.1 and `localhost`.
    pub fn new(folder: &Folder) -> Self {
        Self::issued_with(folder, Authority::issue)
    }

    /// Makes a certificate for `localhost`, and not for the address by which servers know each other.
    pub fn for_localhost_only(folder: &Folder) -> Self {
        Self::issued_with(folder, |authority, folder| authority.issue_for(folder, "DNS:localhost"))
    }

    fn issued_with(
        folder: &Folder,
        issue: impl Fn(&Authority, &Folder) -> (PathBuf, PathBuf),
    ) -> Self {
        let [authority, stranger] =
            ["authority", "stranger"].map(|name| Authority::new(folder, name));
        let (certificate, key) = issue(&authority, folder);
        Self { authority, stranger, certificate, key }
    }

    /// Returns the options of a server that has this port for TLS, and none for plain text. It also
    /// speaks TLS to other servers.
    pub fn options(&self, port: u16) -> Vec<(&'static str, String)> {
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        vec![
            ("port", "0".to_owned()),
            ("tls-port", port.to_string()),
            ("tls-ca-cert-file", path(self.ca_file())),
            ("tls-cert-file", path(&self.certificate)),
            ("tls-key-file", path(&self.key)),
            ("tls-auth-clients", "no".to_owned()),
            ("tls-replication", "yes".to_owned()),
        ]
    }

    /// Returns the same options as they are given on the command line.
    pub fn arguments(&self, port: u16) -> Vec<String> {
        let options = self.options(port).into_iter();
        options.flat_map(|(name, value)| [format!("--{name}"), value]).collect()
    }

    /// Returns the certificate of the authority that issued the servers'.
    pub fn ca_file(&self) -> &Path {
        self.authority.certificate()
    }

    /// Returns the certificate of another authority.
    pub fn wrong_ca_file(&self) -> &Path {
        self.stranger.certificate()
    }
}
