//! A certificate authority for one test.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::processes::Folder;

/// An authority whose files live as long as the folder they are in.
#[derive(Debug)]
pub struct Authority {
    certificate: PathBuf,
    key: PathBuf,
}

impl Authority {
    /// Creates an authority. `name` is its subject, and part of its files' names.
    pub fn new(folder: &Folder, name: &str) -> Self {
        let authority = Self {
            certificate: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
        };
        let subject = format!("/CN={name}");
        openssl(&authority.certificate, &authority.key, &["-subj", &subject]);
        authority
    }

    /// Returns the path of the authority's certificate, in PEM.
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// Issues a certificate for a server at 127.0.0.1 and `localhost`; returns the paths of
    /// certificate and key.
    pub fn issue(&self, folder: &Folder) -> (PathBuf, PathBuf) {
        self.issue_for(folder, "IP:127.0.0.1,DNS:localhost")
    }

    /// Issues a certificate for these names and no others, written as OpenSSL does.
    pub fn issue_for(&self, folder: &Folder, names: &str) -> (PathBuf, PathBuf) {
        let (certificate, key) = (folder.join("server.pem"), folder.join("server.key"));
        let names = format!("subjectAltName={names}");
        let (ca, ca_key) = (self.certificate.to_str().unwrap(), self.key.to_str().unwrap());
        let rest = ["-subj", "/CN=localhost", "-addext", &names, "-CA", ca, "-CAkey", ca_key];
        let leaf = ["-addext", "basicConstraints=critical,CA:FALSE"];
        openssl(&certificate, &key, &[&rest[..], &leaf].concat());
        (certificate, key)
    }
}

fn openssl(certificate: &Path, key: &Path, rest: &[&str]) {
    let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
    let mut command = Command::new("openssl");
    command.args(new.split(' ')).arg("-out").arg(certificate).arg("-keyout").arg(key).args(rest);
    let output = command.output().expect("openssl is on the PATH");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
