//! Measures the cost of verifying and issuing a ticket, in multiples of one HMAC-SHA256.
//!
//! Tickets are private to the library, so the cost is the difference between a request that
//! verifies a ticket and one that does not, over a store that costs nothing. Signing alone cannot
//! be measured this way; it is part of "issue".

use std::hint::black_box;

use cloakroom_benches::apps::{self, Values};
use cloakroom_benches::{Effort, Nowhere, Traffic, compare, cookie_of, forge};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

fn main() {
    let traffic = Traffic::new();
    let mut app = apps::cloakroom(Values::of(16), Nowhere);
    let cookie = cookie_of(&traffic.answer(&mut app, "/write", &None));
    let keyed = Hmac::<Sha256>::new_from_slice(&[7; 32]).expect("HMAC takes keys of any length");
    // The length of the signed part of a ticket.
    let hmac = Traffic::lane_of(|| {
        black_box(keyed.clone().chain_update(black_box([7; 31])).finalize());
    });
    let mut lanes = [
        hmac,
        traffic.lane(&app, "/read", None),
        traffic.lane(&app, "/read", forge(&cookie)),
        traffic.lane(&app, "/read", cookie),
        traffic.lane(&app, "/write", None),
    ];
    let [_, anonymous, forged, valid, new] = compare(&mut lanes, Effort::from_args())[..] else {
        unreachable!("one result for each lane")
    };
    println!("CPU time, in multiples of one keyed HMAC-SHA256 over 31 bytes\n");
    println!("refuse a forged ticket                            {:>6.2}", forged - anonymous);
    println!("accept a ticket, and ask the store                {:>6.2}", valid - anonymous);
    println!("issue: id, record, store, ticket, Set-Cookie      {:>6.2}", new - anonymous);
}
