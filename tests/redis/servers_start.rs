//! The test harness itself: every topology starts and answers, and the harness counts commands and
//! causes faults as it claims.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use cloakroom_testing::processes::answers;
use cloakroom_testing::redis::{
    Cluster, Flavour, Node, Reply, Sentinel, Standalone, Tls, UnixSocket, Wire,
};

fn each_flavour(check: impl Fn(Flavour)) {
    each(Flavour::available().iter().copied(), check);
}

fn each(flavours: impl Iterator<Item = Flavour>, check: impl Fn(Flavour)) {
    for flavour in flavours {
        println!("{flavour:?}");
        check(flavour);
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_standalone_server_is_what_it_was_asked_for() {
    each_flavour(|flavour| {
        let server = Standalone::start(flavour);
        let mut client = Wire::tcp(server.port).unwrap();
        client.ask(&["SET", "k", "a\r\n\"b\""]).unwrap().ok();
        assert_eq!(server.ask(&["GET", "k"]), Reply::Bytes(b"a\r\n\"b\"".to_vec()));
        assert_eq!(server.ask(&["GET", "none"]), Reply::Nil);
        let name = if server.info("valkey_version").is_some() { "valkey" } else { "redis" };
        let version = server.info(&format!("{name}_version")).unwrap();
        let wanted = match flavour {
            Flavour::Redis6 => "redis 6.2.",
            Flavour::Redis7 => "redis 7.",
            Flavour::Redis8 => "redis 8.",
            Flavour::Valkey8 => "valkey 8.",
            Flavour::Valkey9 => "valkey 9.",
        };
        assert!(format!("{name} {version}").starts_with(wanted), "{name} {version}");
        assert_eq!(server.info("process_id").unwrap(), server.process.pid().to_string());
    });
}

#[test]
#[ignore = "needs redis-server"]
fn the_monitor_counts_what_clients_send_and_nothing_else() {
    each_flavour(|flavour| {
        let server = Standalone::start(flavour);
        let mut client = Wire::tcp(server.port).unwrap();
        client.ask(&["SET", "before", "1"]).unwrap().ok();
        let mut monitor = server.monitor();
        assert_eq!(monitor.count(), BTreeMap::new());
        for _ in 0..100 {
            client.ask(&["get", "a \"quoted\" \\ ke] y"]).unwrap();
        }
        let script = "redis.call('SET', KEYS[1], '1'); return redis.call('GET', KEYS[1])";
        assert_eq!(client.ask(&["EVAL", script, "1", "k"]).unwrap().text(), "1");
        server.ask(&["GET", "the harness' own"]);
        assert_eq!(monitor.count(), BTreeMap::from([("EVAL".into(), 1), ("GET".into(), 100)]));
        client.ask(&["set", "k", "\0 \""]).unwrap().ok();
        let [set] = &monitor.take()[..] else { panic!("not one command") };
        assert_eq!(set.name, "SET");
        assert!(set.arguments.starts_with(r#""k" "\x00 "#), "{}", set.arguments);
        assert_eq!(monitor.count(), BTreeMap::new());
    });
}

#[test]
#[ignore = "needs redis-server"]
fn the_monitor_of_a_socket_counts_as_well() {
    let server = UnixSocket::start(Flavour::Redis7);
    let mut client = Wire::unix(server.path().as_ref()).unwrap();
    let mut monitor = server.monitor();
    client.ask(&["GET", "k"]).unwrap();
    server.ask(&["GET", "k"]);
    assert_eq!(monitor.count(), BTreeMap::from([("GET".into(), 1)]));
}

#[test]
#[ignore = "needs redis-server"]
fn a_server_can_be_killed_frozen_and_made_to_refuse() {
    let server = Standalone::start(Flavour::Redis7);
    let mut client = Wire::tcp(server.port).unwrap();
    client.ask(&["PING"]).unwrap();
    assert_eq!(server.clients().len(), 1);
    server.refuse_further_clients();
    let refused = Wire::tcp(server.port).unwrap().reply().unwrap();
    assert_eq!(refused, Reply::Error("ERR max number of clients reached".into()));
    client.ask(&["PING"]).unwrap();
    server.set_max_clients(1000);
    Wire::tcp(server.port).unwrap().ask(&["PING"]).unwrap();

    assert!(server.client_kill_all() >= 1);
    assert!(client.ask(&["PING"]).is_err());
    assert!(server.clients().is_empty());

    server.freeze();
    assert!(answers(server.port), "the kernel accepts for it");
    let mut patient = Wire::tcp(server.port).unwrap();
    let waiting = std::thread::spawn(move || patient.ask(&["PING"]));
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(!waiting.is_finished());
    server.thaw();
    assert_eq!(waiting.join().unwrap().unwrap().text(), "PONG");

    let pid = server.process.pid();
    server.kill();
    assert!(!server.process.is_running() && !answers(server.port));
    server.start_again();
    assert_ne!(server.process.pid(), pid);
    assert_eq!(Wire::tcp(server.port).unwrap().ask(&["PING"]).unwrap().text(), "PONG");
}

#[test]
#[ignore = "needs redis-server"]
fn a_tls_server_has_its_certificate_and_its_users() {
    for flavour in Flavour::with_tls() {
        let server = Tls::start(flavour, "shop:");
        assert_eq!(s_client(&server, server.ca_file()), Ok(()));
        assert!(s_client(&server, server.wrong_ca_file()).unwrap_err().contains("verify error"));
        assert!(Wire::tcp(server.port).unwrap().ask(&["PING"]).is_err(), "nothing but TLS");
        let mut user = Wire::unix(&server.socket()).unwrap();
        assert!(is_error(&user.ask(&["GET", "shop:k"]).unwrap(), "NOAUTH"));
        assert!(is_error(&user.ask(&["AUTH", "sessions", "wrong"]).unwrap(), "WRONGPASS"));
        user.ask(&["AUTH", "sessions", Tls::PASSWORD]).unwrap().ok();
        user.ask(&["SET", "shop:k", "v", "PX", "1000"]).unwrap().ok();
        assert!(is_error(&user.ask(&["SET", "other:k", "v"]).unwrap(), "NOPERM"));
        assert!(is_error(&user.ask(&["FLUSHALL"]).unwrap(), "NOPERM"));
        user.ask(&["AUTH", "powerless", Tls::PASSWORD]).unwrap().ok();
        assert!(is_error(&user.ask(&["GET", "shop:k"]).unwrap(), "NOPERM"));
    }
}

fn is_error(reply: &Reply, code: &str) -> bool {
    matches!(reply, Reply::Error(text) if text.starts_with(code))
}

fn s_client(server: &Node, ca: &std::path::Path) -> Result<(), String> {
    let address = format!("127.0.0.1:{}", server.port);
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(["s_client", "-connect", &address, "-verify_return_error", "-verify_ip"]);
    openssl.arg("127.0.0.1").arg("-CAfile").arg(ca).stdin(std::process::Stdio::null());
    let output = openssl.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

#[test]
#[ignore = "needs redis-server"]
fn a_cluster_is_whole_and_fails_over() {
    each(Flavour::with_clusters(), |flavour| {
        let cluster = Cluster::start_hasty(flavour);
        assert_eq!((cluster.nodes().len(), cluster.primaries().len()), (6, 3));
        let slot = cluster.slot_of("k");
        assert_eq!(slot, 7629);
        let primary = cluster.primary_of(slot).unwrap();
        let mut monitor = cluster.monitor();
        let mut client = Wire::tcp(primary.port).unwrap();
        client.ask(&["SET", "k", "v"]).unwrap().ok();
        assert_eq!(monitor.count(), BTreeMap::from([("SET".into(), 1)]));
        // On the connection that has written: elsewhere there is nothing to wait for.
        assert_eq!(client.ask(&["WAIT", "1", "5000"]).unwrap().integer(), 1);

        let former = cluster.kill_primary(slot);
        assert_eq!(former.port, primary.port);
        let promoted = cluster.wait_for_promotion(slot, former);
        assert_eq!(promoted.ask(&["GET", "k"]).text(), "v");
        former.start_again();
        cluster.wait_until_whole();
        let handed = cluster.hand_over(slot);
        assert_eq!(handed.port, former.port);
        cluster.wait_until_whole();
        assert_eq!(handed.ask(&["GET", "k"]).text(), "v");
    });
}

#[test]
#[ignore = "needs redis-server"]
fn a_moving_slot_is_asked_about_and_then_moved() {
    let cluster = Cluster::start(Flavour::Redis7);
    let slot = cluster.slot_of("k");
    cluster.primary_of(slot).unwrap().ask(&["SET", "k", "v"]).ok();
    let (from, to) = cluster.begin_move(slot);
    assert_eq!(from.ask(&["GET", "k"]).text(), "v");
    cluster.move_keys(slot, (from, to));
    assert!(is_error(&from.ask(&["GET", "k"]), "ASK"));
    cluster.finish_move(slot, (from, to));
    assert!(is_error(&from.ask(&["GET", "k"]), "MOVED"));
    assert_eq!(to.ask(&["GET", "k"]).text(), "v");
    cluster.wait_until_whole();
}

#[test]
#[ignore = "needs redis-server"]
fn sentinels_promote_the_replica() {
    each_flavour(|flavour| {
        let sentinel = Sentinel::start(flavour);
        assert_eq!(sentinel.ports().len(), 3);
        let primary = sentinel.primary();
        primary.ask(&["SET", "k", "v"]).ok();
        assert_eq!(primary.ask(&["WAIT", "1", "5000"]).integer(), 1);
        let former = sentinel.kill_primary();
        let promoted = sentinel.wait_for_promotion(former);
        assert_ne!(promoted.port, former.port);
        assert_eq!(promoted.ask(&["GET", "k"]).text(), "v");
        sentinel.bring_back(former);
        assert_eq!(sentinel.primary().port, promoted.port);
        assert_eq!(sentinel.replica().port, former.port);
    });
}
