//! Describes the test servers to the store.

use cloakroom::store::{Authorities, MemcachedServers};
use cloakroom_testing::memcached::{PASSWORD, Server, Three, Tls, USER};

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
