//! Servers of several versions.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flavour {
    /// Version 6.2, the oldest that the store supports.
    Redis6,
    /// Version 7.0 from Debian 12, which must be installed.
    Redis7,
    Redis8,
    Valkey8,
    Valkey9,
}

impl Flavour {
    pub const ALL: [Self; 5] =
        [Self::Redis6, Self::Redis7, Self::Redis8, Self::Valkey8, Self::Valkey9];

    /// Returns the flavours on this machine, and prints those that `scripts/fetch-servers` could
    /// not get. Panics if the one from Debian 12 is missing.
    pub fn available() -> &'static [Self] {
        static AVAILABLE: OnceLock<Vec<Flavour>> = OnceLock::new();
        AVAILABLE.get_or_init(|| {
            let (there, missing): (Vec<_>, Vec<_>) =
                Self::ALL.into_iter().partition(|flavour| flavour.is_there());
            assert!(
                there.contains(&Self::Redis7),
                "redis-server is missing: scripts/install-tools"
            );
            for flavour in missing {
                println!("not run: {flavour:?}, which scripts/fetch-servers has not got");
            }
            there
        })
    }

    pub fn program(self) -> PathBuf {
        let fetched = |path: &str| cache().join(path);
        match self {
            Self::Redis6 => fetched("redis-6/redis-server"),
            Self::Redis7 => "redis-server".into(),
            Self::Redis8 => fetched("redis-8/redis-server"),
            Self::Valkey8 => fetched("valkey-8/valkey-server"),
            Self::Valkey9 => fetched("valkey-9/valkey-server"),
        }
    }

    /// Returns the available flavours that [`Cluster`](super::Cluster) can start, and prints the
    /// others: Redis 6 has neither a port of choice for the bus nor `ADDSLOTSRANGE`.
    pub fn with_clusters() -> impl Iterator<Item = Self> {
        Self::available().iter().copied().filter(|&flavour| {
            let can = flavour != Self::Redis6;
            if !can {
                println!("not run as a cluster: {flavour:?}");
            }
            can
        })
    }

    /// Returns the available flavours that speak TLS, and prints the others: those that come from a
    /// Python wheel do not, such as Redis 6.
    pub fn with_tls() -> impl Iterator<Item = Self> {
        Self::available().iter().copied().filter(|flavour| {
            let speaks = !flavour.program().with_file_name("venv").exists();
            if !speaks {
                println!("not run with TLS: {flavour:?}");
            }
            speaks
        })
    }

    fn is_there(self) -> bool {
        let version = Command::new(self.program()).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    }
}

fn cache() -> PathBuf {
    let set = env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty());
    let folder = set.map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cache")));
    folder.unwrap_or_default().join("cloakroom-servers")
}
