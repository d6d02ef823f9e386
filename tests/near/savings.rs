//! The trips that the cart's traffic saves, counted, and what they are worth on DynamoDB.

use std::time::Duration;

use cloakroom::store::{MemoryStore, Near};
use cloakroom::{Key, SessionLayer};
use cloakroom_testing::Command::Load;
use cloakroom_testing::{Counting, Visitor, clock};

const MILLISECOND: Duration = Duration::from_millis(1);

/// The visit that the bills assume: 20 requests in ten minutes, of which five change the cart. Here they are five
/// pages: one request that changes the cart, two right after it, and one three seconds later.
const PAGES: u32 = 5;
const REQUESTS_OF_A_PAGE: [u32; 4] = [0, 200, 400, 3_000];
const REQUESTS: f64 = 20.0;

/// The store commands of one visit.
#[derive(PartialEq, Debug)]
struct Visit {
    loads: usize,
    writes: usize,
}

async fn visit(servers: usize, staleness: Duration) -> Visit {
    let clock = clock();
    let store = Counting::new(MemoryStore::builder().clock(clock.clone()).build());
    let layers: Vec<_> = (0..servers)
        .map(|_| {
            let near = Near::new(store.clone()).staleness(staleness).clock(clock.clone());
            SessionLayer::new(near, Key::from_bytes(&[7; 32]).unwrap()).clock(clock.clone())
        })
        .collect();
    let visitor = Visitor::new(layers[0].clone());
    let mut turn = layers.iter().cycle();
    for _ in 0..PAGES {
        let began = clock.now();
        for millis in REQUESTS_OF_A_PAGE {
            clock.set(began.saturating_add(millis * MILLISECOND));
            let visitor = visitor.at(turn.next().unwrap());
            let answer = match millis {
                0 => visitor.visit(async |s| s.update("n", |n: &mut u32| *n += 1)).await,
                _ => visitor.visit(async |s| s.get::<u32>("n").map(drop)).await,
            };
            answer.is_ok();
        }
        clock.set(began.saturating_add(150_000 * MILLISECOND));
    }
    let commands = store.take();
    let loads = commands.iter().filter(|command| **command == Load).count();
    Visit { loads, writes: commands.len() - loads }
}

/// Returns the dollars for a million requests with sessions of 2 KB, without storage.
fn dollars(visit: &Visit) -> f64 {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/aws-prices.json");
    let prices: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let price = |name: &str| prices["dynamodb"][name].as_f64().unwrap();
    // A strongly consistent read of up to 4 KB is one unit, and a write one for each KB.
    let reads = visit.loads as f64 * price("dollars_per_million_read_units");
    let writes = visit.writes as f64 * 2.0 * price("dollars_per_million_write_units");
    (reads + writes) / REQUESTS
}

#[tokio::test]
async fn the_guide_shows_the_trips_and_the_dollars_that_are_saved() {
    let mut rows = Vec::new();
    for (servers, name) in [(1, "one server, or sticky sessions"), (3, "three servers in turn")] {
        let without = visit(servers, Duration::ZERO).await;
        assert_eq!((without.loads, without.writes), (19, 5), "without a memory");
        for seconds in [1, 5] {
            let with = visit(servers, Duration::from_secs(seconds)).await;
            let saved = 100.0 * (1.0 - with.loads as f64 / without.loads as f64);
            rows.push(format!(
                "| {name} | {seconds} s | {} of 19 | {saved:.0} % | ${:.3}, without ${:.3} |",
                with.loads,
                dollars(&with),
                dollars(&without),
            ));
        }
    }
    let page = include_str!("../../docs/near.md");
    for row in &rows {
        assert!(page.contains(row), "docs/near.md lacks these rows:\n{}", rows.join("\n"));
    }
}
