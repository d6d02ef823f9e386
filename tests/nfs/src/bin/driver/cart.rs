//! The cart example on three nodes over real NFS. Two of them share one host, and so one mount.

use std::time::Duration;

use cloakroom_nfs::Actor;
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde_json::json;
use tokio::time::timeout;

use crate::hosts::Hosts;
use cloakroom_testing::fleet::{
    Fleet, KEYS, a_cart_is_everywhere, logout_is_final, parallel_counts,
};

struct Carts {
    fleet: Fleet,
    running: Vec<(Actor, String)>,
}

impl Carts {
    async fn start(hosts: &Hosts) -> Self {
        let (root, mut running, mut nodes) = (hosts.folder().await, Vec::new(), Vec::new());
        for (number, host) in [&hosts.a, &hosts.b, &hosts.a].into_iter().enumerate() {
            let (pid, port) = start(host, number + 1, &root).await;
            nodes.push(format!("http://{}", host.relay(port).await));
            running.push((host.clone(), pid));
        }
        Self { fleet: Fleet::with_nodes(nodes).await, running }
    }

    async fn stop(self) {
        for (host, pid) in self.running {
            host.run(&format!("kill -9 {pid}")).await;
        }
    }
}

/// Starts a node. Returns its process id and the port at which it listens on its host.
async fn start(host: &Actor, number: usize, root: &str) -> (String, u16) {
    let cart = std::env::current_exe().unwrap().with_file_name("examples").join("cart");
    let (log, (name, keys)) = (format!("/run/cart{}", root.replace('/', "-")), KEYS);
    let started = host
        .run(&format!(
            "PORT=0 NODE=node-{number} STORE=file://{root} {name}={keys} {} \
             >{log}-{number} 2>&1 </dev/null & echo $!",
            cart.display()
        ))
        .await;
    for _ in 0..600 {
        let said = host.run(&format!("cat {log}-{number}")).await;
        let port =
            said.lines().find_map(|line| line.strip_prefix("listening on http://127.0.0.1:"));
        if let Some(port) = port {
            return (started.trim().to_owned(), port.parse().unwrap());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{}", host.run(&format!("cat {log}-{number}")).await);
}

/// Repeats a check if a node answers 503, and for no other failure. On a busy machine a command may time
/// out, which breaks no promise.
async fn retry_after_503<T>(mut check: impl AsyncFnMut() -> Result<T, String>) -> T {
    for _ in 0..9 {
        match check().await {
            Err(outage) if outage.contains("503") => println!("  again, after {outage}"),
            checked => return checked.unwrap(),
        }
    }
    check().await.unwrap()
}

pub(crate) async fn three_nodes_on_two_hosts_keep_the_promises_of_the_cart(hosts: Hosts) {
    let carts = Carts::start(&hosts).await;
    let tally = retry_after_503(async || parallel_counts(&carts.fleet, 120).await).await;
    println!("  {tally:?}");
    retry_after_503(async || logout_is_final(&carts.fleet).await).await;
    retry_after_503(async || a_cart_is_everywhere(&carts.fleet).await).await;
    carts.stop().await;
}

/// Requests that need a session get their 503 in time, requests that need none are served, and no node
/// has to be restarted.
pub(crate) async fn a_frozen_server_gives_503_and_other_requests_succeed(hosts: Hosts) {
    let carts = Carts::start(&hosts).await;
    let mut visitor = carts.fleet.visitor();
    let plum = || json!({"sku": "plum", "qty": 1});
    let mut acknowledged = 0;
    while acknowledged == 0 {
        acknowledged +=
            u64::from(visitor.post("/api/items", plum()).await.status == StatusCode::OK);
    }

    let frozen = hosts.freeze_server();
    // Each node gets more requests than it has workers.
    let mut needy = tokio::task::JoinSet::new();
    for number in 0..300 {
        let mut visitor = carts.fleet.at(number, &visitor);
        needy.spawn(async move {
            match number {
                0..3 => visitor.post("/api/items", plum()).await,
                _ => visitor.get("/api/session").await,
            }
        });
    }
    let mut served = 0;
    let refused = async {
        let mut refused = Vec::new();
        while let Some(reply) = needy.join_next().await {
            refused.push(reply.unwrap());
        }
        refused
    };
    let mut refused = std::pin::pin!(timeout(Duration::from_secs(120), refused));
    let refused = loop {
        tokio::select! {
            refused = &mut refused => break refused.expect("an answer while the server is frozen"),
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
        for node in 0..3 {
            let mut visitor = carts.fleet.at(node, &visitor);
            // A node that is stuck stays so until the server continues.
            let healthy = timeout(Duration::from_secs(60), visitor.get("/healthz")).await;
            assert_eq!(healthy.expect("a free node").status, StatusCode::OK);
            served += 1;
        }
    };
    drop(frozen);
    assert!(served >= 6, "only {served} requests were served beside");
    for reply in &refused {
        let answer = (reply.status, reply.header(RETRY_AFTER).is_some());
        assert_eq!(answer, (StatusCode::SERVICE_UNAVAILABLE, true), "{reply:?}");
    }
    println!("  {} requests answered 503, {served} served meanwhile", refused.len());

    for node in 0..3 {
        let counted = recovered(carts.fleet.at(node, &visitor)).await;
        assert!((acknowledged..=acknowledged + 3).contains(&counted), "{counted} counted");
    }
    carts.stop().await;
}

/// Waits until the node answers again, and returns the number of plums in the cart.
async fn recovered(mut visitor: cloakroom_testing::examples::Visitor) -> u64 {
    for _ in 0..600 {
        let reply = visitor.get("/api/session").await;
        if reply.status == StatusCode::OK {
            return reply.json()["items"]["plum"].as_u64().unwrap_or_default();
        }
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{reply:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the node does not recover");
}
