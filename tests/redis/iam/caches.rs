//! Stand-ins for ElastiCache caches: one primary or a cluster, with TLS.

use cloakroom::store::{Authorities, RedisServer};

use cloakroom_testing::certificates::Authority;
use cloakroom_testing::processes::{Folder, free_port, wait_until};
use cloakroom_testing::redis::{Flavour, Node, Tls};

const SLOTS: u16 = 16_384;

pub(super) fn one_primary(server: &Tls) -> RedisServer {
    let tls = Authorities::pem_file(server.ca_file()).unwrap();
    RedisServer::standalone("localhost", server.port).tls(tls)
}

pub(super) struct Cluster {
    pub(super) primaries: Vec<Node>,
    authority: Authority,
    _folder: Folder,
}

impl Cluster {
    /// Three primaries without replicas.
    pub(super) fn start() -> Self {
        let folder = Folder::new();
        let authority = Authority::new(&folder, "authority");
        let (certificate, key) = authority.issue(&folder);
        let files = [authority.certificate(), &certificate, &key].map(|p| p.to_str().unwrap());
        let buses = [free_port(), free_port(), free_port()];
        let primaries = buses.map(|bus| primary(&folder, files, bus)).into();
        let cluster = Self { primaries, authority, _folder: folder };
        cluster.introduce(buses);
        cluster
    }

    fn introduce(&self, buses: [u16; 3]) {
        for (at, node) in (0_u16..).zip(&self.primaries) {
            let (first, last) =
                (SLOTS / 3 * at, if at == 2 { SLOTS - 1 } else { SLOTS / 3 * (at + 1) - 1 });
            node.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &(at + 1).to_string()]).ok();
            node.ask(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]).ok();
        }
        for (node, bus) in self.primaries.iter().zip(buses).skip(1) {
            let (port, bus) = (node.port.to_string(), bus.to_string());
            self.primaries[0].ask(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]).ok();
        }
        let whole = |node: &Node| {
            let info = node.ask(&["CLUSTER", "INFO"]).text();
            ["cluster_state:ok", "cluster_known_nodes:3"].iter().all(|line| info.contains(line))
        };
        wait_until("a cluster that is whole", || self.primaries.iter().all(whole));
    }

    pub(super) fn server(&self) -> RedisServer {
        let tls = Authorities::pem_file(self.authority.certificate()).unwrap();
        RedisServer::cluster([("localhost", self.primaries[0].port)]).tls(tls)
    }
}

fn primary(folder: &Folder, [ca, certificate, key]: [&str; 3], bus: u16) -> Node {
    let port = free_port();
    let (number, bus) = (port.to_string(), bus.to_string());
    let options = [
        ["--port", "0"],
        ["--tls-port", &number],
        ["--tls-ca-cert-file", ca],
        ["--tls-cert-file", certificate],
        ["--tls-key-file", key],
        ["--tls-auth-clients", "no"],
        ["--tls-cluster", "yes"],
        ["--cluster-enabled", "yes"],
        ["--cluster-announce-ip", "127.0.0.1"],
        ["--cluster-port", &bus],
    ];
    let node = Node::prepare(Flavour::Redis7, folder, port, &options.concat(), None);
    node.wait_until_ready();
    node
}
