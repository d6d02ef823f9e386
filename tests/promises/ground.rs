//! What the promises are tried on: a memory store, or a real server of the kind that
//! `PROMISES_STORE` names: `redis`, `memcached` or `file`.
//!
//! Tests that stop the runtime's clock or count polls need answers that come at once, and so the
//! memory store: they open their house themselves.

use std::env;

#[cfg(all(feature = "file", feature = "memcached", feature = "redis"))]
use crate::real::house_over;
use crate::support::House;

pub(crate) fn house() -> House {
    match env::var("PROMISES_STORE") {
        Ok(name) => house_over(&name),
        Err(_) => House::open(),
    }
}

#[cfg(not(all(feature = "file", feature = "memcached", feature = "redis")))]
fn house_over(name: &str) -> House {
    panic!("PROMISES_STORE={name} takes the features file, memcached and redis")
}
