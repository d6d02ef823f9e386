//! The DynamoDB store on two emulators: one in this process (dynoxide), one of another maker as a
//! process (ministack).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod calls;
mod cart;
mod conformance;
mod connect;
mod cost;
mod dependencies;
mod emulator;
mod faults;
mod ground;
mod guide;
mod ministack;
mod reads;
mod storm;
mod table;
mod wire;

#[path = "../support/fleet/mod.rs"]
mod fleet;
#[path = "../promises/late.rs"]
mod late;
#[path = "../support/proxy.rs"]
mod proxy;
#[path = "../support/servers.rs"]
mod servers;
#[path = "../support/mod.rs"]
mod support;

// The promises again, over this store.
#[path = "../promises/handles.rs"]
mod handles;
#[path = "../promises/p01_forged.rs"]
mod p01_forged;
#[path = "../promises/p02_untouched.rs"]
mod p02_untouched;
#[path = "../promises/p03_read.rs"]
mod p03_read;
#[path = "../promises/p04_write.rs"]
mod p04_write;
#[path = "../promises/p05_doubt.rs"]
mod p05_doubt;
#[path = "../promises/p05_lost_update.rs"]
mod p05_lost_update;
#[path = "../promises/p06_logout.rs"]
mod p06_logout;
#[path = "../promises/p07_renewal.rs"]
mod p07_renewal;
#[path = "../promises/p08_acknowledged.rs"]
mod p08_acknowledged;
#[path = "../promises/p11_clocks.rs"]
mod p11_clocks;
#[path = "../promises/responses.rs"]
mod responses;
#[path = "../promises/sessions.rs"]
mod sessions;
