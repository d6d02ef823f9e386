//! A primary, its replica and three Sentinels that speak TLS only, to clients and to each other.

use std::ops::Deref;

use super::flavour::Flavour;
use super::sentinel::Sentinel;
use super::tls_options::Certificates;
use crate::processes::Folder;

#[derive(Debug)]
pub struct TlsSentinel {
    sentinel: Sentinel,
    pub certificates: Certificates,
}

impl TlsSentinel {
    pub fn start(flavour: Flavour) -> Self {
        let folder = Folder::new();
        let certificates = Certificates::new(&folder);
        Self { sentinel: Sentinel::start_in(flavour, folder, Some(&certificates)), certificates }
    }

    /// Returns a URL with the address of every Sentinel.
    pub fn url(&self) -> String {
        self.sentinel.url().replace("redis-", "rediss-")
    }
}

impl Deref for TlsSentinel {
    type Target = Sentinel;

    fn deref(&self) -> &Sentinel {
        &self.sentinel
    }
}
