//! A cluster whose nodes speak TLS only, to clients and to each other.

use std::ops::Deref;
use std::time::Duration;

use super::cluster::{Cluster, HASTE, PATIENCE};
use super::flavour::Flavour;
use super::tls_options::Certificates;
use crate::processes::Folder;

#[derive(Debug)]
pub struct TlsCluster {
    cluster: Cluster,
    pub certificates: Certificates,
}

impl TlsCluster {
    pub fn start(flavour: Flavour) -> Self {
        Self::start_with(flavour, Certificates::new, PATIENCE)
    }

    /// Starts a cluster whose certificates are for `localhost`. The nodes announce each other as
    /// 127.0.0.1.
    pub fn start_with_certificates_for_localhost_only(flavour: Flavour) -> Self {
        Self::start_with(flavour, Certificates::for_localhost_only, PATIENCE)
    }

    /// Starts such a cluster, which soon replaces a member that is silent, for tests of failovers.
    pub fn start_hasty_with_certificates_for_localhost_only(flavour: Flavour) -> Self {
        Self::start_with(flavour, Certificates::for_localhost_only, HASTE)
    }

    fn start_with(
        flavour: Flavour,
        certificates: fn(&Folder) -> Certificates,
        patience: Duration,
    ) -> Self {
        let folder = Folder::new();
        let certificates = certificates(&folder);
        Self {
            cluster: Cluster::start_in(flavour, folder, Some(&certificates), patience),
            certificates,
        }
    }

    /// Returns a URL with the first node, by this name of the machine.
    pub fn url_at(&self, host: &str) -> String {
        format!("rediss-cluster://{host}:{}", self.nodes()[0].port)
    }
}

impl Deref for TlsCluster {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}
