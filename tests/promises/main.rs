//! The promises, one module each, on the memory store or the one that `PROMISES_STORE` names. Time is
//! set, never waited for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(all(feature = "file", feature = "memcached", feature = "redis"))]
#[path = "../support/servers.rs"]
mod servers;
#[path = "../support/mod.rs"]
mod support;

mod ground;
#[cfg(all(feature = "file", feature = "memcached", feature = "redis"))]
mod late;
#[cfg(all(feature = "file", feature = "memcached", feature = "redis"))]
mod real;

mod deadlines;
mod handles;
mod p01_forged;
mod p02_untouched;
mod p03_read;
mod p04_write;
mod p05_doubt;
mod p05_lost_update;
mod p06_logout;
mod p07_renewal;
mod p08_acknowledged;
mod p10_cancelled;
mod p11_clocks;
mod p12_bad_bytes;
mod responses;
mod sessions;
mod values;
