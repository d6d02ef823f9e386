//! A network that breaks in the middle of an answer.
//!
//! Four servers of the app, each with a proxy of its own in front of the one Redis server. Every guest
//! uses two of them.

use std::time::{Duration, Instant};

use cloakroom::SessionLayer;
use cloakroom::store::RedisServer;
use tokio::time::sleep;

use super::load::{Guest, Load, layer};
use super::tally::{Tally, recovers_soon};
use cloakroom_testing::processes::free_port;
use cloakroom_testing::proxy::{Cut, Fault, Proxy};
use cloakroom_testing::redis::{Flavour, Standalone};

const PROXIES: usize = 4;

async fn proxied(server: &Standalone) -> (Proxy, SessionLayer) {
    let proxy = Proxy::on(free_port(), server.port).await;
    let layer = layer(&RedisServer::standalone("127.0.0.1", proxy.port)).await;
    (proxy, layer)
}

/// Returns the length of the answer to a read.
async fn reply_length(server: &Standalone) -> usize {
    let (proxy, layer) = proxied(server).await;
    let guest = Guest::new(&layer, 0).await;
    for _ in 0..20 {
        guest.count().await;
    }
    let received = || proxy.traffic().iter().map(|link| link.to_client).sum::<u64>();
    let before = received();
    guest.counted().await;
    usize::try_from(received() - before).unwrap()
}

/// Cuts a reply at every place and a little beyond it, one cut after another.
async fn cut_everywhere(proxy: &Proxy, lengths: impl Iterator<Item = usize>) -> u64 {
    for length in lengths {
        let cut = if length % 3 == 0 { Cut::Reset } else { Cut::Fin };
        cause(proxy, Fault::CutReply(length, cut)).await;
        if length % 5 == 0 {
            cause(proxy, Fault::CutAfterRequest(cut)).await;
        }
    }
    proxy.cuts()
}

/// Causes one fault, and waits until there is a connection again.
async fn cause(proxy: &Proxy, fault: Fault) {
    let cuts = proxy.cuts();
    proxy.set_once(fault);
    while proxy.cuts() == cuts || proxy.open_connections() == 0 {
        sleep(Duration::from_millis(2)).await;
    }
}

#[test]
#[ignore = "needs redis-server"]
fn an_answer_that_is_cut_anywhere_is_neither_lost_nor_counted_twice() {
    recovers_soon("cut", async || {
        let server = Standalone::start(Flavour::Redis7);
        let length = reply_length(&server).await;
        let (mut proxies, mut layers) = (Vec::new(), Vec::new());
        for _ in 0..PROXIES {
            let (proxy, layer) = proxied(&server).await;
            proxies.push(proxy);
            layers.push(layer);
        }
        let mut guests = Vec::new();
        for (number, layer) in layers.iter().enumerate() {
            guests.push(Guest::new(layer, number).await);
        }
        let elsewhere = |guest: &Guest| guest.at(&layers[(guest.number + 1) % PROXIES]);
        let tasks: Vec<_> = guests.iter().map(elsewhere).collect();
        let load = Load::start(guests.iter().cloned().chain(tasks));
        let sweep = |at: usize| cut_everywhere(&proxies[at], (at..length + 4).step_by(PROXIES));
        let cuts = tokio::join!(sweep(0), sweep(1), sweep(2), sweep(3));
        let back = Instant::now();
        load.recover().await;
        let cuts = cuts.0 + cuts.1 + cuts.2 + cuts.3;
        println!("{cuts} cuts in answers of {length} bytes");
        assert!(cuts >= length as u64);
        let tally = Tally::new("cut after N bytes of an answer", load.stop().await);
        tally.is_exact(&guests, back).await
    });
}
