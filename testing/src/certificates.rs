//! A certificate authority of the test's own.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::processes::Folder;

/// Its files live as long as the folder.
#[derive(Debug)]
pub struct Authority {
    certificate: PathBuf,
    key: PathBuf,
}

impl Authority {
    /// `name` tells the files of several apart.
    pub fn new(folder: &Folder, name: &str) -> Self {
        let authority = Self {
            certificate: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
        };
        let subject = format!("/CN={name}");
        openssl(&authority.certificate, &authority.key, &["-subj", &subject]);
        authority
    }

    /// PEM.
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// Certificate and key, in files, of a server at 127.0.0.1 and `localhost`.
    pub fn issue(&self, folder: &Folder) -> (PathBuf, PathBuf) {
        let (certificate, key) = (folder.join("server.pem"), folder.join("server.key"));
        let names = "subjectAltName=IP:127.0.0.1,DNS:localhost";
        let (ca, ca_key) = (self.certificate.to_str().unwrap(), self.key.to_str().unwrap());
        let rest = ["-subj", "/CN=localhost", "-addext", names, "-CA", ca, "-CAkey", ca_key];
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
