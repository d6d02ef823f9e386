//! TLS to a cluster and to Sentinels: connecting, and refusing what cannot be trusted. The laws over
//! TLS are in `conformance`, failovers in `faults`, and a single server over TLS is in `refusals`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use cloakroom::store::{Authorities, RedisServer, RedisStore, StoreErrorKind};
use cloakroom::{Key, SessionLayer};

use cloakroom_testing::certificates::Authority;
use cloakroom_testing::processes::Folder;
use cloakroom_testing::redis::{Cluster, Flavour, Monitor, Sentinel, TlsCluster, TlsSentinel};
use cloakroom_testing::wrong_url::{kind_of, refused_as};
use cloakroom_testing::{MINUTE, Visitor, all, patient, patiently_by_url, refusal};

/// Serves enough visitors for each primary of a cluster to have sessions.
pub(crate) async fn serves(url: &str) {
    let store = patiently_by_url(&format!("{url}&timeout_ms=60000")).await;
    let layer = patient(SessionLayer::new(store, Key::from_bytes(&[7; 32]).unwrap()));
    for _ in 0..24 {
        let guest = Visitor::new(layer.clone());
        guest.visit(async |session| session.insert("k", &1)).await.is_ok();
        assert_eq!(guest.visit(async |session| session.get::<u32>("k")).await.body, "Some(1)");
    }
}

fn with_ca(url: &str, ca: &Path) -> String {
    format!("{url}?ca={}", ca.display())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_url_connects_to_every_node_of_a_cluster_over_tls() {
    all(Flavour::with_tls().map(async |flavour| {
        let cluster = TlsCluster::start(flavour);
        for host in ["127.0.0.1", "localhost"] {
            serves(&with_ca(&cluster.url_at(host), cluster.certificates.ca_file())).await;
        }
        for node in cluster.primaries() {
            assert!(node.ask(&["DBSIZE"]).integer() > 0, "{flavour:?}");
        }
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_url_connects_to_sentinels_and_servers_over_tls() {
    all(Flavour::with_tls().map(async |flavour| {
        let servers = TlsSentinel::start(flavour);
        serves(&with_ca(&servers.url(), servers.certificates.ca_file())).await;
        assert_eq!(servers.primary().ask(&["DBSIZE"]).integer(), 24, "{flavour:?}");
    }))
    .await;
}

/// The nodes announce each other as 127.0.0.1, for which there is no certificate here.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_cluster_needs_certificates_for_the_name_in_the_url_only() {
    let cluster = TlsCluster::start_with_certificates_for_localhost_only(Flavour::Redis7);
    let ca = cluster.certificates.ca_file();
    serves(&with_ca(&cluster.url_at("localhost"), ca)).await;
    assert!(cluster.primaries().iter().all(|node| node.ask(&["DBSIZE"]).integer() > 0));
    let by_address = with_ca(&cluster.url_at("127.0.0.1"), ca);
    refused_as(StoreErrorKind::Misconfigured, &by_address).await;
}

/// Refuses the URL and the server built in code, with the wrong authority and with the machine's.
/// The servers get no command.
async fn refuses(url: &str, server: RedisServer, wrong_ca: &Path, monitor: &mut Monitor) {
    for url in [with_ca(url, wrong_ca), url.to_owned()] {
        refused_as(StoreErrorKind::Misconfigured, &url).await;
    }
    let server = server.tls(Authorities::pem_file(wrong_ca).unwrap());
    let connect = || RedisStore::builder().connect(&server);
    let error = refusal(StoreErrorKind::Misconfigured, connect).await;
    let shown = format!("{error:?}");
    assert!(shown.contains("InvalidCertificate"), "{shown}");
    got_nothing(monitor);
}

/// Fails if a server has got a command that is not one of the Sentinels'.
#[track_caller]
fn got_nothing(monitor: &mut Monitor) {
    let mut commands = monitor.take();
    commands.retain(|command| !["PING", "PUBLISH", "INFO"].contains(&&*command.name));
    assert_eq!(commands, []);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_cluster_whose_certificates_no_trusted_authority_signed_is_refused() {
    let cluster = TlsCluster::start(Flavour::Redis7);
    let hosts = || cluster.nodes().iter().map(|node| ("127.0.0.1", node.port));
    let wrong = cluster.certificates.wrong_ca_file();
    let url = cluster.url_at("127.0.0.1");
    refuses(&url, RedisServer::cluster(hosts()), wrong, &mut cluster.monitor()).await;
    let plain = url.replace("rediss-", "redis-");
    assert_eq!(kind_of(&plain).await, StoreErrorKind::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn sentinels_whose_certificates_no_trusted_authority_signed_are_refused() {
    let servers = TlsSentinel::start(Flavour::Redis7);
    let hosts = servers.ports().into_iter().map(|port| ("127.0.0.1", port));
    let sentinels = RedisServer::sentinel(Sentinel::SERVICE, hosts);
    let wrong = servers.certificates.wrong_ca_file();
    refuses(&servers.url(), sentinels, wrong, &mut servers.monitor()).await;
    let plain = servers.url().replace("rediss-", "redis-");
    assert_eq!(kind_of(&plain).await, StoreErrorKind::Unavailable);
}

/// One Sentinel is down, another one has an untrusted certificate: the error is about what the
/// operator has to change.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_sentinel_that_is_down_does_not_hide_an_untrusted_certificate() {
    let servers = TlsSentinel::start(Flavour::Redis7);
    servers.watchers()[0].kill();
    let wrong = with_ca(&servers.url(), servers.certificates.wrong_ca_file());
    refused_as(StoreErrorKind::Misconfigured, &wrong).await;
    for watcher in &servers.watchers()[1..] {
        watcher.kill();
    }
    assert_eq!(kind_of(&wrong).await, StoreErrorKind::Unavailable);
}

/// The Sentinels can be trusted, and the primary that they name cannot.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn a_primary_behind_trusted_sentinels_is_refused_for_its_own_certificate() {
    let servers = TlsSentinel::start(Flavour::Redis7);
    let folder = Folder::new();
    let (certificate, key) = Authority::new(&folder, "another").issue(&folder);
    let [certificate, key] = [&certificate, &key].map(|path| path.to_str().unwrap());
    let primary = servers.primary();
    primary.ask(&["CONFIG", "SET", "tls-cert-file", certificate, "tls-key-file", key]).ok();
    let url = with_ca(&servers.url(), servers.certificates.ca_file());
    refused_as(StoreErrorKind::Misconfigured, &url).await;
}

/// Accepts connections, notes the first byte of each, and answers as a server without TLS does.
fn plain_server() -> (u16, Receiver<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (noted, notes) = mpsc::channel();
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut first = [0];
            if socket.read_exact(&mut first).is_ok() && noted.send(first[0]).is_err() {
                return;
            }
            let _ = socket.write_all(b"-ERR unknown command\r\n");
        }
    });
    (port, notes)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs openssl"]
async fn a_server_without_tls_never_gets_anything_in_plain_text() {
    const HANDSHAKE: u8 = 0x16;
    let folder = Folder::new();
    let authority = Authority::new(&folder, "authority");
    for (scheme, path) in [("rediss", ""), ("rediss-cluster", ""), ("rediss-sentinel", "/sessions")]
    {
        let (port, notes) = plain_server();
        let url = format!("{scheme}://user:open-sesame@127.0.0.1:{port}{path}");
        let kind = kind_of(&with_ca(&url, authority.certificate())).await;
        assert_eq!(kind, StoreErrorKind::Unavailable, "{scheme}");
        let first = notes.recv_timeout(MINUTE);
        let first = first.unwrap_or_else(|_| panic!("{scheme}: nobody connected"));
        let first: Vec<_> = notes.try_iter().chain([first]).collect();
        assert!(first.iter().all(|&byte| byte == HANDSHAKE), "{scheme}: {first:?}");
    }
}

/// A plain cluster and plain Sentinels, and a URL that wants TLS.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs redis-server"]
async fn servers_without_tls_are_refused_where_the_url_wants_it() {
    let cluster = Cluster::start(Flavour::Redis7);
    let sentinel = Sentinel::start(Flavour::Redis7);
    let (mut of_cluster, mut of_sentinel) = (cluster.monitor(), sentinel.monitor());
    let folder = Folder::new();
    let authority = Authority::new(&folder, "authority");
    for url in [cluster.url(), sentinel.url()] {
        let encrypted = with_ca(&url.replace("redis-", "rediss-"), authority.certificate());
        assert_eq!(kind_of(&encrypted).await, StoreErrorKind::Unavailable, "{url}");
    }
    got_nothing(&mut of_cluster);
    got_nothing(&mut of_sentinel);
}
