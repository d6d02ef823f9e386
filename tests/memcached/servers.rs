//! Describes the test servers to the store, and opens stores of tests that are not about time.

use cloakroom::store::{Authorities, MemcachedServers, MemcachedStore, MemcachedStoreBuilder};
use cloakroom_testing::memcached::{PASSWORD, Server, Three, Tls, USER};
use cloakroom_testing::{MINUTE, patiently};

/// Returns a builder with a command timeout of a minute, so that a busy machine causes no error.
pub(crate) fn builder() -> MemcachedStoreBuilder {
    MemcachedStore::builder().command_timeout(MINUTE)
}

pub(crate) async fn open(
    builder: MemcachedStoreBuilder,
    servers: &MemcachedServers,
) -> MemcachedStore {
    patiently(|| builder.clone().connect(servers)).await
}

pub(crate) trait Servers {
    fn servers(&self) -> MemcachedServers;
}

impl Servers for Server {
    fn servers(&self) -> MemcachedServers {
        MemcachedServers::nodes([("127.0.0.1", self.port)])
    }
}

impl Servers for Tls {
    fn servers(&self) -> MemcachedServers {
        MemcachedServers::nodes([("localhost", self.server.port)])
            .credentials(USER, PASSWORD)
            .tls(Authorities::pem_file(self.ca_file()).unwrap())
    }
}

impl Servers for Three {
    fn servers(&self) -> MemcachedServers {
        MemcachedServers::nodes(self.0.iter().map(|server| ("127.0.0.1", server.port)))
    }
}
