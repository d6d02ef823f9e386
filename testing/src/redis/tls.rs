//! A server that only speaks TLS, with users of limited rights.

use std::ops::Deref;
use std::path::Path;

use super::flavour::Flavour;
use super::monitor::Monitor;
use super::node::Node;
use super::tls_options::Certificates;
use crate::processes::{Folder, free_port};

const HARNESS: &str = "harness-password";

/// The server. The default user is off. The user `sessions` may only do what a store needs under
/// its prefix, and the user `powerless` may only connect.
#[derive(Debug)]
pub struct Tls {
    node: Node,
    certificates: Certificates,
    _folder: Folder,
}

impl Tls {
    pub const PASSWORD: &'static str = "correct-horse";

    pub fn start(flavour: Flavour, prefix: &str) -> Self {
        let folder = Folder::new();
        let certificates = Certificates::new(&folder);
        let users = folder.join("users.acl");
        std::fs::write(&users, users_of(prefix)).unwrap();
        let port = free_port();
        let mut options = certificates.arguments(port);
        options.extend(["--aclfile".to_owned(), users.to_str().unwrap().to_owned()]);
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        let node = Node::prepare(flavour, &folder, port, &options, Some(HARNESS));
        node.wait_until_ready();
        Self { node, certificates, _folder: folder }
    }

    /// Returns a URL without a user: `rediss://127.0.0.1:PORT`.
    pub fn bare_url(&self) -> String {
        format!("rediss://127.0.0.1:{}", self.port)
    }

    pub fn url_of(&self, user: &str, password: &str) -> String {
        format!("rediss://{user}:{password}@127.0.0.1:{}", self.port)
    }

    /// Returns a URL for the user `sessions`.
    pub fn url(&self) -> String {
        self.url_of("sessions", Self::PASSWORD)
    }

    /// Returns the certificate of the authority that issued the server's.
    pub fn ca_file(&self) -> &Path {
        self.certificates.ca_file()
    }

    /// Returns the certificate of another authority.
    pub fn wrong_ca_file(&self) -> &Path {
        self.certificates.wrong_ca_file()
    }

    pub fn monitor(&self) -> Monitor {
        Monitor::on([&self.node])
    }
}

fn users_of(prefix: &str) -> String {
    let password = Tls::PASSWORD;
    format!(
        "user default off\n\
         user harness on >{HARNESS} ~* &* +@all\n\
         user sessions on >{password} ~{prefix}* +@read +@write +@scripting +@connection -@dangerous\n\
         user powerless on >{password} ~{prefix}* +@connection\n"
    )
}

impl Deref for Tls {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}
